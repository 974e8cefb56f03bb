"""Packing: what is asked of a collection, what is learned of it, which code is chosen and why, and what was reached."""

from engram.packing.asked import Asked
from engram.packing.report import Report
from engram.packing.to_archive import pack

__all__ = ["Asked", "Report", "pack"]
