"""A JPEG file into its quantised DCT coefficients and what else rebuilds it byte for byte, and back.

    data --parse--> skeleton, size, loose, coefficients --emit--> data

The skeleton is the file without its entropy-coded data. Files that one encoder wrote with the same settings have the
same skeleton: it has no height and width, and none of the Huffman tables that follow from the coefficients.

An encoder may choose how it codes (ITU-T T.81 clauses F and G). libjpeg's choice is made here, and a file of another
choice is not rebuilt. `scans.c` codes where it was compiled, and `scan_decoder.py` and `scan_encoder.py`
give the same where it was not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np

from engram.coding import segments
from engram.coding.scan_coder import ONES, Coefficients
from engram.coding.scan_decoder import Decoder
from engram.coding.scan_encoder import Encoder
from engram.coding.segments import Layout, Place
from engram.errors import CorruptData, EngramError

MOST_BYTES = 1 << 30
"""Of a file that is written."""
_CORRUPT = -1


class NotRebuilt(EngramError):
    """A file that is not rebuilt from its coefficients: of another kind, cut, or coded in an unusual way."""


@dataclass(frozen=True, eq=False)
class Scans:
    """What a JPEG file is parsed into."""

    skeleton: bytes
    """All segments, and what comes after the last scan."""
    size: tuple[int, int]
    """Height, width."""
    loose: bytes
    """b"" for ordinary files; else the bits that fill up restart intervals, a byte for each, the last one repeated."""
    coefficients: list[Coefficients]
    """Of each component int16[rows, columns, 64], blocks in row-major order, filled up to whole MCUs."""


@cache
def library() -> ctypes.CDLL | None:
    """The compiled code, or None where there is none."""
    found = find_spec("engram.coding._scans")
    code = ctypes.CDLL(found.origin) if found and found.origin else None
    if code:
        p, n = ctypes.c_void_p, ctypes.c_int64
        code.engram_scans_decode.argtypes = [p, n, p, p, n, p, p, p]
        code.engram_scans_encode.argtypes = [p, n, p, p, p, p, n, p, p, n]
        code.engram_scans_encode.restype = n
    return code


def parse(data: bytes) -> Scans:
    """A JPEG file's parts, from which `emit` was seen to give the same bytes. Raises NotRebuilt."""
    try:
        parts, size = segments.split(data)
        coefficients, paddings, made = _decode(segments.place(segments.join(parts), size), data)
        skeleton = segments.join(parts, made)
        # Ones are what is meant where nothing is said.
        loose = paddings.rstrip(paddings[-1:]) + paddings[-1:]
        loose = b"" if loose == bytes([ONES]) else loose
        if emit(skeleton, size, loose, coefficients) != data:
            raise CorruptData("it is coded in another way than libjpeg codes")
    except CorruptData as error:
        raise NotRebuilt(f"a JPEG file is not rebuilt from its coefficients: {error}") from None
    return Scans(skeleton, size, loose, coefficients)


def emit(skeleton: bytes, size: tuple[int, int], loose: bytes, coefficients: Sequence[Coefficients]) -> bytes:
    """The file. Raises CorruptData for a skeleton that is none, or that cannot hold the coefficients."""
    place = segments.place(skeleton, size)
    grids = place.layout.grids
    if [array.shape for array in coefficients] != [(*grid, 64) for grid in grids]:
        raise CorruptData(f"the components of a JPEG file must have blocks of 64, in grids {grids}")
    if any(array.dtype != np.int16 for array in coefficients):
        raise CorruptData("the coefficients of a JPEG file must be int16")
    code = library()
    if code is None:
        return Encoder(place, coefficients, loose).file()
    arrays = [np.ascontiguousarray(array) for array in coefficients]
    program, text = place.program, place.plan.text
    sides = b"".join(side.to_bytes(2, "big") for side in size)
    capacity = len(text) + 64 * sum(rows * columns for rows, columns in grids) + (1 << 14)
    length = None
    while length is None or length < 0:
        out = np.empty(capacity, np.uint8)
        length = code.engram_scans_encode(
            *(program.ctypes.data, len(program), place.geometry.ctypes.data, text, sides, loose, len(loose)),
            *(_pointers(arrays), out.ctypes.data, capacity),
        )
        if length == _CORRUPT:
            raise CorruptData("the tables of a JPEG file have no code for its coefficients")
        if length < 0 and capacity > MOST_BYTES:
            raise CorruptData("a JPEG file is longer than is taken")
        capacity *= 4
    return out[:length].tobytes()


def layout(skeleton: bytes, size: tuple[int, int]) -> Layout:
    """What a reader needs before it has the coefficients. Raises CorruptData."""
    return segments.place(skeleton, size).layout


def _decode(place: Place, data: bytes) -> tuple[list[Coefficients], bytes, list[bool]]:
    """Coefficients, each interval's padding, and for each table whether libjpeg makes it of the scan after it."""
    coefficients = [np.zeros((*grid, 64), np.int16) for grid in place.layout.grids]
    code = library()
    if code is None:
        return Decoder(place, coefficients, data).parts()
    program, paddings = place.program, ctypes.create_string_buffer(place.intervals)
    made = ctypes.create_string_buffer(len(place.plan.steps))
    failed = code.engram_scans_decode(
        *(program.ctypes.data, len(program), place.geometry.ctypes.data, data, len(data)),
        *(_pointers(coefficients), paddings, made),
    )
    if failed:
        raise CorruptData("a scan has another length or other codes than it must")
    return coefficients, paddings.raw, [flag == 1 for flag in made.raw]


def _pointers(arrays: list[Coefficients]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * 4)(*[array.ctypes.data for array in arrays])
