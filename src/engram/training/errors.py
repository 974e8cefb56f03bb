"""What can go wrong in a training."""

from __future__ import annotations

from engram.errors import CorruptData, EngramError, UsageError


class TrainingDiverged(EngramError):
    """The loss is no longer a number."""


class ForeignCheckpoint(UsageError):
    """A checkpoint that belongs to another training."""


class CorruptCheckpoint(CorruptData):
    """A checkpoint that cannot be read."""


class RanksDisagree(UsageError):
    """Processes that were to train one network together have other images, settings or versions."""


class RankLost(EngramError):
    """A process of a training that goes on in several cannot be reached, most often since it has ended."""
