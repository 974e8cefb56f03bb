"""A Document in, one folder out: a self-contained page and its figures. It computes nothing."""

from engram.report.drawing import UnknownBlock
from engram.report.page import write

__all__ = ["UnknownBlock", "write"]
