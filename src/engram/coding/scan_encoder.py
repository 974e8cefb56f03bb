"""Coefficients into a JPEG file's scans, in Python: as libjpeg chooses where an encoder may."""

from __future__ import annotations

from collections.abc import Sequence

from engram.coding.huffman import codes, optimal
from engram.coding.scan_coder import ONES, SIXTEEN_ZEROS, Block, Coefficients, ScanCoder
from engram.coding.segments import Literal, Place, Scan, Size, Table, Tables
from engram.errors import CorruptData

_LONGEST_RUN = 0x7FFF
_MOST_PENDING = 1000 - 64 + 1
"""How many blocks, and correction bits, wait in libjpeg before they are coded."""


class Encoder(ScanCoder):
    """Writes a file as libjpeg does. Raises CorruptData."""

    def __init__(self, place: Place, coefficients: Sequence[Coefficients], loose: bytes) -> None:
        super().__init__(place, coefficients)
        self.loose, self.out = loose or bytes([ONES]), bytearray()
        self.codes: dict[int, dict[int, str]] = {}
        self.counting, self.intervals = False, 0

    def file(self) -> bytes:
        text, at, segment = self.place.plan.text, 0, 0
        for number, step in enumerate(self.place.plan.steps):
            match step:
                case Scan():
                    if any(slot not in self.codes for slot in step.slots):
                        raise CorruptData("a Huffman table is missing")
                    self.run(step)
                case Literal():
                    self.out += text[at : at + step.length]
                    at += step.length
                case Size():
                    self.out += b"".join(side.to_bytes(2, "big") for side in self.place.layout.size)
                case Tables():
                    segment = len(self.out)
                    self.out += b"\xff\xc4\x00\x02"
                case Table():
                    end = at + 1 if step.made else at + 17 + sum(text[at + 1 : at + 17])
                    table = self.made(number, step.slot) if step.made else text[at + 1 : end]
                    self.codes[step.slot] = codes(table)
                    self.out += text[at : at + 1] + table
                    at, length = end, len(self.out) - segment - 2
                    if length > 65535:
                        raise CorruptData("a segment of tables is too long")
                    self.out[segment + 2 : segment + 4] = length.to_bytes(2, "big")
        return bytes(self.out)

    def made(self, number: int, slot: int) -> bytes:
        """The table that libjpeg makes of the scan that comes next after a step."""
        scan = next((step for step in self.place.plan.steps[number:] if isinstance(step, Scan)), None)
        if scan is None:
            raise CorruptData("a Huffman table is made of no scan")
        self.counting = True
        self.run(scan)
        self.counting = False
        table = optimal(self.counts[slot])
        if not table:
            raise CorruptData("a Huffman table is made of no symbols")
        return table

    def begin(self) -> None:
        super().begin()
        self.bits, self.corrections = list[str](), list[int]()

    def end(self) -> None:
        self.put_run()
        if self.counting:
            return
        bits = "".join(self.bits)
        missing = -len(bits) % 8
        filling = self.loose[min(self.intervals, len(self.loose) - 1)] & ((1 << missing) - 1)
        bits += f"{filling:0{missing}b}" if missing else ""
        self.out += int(bits or "0", 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
        self.intervals += 1

    def restart(self, number: int) -> None:
        if not self.counting:
            self.out += bytes([0xFF, 0xD0 + number])

    def store(self, plane: Coefficients, row: int, column: int, block: Block) -> None:
        """Encoding changes no coefficient."""

    def symbol(self, slot: int, symbol: int, bits: str = "") -> None:
        self.counts[slot][symbol] += 1
        if not self.counting:
            code = self.codes[slot].get(symbol)
            if code is None:
                raise CorruptData("a Huffman table has no code for a coefficient")
            self.bits += code, bits

    def number(self, slot: int, zeros: int, number: int) -> None:
        size = abs(number).bit_length()
        if size > 15:
            raise CorruptData("a coefficient is too large")
        bits = f"{number if number > 0 else number + (1 << size) - 1:0{size}b}" if size else ""
        self.symbol(slot, zeros << 4 | size, bits)

    def dc(self, i: int, block: Block) -> None:
        value = block[0] >> self.scan.low
        self.number(self.scan.parts[i].dc, 0, value - self.last_dc[i])
        self.last_dc[i] = value

    def whole(self, i: int, block: Block) -> None:
        self.dc(i, block)
        if self.coded(self.scan.parts[i].ac, block, 1):
            self.symbol(self.scan.parts[i].ac, 0)

    def coded(self, slot: int, block: Block, first: int) -> int:
        """Codes the coefficients up to the last that is not 0. How many are left."""
        zeros = 0
        for k in range(first, self.scan.last + 1):
            size = abs(block[k]) >> self.scan.low
            zeros += 1
            if size:
                self.put_run()
                for _ in range((zeros - 1) // 16):
                    self.symbol(slot, SIXTEEN_ZEROS)
                self.number(slot, (zeros - 1) % 16, size if block[k] > 0 else -size)
                zeros = 0
        return zeros

    def dc_bit(self, _: int, block: Block) -> None:
        self.bits.append(str(block[0] >> self.scan.low & 1))

    def ac(self, i: int, block: Block) -> None:
        if self.coded(self.scan.parts[i].ac, block, self.scan.first):
            self.waiting += 1
            if self.waiting == _LONGEST_RUN:
                self.put_run()

    def put_run(self) -> None:
        """Codes that the blocks that wait have ended, and their correction bits."""
        if self.waiting:
            size = self.waiting.bit_length() - 1
            self.symbol(self.scan.parts[0].ac, size << 4, f"{self.waiting:b}"[1:])
            self.bits += map(str, self.corrections)
            self.waiting, self.corrections = 0, []

    def ac_bit(self, i: int, block: Block) -> None:
        slot, zeros, own = self.scan.parts[i].ac, 0, list[int]()
        sizes = [abs(value) >> self.scan.low for value in block]
        band = range(self.scan.first, self.scan.last + 1)
        end = max((k for k in band if sizes[k] == 1), default=0)
        for k in band:
            if sizes[k] == 0:
                zeros += 1
                continue
            while zeros > 15 and k <= end:
                self.put_run()
                self.symbol(slot, SIXTEEN_ZEROS)
                self.bits += map(str, own)
                zeros, own = zeros - 16, []
            if sizes[k] > 1:
                own.append(sizes[k] & 1)
                continue
            self.put_run()
            self.symbol(slot, zeros << 4 | 1, "1" if block[k] > 0 else "0")
            self.bits += map(str, own)
            zeros, own = 0, []
        if zeros or own:
            self.waiting += 1
            self.corrections += own
            if self.waiting == _LONGEST_RUN or len(self.corrections) > _MOST_PENDING:
                self.put_run()
