"""The order of the blocks in a JPEG file's scans, which decoding and encoding have in common. ITU-T T.81, A.2.

`scan_decoder.py` and `scan_encoder.py` code as clauses F, sequential, and G, progressive, have it. They are slow and
plain; `scans.c` gives the same, fast. A block is a list of 64 numbers here, in zigzag order. A symbol of AC has a run
of zeros and the size of the number after it; one of size 0 ends blocks, but for 0xF0, which is 16 zeros.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engram.coding.segments import ZIGZAG, Place, Scan

Coefficients = NDArray[np.int16]
Block = list[int]
ONES = 0x7F
"""What libjpeg fills up a restart interval with."""
SIXTEEN_ZEROS = 0xF0


def _blocks(place: Place, scan: Scan) -> Iterator[list[tuple[int, int, int]]]:
    """The MCUs of a scan: of each block the component's number in the scan, row and column. T.81 A.2."""
    alone = len(scan.parts) == 1
    rows, columns = place.layout.inner[scan.parts[0].component] if alone else place.units
    factors = [(1, 1) if alone else place.layout.sampling[part.component] for part in scan.parts]
    for row in range(rows):
        for column in range(columns):
            yield [
                (i, row * down + y, column * across + x)
                for i, (down, across) in enumerate(factors)
                for y in range(down)
                for x in range(across)
            ]


class ScanCoder:
    """What decoding and encoding have in common: the order of the blocks."""

    def __init__(self, place: Place, coefficients: Sequence[Coefficients]) -> None:
        self.place, self.coefficients = place, coefficients
        self.counts = [Counter[int]() for _ in range(8)]

    def run(self, scan: Scan) -> None:
        names = ["whole"] if not scan.progressive else ["dc", "ac"] if scan.high == 0 else ["dc_bit", "ac_bit"]
        code = getattr(self, names[1 if scan.progressive and scan.first else 0])
        self.scan, self.counts = scan, [Counter[int]() for _ in range(8)]
        self.begin()
        for number, unit in enumerate(_blocks(self.place, scan)):
            if scan.interval and number and number % scan.interval == 0:
                self.end()
                self.restart(number // scan.interval - 1 & 7)
                self.begin()
            for i, row, column in unit:
                plane = self.coefficients[scan.parts[i].component]
                block = plane[row, column, ZIGZAG].tolist()
                code(i, block)
                self.store(plane, row, column, block)
        self.end()

    def begin(self) -> None:
        self.last_dc = [0] * 4
        self.waiting = 0

    def end(self) -> None:
        raise NotImplementedError

    def restart(self, number: int) -> None:
        raise NotImplementedError

    def store(self, plane: Coefficients, row: int, column: int, block: Block) -> None:
        raise NotImplementedError
