"""A file behind a URL: its ends at once, then what is asked for, and, of what is read in order, what comes next.

What is kept, at most: half a MiB of either end, 8 MiB of what was read last, and 4 MiB read ahead; and the two things
that were `expect`ed last, which a thread fetches meanwhile.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from weakref import WeakSet

from engram.storage.location import shown
from engram.storage.storage import Span, Storage
from engram.storage.transport import Transport

END_BYTES = 1 << 19
"""Of either end, read when a file is opened: most headers with their models, most indexes with their footers."""
CACHE_BYTES = 1 << 23
MOST_AHEAD_BYTES = 1 << 22
_FIRST_AHEAD_BYTES = 1 << 16
_GAP_BYTES = 1 << 15
"""Bytes that nobody wants are read along where that saves a request."""
_REQUEST_BYTES = 1 << 22


class RemoteFile(Storage):
    """Raises what `Transport` raises."""

    def __init__(self, url: str) -> None:
        self.shown = shown(url)
        self._transport = Transport(url)
        self._begin()
        self.size, head, tail = self._transport.ends(END_BYTES)
        self._ends = ((0, head), (self.size - len(tail), tail))
        self._ahead = (0, b"")
        self._recent = OrderedDict[Span, bytes]()
        self._recent_bytes = 0
        self._last_stop = self._window = 0
        self._closed = False
        _opened.add(self)

    def _begin(self) -> None:
        """Makes what does not survive a fork."""
        self._lock = Lock()
        self._fetcher: ThreadPoolExecutor | None = None
        self._coming: list[tuple[set[Span], Future[dict[Span, bytes]]]] = []

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        if self._fetcher is not None:
            self._fetcher.shutdown(wait=False, cancel_futures=True)

    def read_many(self, spans: Sequence[Span]) -> list[bytes]:
        clipped = [(start, min(stop, self.size)) for start, stop in spans]
        found = self._kept(clipped)
        if missing := set(clipped) - found.keys():
            found |= self._taken(missing)
        if missing := set(clipped) - found.keys():
            fetched = self._fetch_ahead(*missing) if len(clipped) == 1 else self._fetch(missing)
            self._keep(fetched)
            found |= fetched
        if len(clipped) == 1:
            self._last_stop = clipped[0][1]
        return [found[span] for span in clipped]

    def expect(self, spans: Sequence[Span]) -> None:
        missing = set(spans) - self._kept(spans).keys()
        if missing and not self._closed:
            with self._lock:
                self._fetcher = self._fetcher or ThreadPoolExecutor(1, "engram-read-ahead")
                self._coming = [*self._coming[-1:], (missing, self._fetcher.submit(self._fetch, missing))]

    def _kept(self, spans: Collection[Span]) -> dict[Span, bytes]:
        """What need not be fetched."""
        found = {}
        with self._lock:
            for span in spans:
                start, stop = span
                for offset, data in (*self._ends, self._ahead):
                    if offset <= start and stop <= offset + len(data):
                        found[span] = data[start - offset : stop - offset]
                        break
                else:
                    if span in self._recent:
                        self._recent.move_to_end(span)
                        found[span] = self._recent[span]
        return found

    def _keep(self, fetched: dict[Span, bytes]) -> None:
        with self._lock:
            for span, data in fetched.items():
                self._recent_bytes += len(data) - len(self._recent.pop(span, b""))
                self._recent[span] = data
            while self._recent_bytes > CACHE_BYTES:
                self._recent_bytes -= len(self._recent.popitem(last=False)[1])

    def _taken(self, missing: set[Span]) -> dict[Span, bytes]:
        """What of it was expected, and comes; it is not kept, for a scan reads nothing twice."""
        with self._lock:
            coming = [(spans, future) for spans, future in self._coming if spans & missing]
            self._coming = [each for each in self._coming if each not in coming]
        return {span: data for _, future in coming for span, data in future.result().items() if span in missing}

    def _fetch_ahead(self, span: Span) -> dict[Span, bytes]:
        """A span alone; where it follows the one before it, more and more of what follows."""
        start, stop = span
        in_order = start == self._last_stop
        self._window = min(max(2 * self._window, _FIRST_AHEAD_BYTES), MOST_AHEAD_BYTES) if in_order else 0
        if self._window <= stop - start:
            return self._fetch([span])
        ahead = (start, min(start + self._window, self.size))
        data = self._fetch([ahead])[ahead]
        with self._lock:
            self._ahead = (start, data)
        return {span: data[: stop - start]}

    def _fetch(self, spans: Collection[Span]) -> dict[Span, bytes]:
        """The bytes of spans that do not overlap, neighbours by one request."""
        merged: list[Span] = []
        for start, stop in sorted(spans):
            if merged and start - merged[-1][1] <= _GAP_BYTES and stop - merged[-1][0] <= _REQUEST_BYTES:
                merged[-1] = (merged[-1][0], stop)
            else:
                merged.append((start, stop))
        firsts = [first for first, _ in merged]
        pieces = self._transport.ranges(merged)
        found = {}
        for start, stop in spans:
            at = bisect_right(firsts, start) - 1
            found[start, stop] = pieces[at][start - firsts[at] : stop - firsts[at]]
        return found


_opened = WeakSet[RemoteFile]()


def _begin_again() -> None:
    for file in list(_opened):
        file._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)
