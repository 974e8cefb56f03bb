"""What can go wrong in a training."""

from __future__ import annotations

from engram.errors import CorruptData, EngramError, UsageError


class TrainingDiverged(EngramError):
    """The loss is no longer a number."""


class ForeignCheckpoint(UsageError):
    """A checkpoint that belongs to another training."""


class CorruptCheckpoint(CorruptData):
    """A checkpoint that cannot be read."""
