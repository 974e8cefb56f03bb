"""The command line."""

from engram.cli.main import main

__all__ = ["main"]
