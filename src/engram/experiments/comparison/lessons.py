"""What each study of the paper's future work teaches, a section each."""

from __future__ import annotations

from engram.document import Section
from engram.experiments.comparison.run import Comparison


def lessons(run: Comparison) -> list[Section]:
    """A section for each study that was made."""
    return []
