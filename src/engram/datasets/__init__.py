"""Image sets from names, files and folders."""

from engram.datasets.source import draw_split, load

__all__ = ["draw_split", "load"]
