"""The command line, run in this process: a test pays for what a verb does, and not for another import of torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TextIO
from unittest import mock

from engram.cli.main import STOPPING, main
from engram.datasets.notices import Notice


def run(
    *arguments: object, cwd: Path | str = ".", terminal: TextIO | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What `engram ARGUMENTS` ends with and prints. Whatever it would end in a traceback with is raised.

    terminal: where standard error goes, in place of what is returned.
    """
    words = ["engram", *map(str, arguments)]
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    handlers, code = {number: signal.getsignal(number) for number in STOPPING}, 0
    with (
        chdir(cwd),
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": ""} | environment),
        warnings.catch_warnings(),
        redirect_stdout(out),
        redirect_stderr(terminal or err),
    ):
        warnings.simplefilter("default", Notice)  # a notice is told; any other warning still fails the test
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    printed, told = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, code, printed, told)
