"""The marker segments of a JPEG file, without the entropy-coded data: the skeleton, and the steps that write the file.

ITU-T T.81, annex B, has the segments. In a skeleton the frame's height and width are 0. A Huffman table that follows
from the coefficients is one byte there: its class and slot, and MADE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData

LARGEST_SIDE = 16384
MOST_BLOCKS = 1 << 21
"""Of a picture: 2^28 bytes of coefficients."""
MOST_WORK = 1 << 26
"""Blocks of all scans together."""
MADE = 0x80
_KEPT = 1 << 14
"""Plans of skeletons up to this length are kept for the next file."""
ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))
"""A block's places, row-major, in the order in which they are coded."""
_SOI, _SOS, _DHT, _DQT, _DRI, _PROGRESSIVE = b"\xff\xd8", 0xDA, 0xC4, 0xDB, 0xDD, 0xC2
_FRAMES = {0xC0, 0xC1, _PROGRESSIVE}
"""Baseline and extended sequential too, all with Huffman coding."""
_STEPPED = {_DHT, _SOS, *_FRAMES}
_REFUSED = {0x00, 0x01, *range(0xC3, 0xD9), 0xDC, 0xDE, 0xDF} - {_DHT}
"""Other frames, arithmetic coding, DNL, hierarchical files, and markers that begin no segment."""
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
Parts = list[bytes | list[bytes]]


class Part(NamedTuple):
    """A component of a scan, and the slots of its tables: 0 to 3 for DC, 4 to 7 for AC."""

    component: int
    dc: int
    ac: int


class Literal(NamedTuple):
    """Bytes of the plan's text."""

    length: int


class Size(NamedTuple):
    """Height and width, in four bytes."""


class Tables(NamedTuple):
    """A DHT segment begins, which has the tables that come next."""


class Table(NamedTuple):
    """A table: in the plan's text are its class and slot, and the rest unless it is made."""

    slot: int
    made: bool


class Scan(NamedTuple):
    """The data of a scan: a band of coefficients in zigzag order, of which the `low` lowest bits are left.

    The bits from `high` up were coded before; 0: none were.
    """

    parts: tuple[Part, ...]
    first: int
    last: int
    high: int
    low: int
    interval: int
    progressive: bool

    @property
    def slots(self) -> set[int]:
        """The tables that it is coded with. T.81 G.1.2: the lower bits of DC have none."""
        dc, ac = not self.progressive or not (self.first or self.high), self.last > 0
        return {part.dc for part in self.parts if dc} | {part.ac for part in self.parts if ac}


Step = Literal | Size | Tables | Table | Scan
_STEPS = Literal, Size, Tables, Table, Scan


def _numbers(step: Step) -> list[int]:
    """A step as `scans.c` takes it."""
    kind = _STEPS.index(type(step))
    if not isinstance(step, Scan):
        return [kind, *map(int, step)]
    parts = [number for part in step.parts for number in part]
    return [kind, len(step.parts), *parts, *[0] * (12 - len(parts)), *map(int, step[1:])]


@dataclass(frozen=True, eq=False)
class Layout:
    """What a skeleton and a size say of the components, one entry for each."""

    size: tuple[int, int]
    """Height, width."""
    progressive: bool
    grids: tuple[tuple[int, int], ...]
    """Rows and columns of blocks, filled up to whole MCUs of an interleaved scan."""
    inner: tuple[tuple[int, int], ...]
    """Rows and columns of the blocks that have samples of the picture."""
    sampling: tuple[tuple[int, int], ...]
    """Vertical and horizontal factors; (1, 1) for a component alone, whose scans are never interleaved."""
    steps: tuple[NDArray[np.int64], ...]
    """Quantisation steps [8, 8], row-major: that of the component's first scan."""


@dataclass(eq=False)
class Plan:
    """A skeleton as the steps that write the file."""

    steps: list[Step] = field(default_factory=list)
    text: bytes = b""
    progressive: bool = False
    names: bytes = b""
    """The components' identifiers."""
    chosen: bytes = b""
    """The slots of their quantisation tables."""
    sampling: tuple[tuple[int, int], ...] = ()
    quantisation: tuple[NDArray[np.int64], ...] = ()

    @property
    def scans(self) -> list[Scan]:
        return [step for step in self.steps if isinstance(step, Scan)]


@dataclass(frozen=True, eq=False)
class Place:
    """A plan for pictures of one size."""

    plan: Plan
    layout: Layout
    units: tuple[int, int]
    """Rows and columns of the MCUs of an interleaved scan."""
    intervals: int
    """Restart intervals of all scans."""
    program: NDArray[np.int32]
    geometry: NDArray[np.int32]
    """The plan's steps and the layout, as `scans.c` takes them."""


def split(data: bytes) -> tuple[Parts, tuple[int, int]]:
    """A file without its scans' data and its size, as bytes and the tables of DHT segments. Raises CorruptData."""
    if data[:2] != _SOI:
        raise CorruptData("it is no JPEG file")
    parts: Parts = []
    at, begun, size = 2, 0, (0, 0)
    while segment := _next(data, at):
        at, marker, end = segment
        if marker == _DHT:
            tables = list(_tables(data[at + 4 : end]))
            if any(table[0] & MADE for table in tables):
                raise CorruptData("it has a broken Huffman table")
            parts += [data[begun:at], tables]
            begun = end
        elif marker in _FRAMES:
            size = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            parts += [data[begun : at + 5], bytes(4)]
            begun = at + 9
        elif marker == _SOS:
            parts.append(data[begun:end])
            found = _SCAN_END.search(data, end)
            end = begun = found.start() if found else len(data)
        at = end
    return [*parts, data[begun:]], size


def join(parts: Parts, made: list[bool] | None = None) -> bytes:
    """The skeleton of a file's parts, with the tables that are `made` left out; None: all of them."""
    whole, count = [], 0
    for part in parts:
        if isinstance(part, bytes):
            whole.append(part)
            continue
        left = made[count : count + len(part)] if made else [True] * len(part)
        count += len(part)
        body = b"".join(bytes([t[0] | MADE]) if out else t for t, out in zip(part, left, strict=True))
        whole.append(b"\xff\xc4" + (len(body) + 2).to_bytes(2, "big") + body)
    return b"".join(whole)


def place(skeleton: bytes, size: tuple[int, int]) -> Place:
    """How files of a skeleton and a size are coded. Raises CorruptData."""
    return _place(skeleton, size) if len(skeleton) <= _KEPT else _place.__wrapped__(skeleton, size)


@lru_cache(maxsize=1024)
def _place(skeleton: bytes, size: tuple[int, int]) -> Place:
    plan, (height, width) = (_plan if len(skeleton) <= _KEPT else _plan.__wrapped__)(skeleton), size
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise CorruptData(f"a JPEG file of {height} x {width} pixels is not taken, up to {LARGEST_SIDE} a side are")
    down, across = (max(factors) for factors in zip(*plan.sampling, strict=True))
    units = -(-height // (8 * down)), -(-width // (8 * across))
    grids = tuple((units[0] * v, units[1] * h) for v, h in plan.sampling)
    inner = tuple((-(-height * v // (8 * down)), -(-width * h // (8 * across))) for v, h in plan.sampling)
    work = intervals = 0
    for scan in plan.scans:
        one, alone = scan.parts[0].component, len(scan.parts) == 1
        count = inner[one][0] * inner[one][1] if alone else units[0] * units[1]
        intervals += -(-count // scan.interval) if scan.interval else 1
        work += count * (1 if alone else 10)
    if sum(rows * columns for rows, columns in grids) > MOST_BLOCKS or work > MOST_WORK:
        raise CorruptData("a JPEG file has more blocks or scans than are taken")
    each = [(*inside, grid[1], h, v) for inside, grid, (v, h) in zip(inner, grids, plan.sampling, strict=True)]
    return Place(
        plan,
        Layout(size, plan.progressive, grids, inner, plan.sampling, plan.quantisation),
        units,
        intervals,
        np.array([number for step in plan.steps for number in _numbers(step)], np.int32),
        np.array([*units, *(number for numbers in each for number in numbers)], np.int32),
    )


def _next(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Where the next segment begins, its marker, and where it ends; None at the end of the picture."""
    while data[at : at + 2] == b"\xff\xff":  # fill bytes
        at += 1
    if at == len(data) or data[at : at + 2] == b"\xff\xd9":
        return None
    if len(data) < at + 4 or data[at] != 0xFF:
        raise CorruptData(f"no segment begins at byte {at}")
    marker, end = data[at + 1], at + 2 + (data[at + 2] << 8 | data[at + 3])
    if marker in _REFUSED:
        raise CorruptData(f"the marker FF{marker:02X} is of another kind of JPEG file")
    # A frame's size is read before anything else is known of it.
    if not at + (10 if marker in _FRAMES else 4) <= end <= len(data):
        raise CorruptData(f"the segment at byte {at} is cut")
    return at, marker, end


def _tables(body: bytes) -> Iterator[bytes]:
    """The tables of a DHT segment: class and slot, 16 counts and the symbols; of one that is made, the first byte."""
    at = 0
    while at < len(body):
        end = at + (1 if body[at] & MADE else 17 + sum(body[at + 1 : at + 17]))
        if body[at] & 0x6C or not end <= min(len(body), at + 273):
            raise CorruptData("it has a broken Huffman table")
        yield body[at:end]
        at = end


def _quantisation(body: bytes) -> dict[int, NDArray[np.int64]]:
    """The tables of a DQT segment by their slots, of 8 or 16 bits."""
    tables, at = {}, 0
    while at < len(body):
        wide, end = body[at] >> 4, at + 1 + (64 << (body[at] >> 4))
        if wide > 1 or end > len(body):
            raise CorruptData("it has a broken quantisation table")
        table = np.empty(64, np.int64)
        table[ZIGZAG] = np.frombuffer(body[at + 1 : end], ">u2" if wide else np.uint8)
        table.flags.writeable = False
        tables[body[at] & 15] = table.reshape(8, 8)
        at = end
    return tables


@lru_cache(maxsize=256)
def _plan(skeleton: bytes) -> Plan:
    if skeleton[:2] != _SOI:
        raise CorruptData("a skeleton is of no JPEG file")
    plan, at, begun, interval = Plan(), 2, 0, 0
    tables: dict[int, NDArray[np.int64]] = {}
    latched: dict[int, NDArray[np.int64] | None] = {}
    made = set[Table]()
    texts = []
    while segment := _next(skeleton, at):
        at, marker, end = segment
        body, last = skeleton[at + 4 : end], {_DHT: at, _SOS: end}.get(marker, at + 5)
        if marker in _STEPPED:
            plan.steps.append(Literal(last - begun))
            texts.append(skeleton[begun:last])
        if marker == _DHT:
            plan.steps.append(Tables())
            for table in _tables(body):
                step = Table(table[0] >> 2 & 4 | table[0] & 3, table[0] >= MADE)
                if step in made:
                    raise CorruptData("it has a Huffman table twice before a scan")
                made |= {step} if step.made else set()
                plan.steps.append(step)
                texts.append(bytes([table[0] & ~MADE]) + table[1:])
            begun = end
        elif marker == _DQT:
            tables |= _quantisation(body)
        elif marker == _DRI:
            interval = int.from_bytes(body[:2], "big")
        elif marker in _FRAMES:
            _frame(plan, marker, body)
            begun = at + 9
        elif marker == _SOS:
            scan = _scan(plan, body, interval)
            for component, _, _ in scan.parts:
                latched.setdefault(component, tables.get(plan.chosen[component]))
            plan.steps.append(scan)
            begun, made = end, set()
        at = end
    plan.steps.append(Literal(len(skeleton) - begun))
    plan.text = b"".join([*texts, skeleton[begun:]])
    found = [latched.get(i, tables.get(slot)) for i, slot in enumerate(plan.chosen)]
    plan.quantisation = tuple(table for table in found if table is not None)
    if not plan.scans or len(plan.quantisation) < len(found):
        raise CorruptData("it has no scan, or no quantisation table")
    return plan


def _frame(plan: Plan, marker: int, body: bytes) -> None:
    """The frame's header, T.81 B.2.2, which there is once."""
    if plan.names or body[0] != 8 or not 1 <= body[5] <= 4 or len(body) != 6 + 3 * body[5]:
        raise CorruptData("it has another frame than one of 8 bits and up to 4 components")
    plan.steps.append(Size())
    plan.progressive, plan.names, plan.chosen = marker == _PROGRESSIVE, body[6::3], body[8::3]
    plan.sampling = tuple((factors & 15, factors >> 4) for factors in body[7::3])
    if len(set(plan.names)) < body[5] or not all(1 <= f <= 4 for factors in plan.sampling for f in factors):
        raise CorruptData("it has a broken frame")
    if body[5] == 1:
        plan.sampling = ((1, 1),)


def _scan(plan: Plan, body: bytes, interval: int) -> Scan:
    """A scan's header, and what T.81 B.2.3 and G.1.1.1 ask of it."""
    count = body[0] if body else 0
    if not 1 <= count <= len(plan.names) or len(body) != 4 + 2 * count:
        raise CorruptData("it has a broken scan")
    first, last, bits = body[-3:]
    chosen, slots = body[1:-3:2], body[2:-3:2]
    if not set(chosen) <= set(plan.names) or len(set(chosen)) < count or any(slot & 0xCC for slot in slots):
        raise CorruptData("a scan has components or tables that are none")
    parts = tuple(
        Part(plan.names.index(name), slot >> 4, 4 + (slot & 15)) for name, slot in zip(chosen, slots, strict=True)
    )
    high, low = bits >> 4, bits & 15
    band = last == 0 if first == 0 else first <= last <= 63 and count == 1
    if not (band and max(high, low) <= 13 if plan.progressive else (first, last, bits) == (0, 63, 0)):
        raise CorruptData("a scan has a band that is none")
    if count > 1 and sum(plan.sampling[part.component][0] * plan.sampling[part.component][1] for part in parts) > 10:
        raise CorruptData("a scan has more than ten blocks in a unit")
    return Scan(parts, first, last, high, low, interval, plan.progressive)
