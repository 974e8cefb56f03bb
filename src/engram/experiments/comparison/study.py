"""A question of the paper's future work as a job: it finds facts, and says what they teach."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from engram.document import Block
from engram.experiments.comparison.job import Finding, Job


@dataclass(frozen=True, eq=False)
class Study(Job):
    """name: what the page calls it by; studies of one `title` share a section."""

    title: ClassVar[str]

    @abstractmethod
    def blocks(self, found: Finding) -> tuple[Block, ...]:
        """What the page says of the finding."""
