"""What is known before each decision about JPEG coefficients, and the chance that follows: all in whole numbers.

`code` is what `coefficients.c` does, several hundred times as slow, in the same steps. It takes the place of the
compiled code where there is no compiler, and is the reference: tests compare both, bit for bit.

Files are coded one after the other, in a file its components, in a component its blocks, row by row. Of a block, first
the place of its last coefficient that is not 0 in zigzag order is coded, then the coefficients from there down to DC.
Each is made of decisions: its magnitude's length in bits, one decision for each bit more; the bits below the highest;
the sign. Of DC, the difference from what the neighbours' borders tell is coded, modulo 2^16.

How a decision is coded, `mixing.py` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.codecs.jpeg.mixing import (
    BY_NEAR,
    BY_OTHER,
    BY_PLACE,
    BY_SIZE,
    LAST,
    LAST_BY_NEAR,
    LAST_BY_OTHER,
    LAST_SET,
    LOW_BY_BORDER,
    LOW_BY_SIZE,
    LOW_SET,
    NODES,
    SIGN_BY_BORDER,
    SIGN_BY_BORDERS,
    SIGN_SET,
    Coder,
    State,
    within,
)

_ORDER = """0 1 8 16 9 2 3 10 17 24 32 25 18 11 4 5 12 19 26 33 40 48 41 34 27 20 13 6 7 14 21 28
35 42 49 56 57 50 43 36 29 22 15 23 30 37 44 51 58 59 52 45 38 31 39 46 53 60 61 54 47 55 62 63"""
ORDER = [int(place) for place in _ORDER.split()]
RANK = [ORDER.index(place) for place in range(64)]
_NEAR = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0), (2, 2), (-1, 1), (1, -1))
"""(vertical, horizontal) steps to coefficients of the same block that are known, if their rank is higher."""
_EDGE = (2896, 4201, 4449, 4667, 4634, 4163, 3173, 1722)
"""8192 c(k) (1.3 cos(k pi / 16) - 0.3 cos(3 k pi / 16)), c(0) = sqrt(1/8), else 1/2: what a coefficient of frequency k
adds to the border of its block, as its two outermost samples continue."""
_ZONE_ENDS = (1, 3, 6, 10, 15, 21, 36, 64)
ZONES = [sum(rank >= end for end in _ZONE_ENDS) for rank in range(64)]


@dataclass
class _Plane:
    rows: int
    columns: int
    steps: list[int]
    blocks: list[list[int]]
    lasts: list[int]


def code(state: State, data: bytes | None, forms: NDArray[np.int32], blocks: NDArray[np.int16]) -> Coder:
    """Codes int16[blocks, 64] of files, or decodes them from data into zeros; state and blocks are changed.

    forms: of each file the number of components, and of each its rows, columns and 64 steps.
    """
    coder, at, form = Coder(state, data), 0, forms.tolist()
    done = 0
    while at < len(form):
        planes = []
        for start in range(at + 1, at + 1 + 66 * form[at], 66):
            rows, columns = form[start : start + 2]
            own = blocks[done : done + rows * columns].tolist()
            planes.append(_Plane(rows, columns, form[start + 2 : start + 66], own, []))
            _plane(coder, planes)
            blocks[done : done + rows * columns] = own
            done += rows * columns
        at += 1 + 66 * form[at]
    state.chances[:], state.counts[:], state.weights[:] = coder.chances, coder.counts, coder.weights
    state.scales[:] = np.array(coder.scales).reshape(state.scales.shape)
    return coder


def _plane(coder: Coder, planes: list[_Plane]) -> None:
    """The blocks of the last of the planes of a file."""
    own, luma = planes[-1], planes[0] if len(planes) > 1 else None
    before = (
        planes[-2] if len(planes) > 2 and (planes[-2].rows, planes[-2].columns) == (own.rows, own.columns) else None
    )
    for at in range(own.rows * own.columns):
        row, column = divmod(at, own.columns)
        around = _Around(min(len(planes) - 1, 2), (row > 0) + 2 * (column > 0))
        if row:
            above = at - own.columns
            around.above, around.above_last = own.blocks[above], own.lasts[above]
            around.above_left = own.blocks[above - 1] if column else _ZEROS
            around.above_right = own.blocks[above + 1] if column + 1 < own.columns else _ZEROS
        if column:
            around.left, around.left_last = own.blocks[at - 1], own.lasts[at - 1]
        if luma:
            # Up to two rows and two columns of the blocks that lie where this one lies
            top, side = row * luma.rows // own.rows, column * luma.columns // own.columns
            bottom, end = ((row + 1) * luma.rows - 1) // own.rows, ((column + 1) * luma.columns - 1) // own.columns
            there = [
                i * luma.columns + j
                for i in range(top, min(bottom + 1, top + 2))
                for j in range(side, min(end + 1, side + 2))
            ]
            around.luma = [luma.blocks[i] for i in there]
            around.other = sum(luma.lasts[i] for i in there) // len(there)
        if around.kind == 2:
            around.other = before.lasts[at] if before else 0
            around.before = before.blocks[at] if before else _ZEROS
        own.lasts.append(_block(coder, own.steps, around, own.blocks[at]))


_ZEROS = [0] * 64


class _Around:
    """What is known of a block before it is coded.

    kind: 0 to 2, the component; more count as 2. have: 1, there is a block above; 2, one to the left; 3, both.
    other: the last place of the blocks of the component before.
    """

    def __init__(self, kind: int, have: int) -> None:
        self.kind, self.have, self.other = kind, have, 0
        self.above = self.left = self.above_left = self.above_right = self.before = _ZEROS
        self.above_last = self.left_last = 0
        self.luma: list[list[int]] = []


def _last(coder: Coder, around: _Around, last: int) -> int:
    """The place, 0 to 63, of a block's last coefficient that is not 0: six decisions, the highest bit first."""
    kind, near = around.kind, around.above_last + around.left_last
    if around.have == 3:
        near = (near + 1) // 2
    node = 1
    for i in reversed(range(6)):
        slots = [
            LAST_BY_NEAR + ((kind * 4 + around.have) * 22 + near // 3) * 64 + node,
            LAST_BY_OTHER + (kind * 16 + around.other // 4) * 64 + node,
            LAST + kind * 64 + node,
        ]
        node = 2 * node + coder.mixed(last >> i & 1, slots, [], LAST_SET + kind)
    return node - 64


def _block(coder: Coder, steps: list[int], around: _Around, values: list[int]) -> int:
    """Codes a block, or decodes it into zeros; gives the place of its last coefficient that is not 0."""
    kind, chroma, have, total = around.kind, int(around.kind > 0), around.have, 0
    last = max((rank for rank in range(64) if values[ORDER[rank]]), default=0)
    last = _last(coder, around, last)
    # What the neighbours add to the border that they share with this block, less what this block is known to add
    from_above, from_left = _border(around.above, steps, 0), _border(around.left, steps, 1)
    for rank in range(last, -1, -1):
        place = ORDER[rank]
        v, u = divmod(place, 8)
        group, step, edge_v, edge_u = 2 * chroma + (rank == 0), steps[place], _EDGE[v], _EDGE[u]
        # What the borders tell of this coefficient, in quarters of a step
        by_above = within(_divided(4 * from_above[u], edge_v * step), 1 << 17) if have & 1 else 0
        by_left = within(_divided(4 * from_left[v], edge_u * step), 1 << 17) if have & 2 else 0
        border = _divided(by_above + by_left, 2) if have == 3 else by_above + by_left
        expected = 0 if rank else _divided(border + (-2 if border < 0 else 2), 4)
        value = _wrapped(values[place] - expected)
        # Its expected size, in 1/16: a weighted sum of the sizes of what is near
        near = [
            values[8 * (v + i) + u + j] if 0 <= v + i < 8 and 0 <= u + j < 8 and RANK[8 * (v + i) + u + j] > rank else 0
            for i, j in _NEAR
        ]
        luma, before = sum(abs(block[place]) for block in around.luma), around.before[place]
        sizes = [*near, around.above[place], around.left[place], around.above_left[place], around.above_right[place]]
        sizes += [luma // len(around.luma) if around.luma else 0, before]
        told = [border, by_above, by_left] if rank else [by_above - by_left if have == 3 else 0, 0, 0]
        features = [16 * min(abs(size), 255) for size in sizes] + [4 * min(abs(size), 1020) for size in told] + [16]
        scales = coder.scales[kind * 64 + rank]
        size = min(max(sum(a * b for a, b in zip(features, scales, strict=True)) >> 16, 1), 4095)
        fine = _quarters(size)
        # Its length, by a decision for each bit more; where it is known not to be 0, from 1 on
        other = min(_halves(total if kind == 0 else luma if kind == 1 else 2 * abs(before)), 15)
        small = [min(abs(number), 3) for number in near[:3]]
        slots = [
            BY_SIZE + (group * 48 + fine) * NODES,
            BY_PLACE + (chroma * 64 + rank) * NODES,
            BY_NEAR + (group * 64 + small[0] * 16 + small[1] * 4 + small[2]) * NODES,
            BY_OTHER + (((2 * kind + (rank == 0)) * 16 + other) * 12 + min(fine // 4, 11)) * NODES,
        ]
        first = int(rank > 0 and rank == last)
        found, length = _magnitude(coder, abs(value), first, group, rank, slots, fine, min(_halves(abs(border)), 23))
        if found:
            sized = chroma * 4 + min(length, 3)
            told = [border, by_above, by_left] if rank else [0, 0, 0]
            signs = [
                SIGN_BY_BORDER + ((ZONES[rank] * 2 + chroma) * 4 + min(length, 3)) * 21 + _towards(told[0], 10),
                SIGN_BY_BORDERS + (sized * 15 + _towards(told[1], 7)) * 15 + _towards(told[2], 7),
            ]
            clues = [16 * by_above, 16 * by_left]
            clues += [64 * number for number in (before, around.above[place], around.left[place], *near[:10])]
            logits = [within(clue, 1024) for clue in clues] if rank else []
            if coder.mixed(int(value < 0), signs, logits, SIGN_SET + chroma * 64 + rank):
                found = -found
        # What was seen teaches the weights of the expected size
        seen = 16 * min(abs(found), 255)
        slope = within(_divided((seen - size) * 65536, (size + 8) ** 2), 4096)
        for i, feature in enumerate(features):
            scales[i] = within(scales[i] + (slope * feature >> 11), 1 << 20)
        values[place] = _wrapped(found + expected)
        from_above[u] -= values[place] * step * edge_v
        from_left[v] -= values[place] * step * edge_u
        total += min(abs(values[place]), 255)
    return last


def _magnitude(
    coder: Coder, magnitude: int, first: int, group: int, rank: int, slots: list[int], fine: int, border: int
) -> tuple[int, int]:
    """(a magnitude, its length in bits, which is `first` at least)."""
    length, more = first, 1
    while more and length < 16:
        node = min(length, NODES - 1)
        chosen = (group * 8 + ZONES[rank]) * 6 + min(length, 5)
        more = coder.mixed(int(length < magnitude.bit_length()), [slot + node for slot in slots], [], chosen)
        length += more
    # The bits below the highest: two of them by contexts, the others with even chances
    found, node = int(length > 0), 0
    for i in reversed(range(length - 1)):
        bit = magnitude >> i & 1
        if node < 3:
            context = (group * 17 + length) * 3 + node
            lower = [LOW_BY_SIZE + context * 48 + fine, LOW_BY_BORDER + context * 24 + border]
            bit = coder.mixed(bit, lower, [], LOW_SET + length)
        else:
            bit = coder.decide(bit, 1 << 15)
        node, found = 2 * node + 1 + bit, 2 * found + bit
    return found, length


def _border(values: list[int], steps: list[int], across: int) -> list[int]:
    """Of a block's lower border the eight sums for each horizontal frequency, or across, of its right border."""
    sums = [0] * 8
    for place, value in enumerate(values):
        if value:
            k, along = divmod(place, 8)[::-1] if across else divmod(place, 8)
            sums[along] += (-value if k % 2 else value) * steps[place] * _EDGE[k]
    return sums


def _divided(number: int, by: int) -> int:
    """The quotient, toward zero."""
    return number // by if number >= 0 else -(-number // by)


def _wrapped(number: int) -> int:
    """The number modulo 2^16, -32768 to 32767."""
    return (number + 32768) % 65536 - 32768


def _halves(number: int) -> int:
    """A number's place on a scale of two steps to each doubling."""
    bits = number.bit_length()
    return number if number < 4 else 2 * bits - 2 + (number >> bits - 2 & 1)


def _quarters(number: int) -> int:
    """A number's place on a scale of four steps to each doubling."""
    bits = number.bit_length()
    return number if number < 4 else 4 * bits - 8 + (number >> bits - 3 & 3)


def _towards(number: int, most: int) -> int:
    """A number's place, 0 to 2 * most, on the scale of `_halves` to both sides."""
    steps = min(_halves(abs(number)), most)
    return most - steps if number < 0 else most + steps
