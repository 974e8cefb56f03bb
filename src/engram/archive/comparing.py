"""What tells two archives apart, picture by picture: `engram diff`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engram.archive.archive import Archive
from engram.archive.opening import open
from engram.datasets.progress import Progress
from engram.storage import Location

_AT_ONCE_BYTES = 1 << 25


@dataclass(frozen=True)
class Difference:
    """Paths, or indices where pictures have no paths: what is in the second archive only, in the first only, and what
    has other pixels, or other values in columns that both have.
    """

    added: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    described_otherwise: tuple[str, ...]
    same: int

    @property
    def is_none(self) -> bool:
        """Whether the archives hold the same pictures, described alike."""
        return not (self.added or self.gone or self.changed or self.described_otherwise)


def diff(first: Location, second: Location, progress: Progress | None = None) -> Difference:
    """Compares the pictures of two archives by their paths, or by their order where one has no paths."""
    with open(first) as before, open(second) as after:
        old, new = _rows_by_name(before, after), _rows_by_name(after, before)
        both = [name for name in old if name in new]
        rows = np.array([[old[name], new[name]] for name in both], np.int64).reshape(-1, 2)
        changed, otherwise = np.zeros(len(both), bool), np.zeros(len(both), bool)
        for start, stop in _cuts(before, len(both)):
            pairs = zip(before.gather(rows[start:stop, 0]), after.gather(rows[start:stop, 1]), strict=True)
            changed[start:stop] = [not np.array_equal(a, b) for a, b in pairs]
            if progress:
                progress(stop, len(both))
        for name in set(before.column_names) & set(after.column_names) - {"path"}:
            columns = before.column(name, rows[:, 0]), after.column(name, rows[:, 1])
            found = [_differ(columns[0].value(row), columns[1].value(row)) for row in range(len(both))]
            otherwise |= np.array(found, bool)
        return Difference(
            tuple(name for name in new if name not in old),
            tuple(name for name in old if name not in new),
            tuple(name for name, is_so in zip(both, changed.tolist(), strict=True) if is_so),
            tuple(name for name, is_so in zip(both, (otherwise & ~changed).tolist(), strict=True) if is_so),
            int((~changed & ~otherwise).sum()),
        )


def _differ(one: Any, other: Any) -> bool:
    return bool(one != other and (one == one or other == other))  # noqa: PLR0124 - NaN is the same as NaN


def _rows_by_name(archive: Archive, other: Archive) -> dict[str, int]:
    if archive.paths is None or other.paths is None:
        return {str(row): row for row in range(len(archive))}
    return {path: row for row, path in enumerate(archive.iterate_paths() or ())}


def _cuts(archive: Archive, count: int) -> Iterator[tuple[int, int]]:
    largest = int(archive.sizes.prod(axis=1).max(initial=1)) * 8
    step = max(1, _AT_ONCE_BYTES // largest)
    return ((start, min(start + step, count)) for start in range(0, count, step))
