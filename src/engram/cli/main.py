"""The command line: one verb, one function. This file only gathers them."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from engram.cli import archives, compare, data, growing, packing, reproduce, train
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
    archives.unpack,
    archives.get,
    archives.info,
    archives.verify,
    archives.shard,
):
    app.command()(verb)
app.add_typer(data.app, name="data")


class Interrupted(BaseException):
    """Ctrl-C. Typer would swallow a KeyboardInterrupt without a word."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted


def main() -> None:
    """Run the command line; end with 0 done, 1 failed, 2 wrong usage, 3 corrupt data, 130 interrupted."""
    signal.signal(signal.SIGINT, _interrupt)
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
    except Interrupted:
        print(
            "engram: interrupted; nothing half-written is left under a final name, "
            "and the same command goes on with what train, reproduce and compare had finished (pack: with --resume)",
            file=sys.stderr,
        )
        sys.exit(130)
