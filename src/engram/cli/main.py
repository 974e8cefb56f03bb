"""The command line: one verb, one function. This file only gathers them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Annotated, NoReturn

import typer

from engram.cli import archives, compare, data, growing, looking, packing, repacking, reproduce, train
from engram.cli.terminal import hear_notices
from engram.errors import EngramError


def _tell_version(asked: bool) -> None:
    if asked:
        from engram.version import described

        typer.echo(described())
        raise typer.Exit


app = typer.Typer(
    help="Compress collections of small images with auto-associative networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say what is installed, and end.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    pass


PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Archives": (
        packing.pack,
        archives.unpack,
        archives.get,
        looking.ls,
        archives.info,
        looking.sheet,
        looking.diff,
        archives.verify,
    ),
    "Changing archives": (
        growing.append,
        growing.rm,
        growing.set_columns,
        repacking.repack,
        looking.cat,
        archives.shard,
    ),
    "Training": (train.train,),
    "Experiments": (compare.compare, reproduce.reproduce),
}
"""The verbs in the order in which a user needs them, as --help shows them."""
for panel, verbs in PANELS.items():
    for verb in verbs:
        name = "set" if verb is growing.set_columns else verb.__name__
        words = {"ignore_unknown_options": verb is archives.get}  # so that -1 is told what it means
        app.command(name, rich_help_panel=panel, context_settings=words)(verb)
app.add_typer(data.app, name="data", rich_help_panel="Training")


GOES_ON = {
    "pack": "the same command with --resume goes on",
    "append": "the same command with --resume goes on",
    "repack": "the same command with --resume goes on",
    "train": "the same command goes on",
    "reproduce": "the same command goes on with what was finished",
    "compare": "the same command goes on with what was finished",
}
"""What is said of a verb that was interrupted, beside that nothing half-written is left."""
STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(BaseException):
    """Ctrl-C, or another request to stop. Typer would swallow a KeyboardInterrupt without a word."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Says so at once, for workers may have to end first; the same once more ends the process."""
    signal.signal(number, signal.SIG_DFL)
    os.write(2, b"\nengram: stopping; once more ends it at once\n")
    raise Interrupted(number)


def main() -> None:
    """Run the command line; end with 0 done, 1 failed, 2 wrong usage, 3 corrupt data, 128 + N stopped by signal N."""
    for number in STOPPING:
        signal.signal(number, _interrupt)
    hear_notices()
    try:
        app(prog_name="engram")
    except EngramError as error:
        print(f"engram: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        extra = {"torch": "train", "matplotlib": "report", "jinja2": "report"}.get(error.name or "")
        if extra is None:
            raise
        print(f"engram: this needs {error.name}; `pip install 'engram-images[{extra}]'` brings it", file=sys.stderr)
        sys.exit(1)
    except Interrupted as stop:
        goes_on = GOES_ON.get(sys.argv[1] if len(sys.argv) > 1 else "")
        words = "engram: interrupted; nothing half-written is left under a final name"
        print(f"{words}, and {goes_on}" if goes_on else words, file=sys.stderr)
        sys.exit(128 + stop.args[0])
