"""Image sets from names, files and folders."""

from engram.datasets.source import draw_split, load, stream

__all__ = ["draw_split", "load", "stream"]
