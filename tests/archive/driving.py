"""Engines for the tests of packing by one."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engram import archive
from engram.archive import engines
from engram.archive.engines import in_process, pack_by
from engram.archive.ranges import RangeEncoder
from engram.codecs.contract import Codec
from engram.datasets import source
from engram.datasets.source import Reading


class Killed(BaseException):
    """Stands for whatever ends a pack in the middle."""


def backwards(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
    """Last range first, each sent to a process and back, and done twice, as when a lost node comes back."""
    for rows in reversed(wanted):
        for _ in range(2):
            pickle.loads(pickle.dumps(work))(rows)
        yield rows


def killed_after(count: int) -> engines.Engine:
    def engine(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        yield from in_process(work, wanted[:count])
        raise Killed

    return engine


def packed_by(
    engine: engines.Engine, data: str, codec: Codec | archive.Coder, path: Path, **options: Any
) -> archive.Packed:
    return pack_by(engine, data, Reading(), source.collection(data), codec, path, **options)


def interrupt(count: int, data: str, codec: Codec, path: Path) -> None:
    with pytest.raises(Killed):
        packed_by(killed_after(count), data, codec, path, block_size=16)
