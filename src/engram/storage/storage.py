"""What every file that is read in pieces can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

Span = tuple[int, int]
"""Where bytes begin in a file, and where they end."""


class Storage(ABC):
    """A file's bytes by offset. Threads, and processes that are forked, may share it."""

    size: int
    shown: str
    """What messages call it."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether `close` was called."""

    @abstractmethod
    def read_many(self, spans: Sequence[Span]) -> list[bytes]:
        """The bytes of each span; fewer where the file ends before, or cannot be read."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of one span."""
        return self.read_many([(offset, offset + length)])[0]

    @abstractmethod
    def expect(self, spans: Sequence[Span]) -> None:
        """Is told what will be read next, so that it may be fetched meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """Gives back what the system lent; may be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
