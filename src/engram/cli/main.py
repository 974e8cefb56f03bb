"""The command line: one verb, one function. This file only gathers them."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from engram.cli import archives, compare, data, growing, looking, packing, reproduce, train
from engram.cli.terminal import hear_notices
from engram.errors import EngramError

app = typer.Typer(
    help="Compress collections of small images with auto-associative networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(reproduce.reproduce)
app.command()(compare.compare)
app.command()(train.train)
for verb in (
    packing.pack,
    growing.append,
    growing.rm,
    archives.unpack,
    archives.info,
    archives.verify,
    archives.shard,
    looking.ls,
    looking.cat,
    looking.diff,
    looking.sheet,
):
    app.command()(verb)
app.command("set")(growing.set_columns)
app.command(context_settings={"ignore_unknown_options": True})(archives.get)  # so that -1 is told what it means
app.add_typer(data.app, name="data")


GOES_ON = {
    "pack": "the same command with --resume goes on",
    "append": "the same command with --resume goes on",
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
        print(f"engram: this needs {error.name}; `pip install engram[{extra}]` brings it", file=sys.stderr)
        sys.exit(1)
    except Interrupted as stop:
        goes_on = GOES_ON.get(sys.argv[1] if len(sys.argv) > 1 else "")
        words = "engram: interrupted; nothing half-written is left under a final name"
        print(f"{words}, and {goes_on}" if goes_on else words, file=sys.stderr)
        sys.exit(128 + stop.args[0])
