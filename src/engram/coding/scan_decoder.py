"""A JPEG file's scans into coefficients, in Python."""

from __future__ import annotations

import re

from engram.coding.huffman import codes, optimal
from engram.coding.scan_coder import ONES, SIXTEEN_ZEROS, Block, Coefficients, ScanCoder
from engram.coding.segments import ZIGZAG, Literal, Place, Scan, Size, Table, Tables
from engram.errors import CorruptData

_INTERVAL_END = re.compile(rb"\xff(?:[^\x00]|\Z)", re.DOTALL)


class Decoder(ScanCoder):
    """Reads a file's scans into coefficients, which are 0 before. Raises CorruptData."""

    def __init__(self, place: Place, coefficients: list[Coefficients], data: bytes) -> None:
        super().__init__(place, coefficients)
        self.planes, self.data, self.at, self.paddings = coefficients, data, 0, bytearray()

    def parts(self) -> tuple[list[Coefficients], bytes, list[bool]]:
        """Coefficients, each interval's padding, and for each table whether libjpeg makes it of the scan after it."""
        made, fresh = list[bool](), dict[int, tuple[int, bytes]]()
        self.symbols: list[dict[str, int]] = [{} for _ in range(8)]
        for step in self.place.plan.steps:
            match step:
                case Scan():
                    self.run(step)
                    for slot, (number, table) in fresh.items():
                        made[number] = optimal(self.counts[slot]) == table
                    fresh = {}
                case Literal():
                    self.at += step.length
                case Size() | Tables():
                    self.at += 4
                case Table():
                    counts = self.data[self.at + 1 : self.at + 17]
                    table = self.data[self.at + 1 : self.at + 17 + sum(counts)]
                    self.symbols[step.slot] = {code: symbol for symbol, code in codes(table).items()}
                    fresh[step.slot] = len(made), table
                    made.append(False)
                    self.at += 1 + len(table)
        return self.planes, bytes(self.paddings), made

    def begin(self) -> None:
        super().begin()
        found = _INTERVAL_END.search(self.data, self.at)
        end = found.start() if found else len(self.data)
        stuffed = self.data[self.at : end].replace(b"\xff\x00", b"\xff")
        self.at, self.taken = end, 0
        self.bits = f"{int.from_bytes(stuffed, 'big'):0{8 * len(stuffed)}b}" if stuffed else ""

    def end(self) -> None:
        left = self.bits[self.taken :]
        if len(left) > 7 or self.waiting:
            raise CorruptData("a scan is longer than its blocks")
        before = self.paddings[-1] if self.paddings else ONES
        # Bits that say the same as those before are written as those are.
        ones = (1 << len(left)) - 1
        bits = int(left or "0", 2)
        self.paddings.append(before if before & ones == bits else ONES if bits == ones else bits)

    def restart(self, number: int) -> None:
        if self.data[self.at : self.at + 2] != bytes([0xFF, 0xD0 + number]):
            raise CorruptData("a restart marker is missing")
        self.at += 2

    def store(self, plane: Coefficients, row: int, column: int, block: Block) -> None:
        if not -32768 <= min(block) <= max(block) <= 32767:
            raise CorruptData("a coefficient is too large")
        plane[row, column, ZIGZAG] = block

    def number(self, size: int) -> int:
        """A number of so many bits, as they are."""
        self.taken += size
        if self.taken > len(self.bits):
            raise CorruptData("a scan is cut")
        return int(self.bits[self.taken - size : self.taken] or "0", 2)

    def signed(self, size: int) -> int:
        value = self.number(size)
        return value if size == 0 or value >> (size - 1) else value - (1 << size) + 1

    def symbol(self, slot: int) -> int:
        for length in range(1, 17):
            symbol = self.symbols[slot].get(self.bits[self.taken : self.taken + length])
            if symbol is not None:
                self.number(length)
                self.counts[slot][symbol] += 1
                return symbol
        raise CorruptData("a scan has a code that is none")

    def dc(self, i: int, block: Block) -> None:
        size = self.symbol(self.scan.parts[i].dc)
        if size > 15:
            raise CorruptData("a coefficient is too large")
        self.last_dc[i] += self.signed(size)
        block[0] = self.last_dc[i] << self.scan.low

    def whole(self, i: int, block: Block) -> None:
        self.dc(i, block)
        self.ac(i, block, first=1)

    def dc_bit(self, _: int, block: Block) -> None:
        block[0] |= self.number(1) << self.scan.low

    def ac(self, i: int, block: Block, first: int = 0) -> None:
        if self.waiting:
            self.waiting -= 1
            return
        k = first or self.scan.first
        while k <= self.scan.last:
            symbol = self.symbol(self.scan.parts[i].ac)
            zeros, size = symbol >> 4, symbol & 15
            if size == 0 and symbol != SIXTEEN_ZEROS:
                if zeros and not self.scan.progressive:
                    raise CorruptData("a scan has a symbol that is none")
                self.waiting = (1 << zeros) - 1 + self.number(zeros)
                return
            k += zeros
            if size and k > self.scan.last:
                raise CorruptData("a block has too many coefficients")
            if size:
                block[k] = self.signed(size) * (1 << self.scan.low)
            k += 1

    def correct(self, block: Block, k: int) -> None:
        if self.number(1):
            block[k] += (1 if block[k] > 0 else -1) << self.scan.low

    def ac_bit(self, i: int, block: Block) -> None:
        k = self.scan.first
        while self.waiting == 0 and k <= self.scan.last:
            symbol = self.symbol(self.scan.parts[i].ac)
            zeros, size = symbol >> 4, symbol & 15
            if size > 1:
                raise CorruptData("a scan has a symbol that is none")
            if size == 0 and zeros < 15:
                self.waiting = (1 << zeros) + self.number(zeros)
                break
            value = (1 if self.number(1) else -1) << self.scan.low if size else 0
            while k <= self.scan.last and (block[k] or zeros):
                if block[k]:
                    self.correct(block, k)
                else:
                    zeros -= 1
                k += 1
            if k <= self.scan.last:
                block[k] = value
            elif value:
                raise CorruptData("a block has too many coefficients")
            k += 1
        if self.waiting:
            self.waiting -= 1
            for rest in range(k, self.scan.last + 1):
                if block[rest]:
                    self.correct(block, rest)
