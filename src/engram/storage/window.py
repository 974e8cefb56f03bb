"""A part of a file as if it were a file."""

from __future__ import annotations

from collections.abc import Sequence

from engram.storage.storage import Span, Storage


class Window(Storage):
    """The bytes `start` to `start + size - 1` of a file, which is closed by who opened it."""

    def __init__(self, file: Storage, start: int, size: int) -> None:
        self._file, self._start = file, start
        self.size = max(0, min(size, file.size - start))
        self.shown = f"{file.shown}, from byte {start:,} on"

    @property
    def closed(self) -> bool:
        return self._file.closed

    def read_many(self, spans: Sequence[Span]) -> list[bytes]:
        return self._file.read_many([self._moved(span) for span in spans])

    def expect(self, spans: Sequence[Span]) -> None:
        self._file.expect([self._moved(span) for span in spans])

    def close(self) -> None:
        """Nothing to do."""

    def _moved(self, span: Span) -> Span:
        start, stop = (min(offset, self.size) + self._start for offset in span)
        return start, stop
