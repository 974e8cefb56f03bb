"""A decision of 0 or 1, coded by a chance that is mixed of several: all in whole numbers.

A decision's chance is mixed of chances that slots tell. A slot is a 16-bit chance of a 1, and a count of what it has
seen; which slots take part follows from what is known. Their logits, in 1/256, are summed with the weights of the
decision's set, in 1/2^16, and slots and weights learn from what was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

NODES, INPUTS, FEATURES, MOST_COUNT = 12, 20, 22, 255

_SHAPES = (
    *((4, 48, NODES), (128, NODES), (4, 64, NODES), (6, 16, 12, NODES)),
    *((4, 17, 3, 48), (4, 17, 3, 24), (8, 2, 4, 21), (2, 4, 15, 15)),
    *((3, 4, 22, 64), (3, 16, 64), (3, 64)),
)
"""Of the tables of slots, in the order in which they lie one after the other."""
_STARTS = np.cumsum([0, *(int(np.prod(shape)) for shape in _SHAPES)]).tolist()
BY_SIZE, BY_PLACE, BY_NEAR, BY_OTHER, LOW_BY_SIZE, LOW_BY_BORDER, SIGN_BY_BORDER, SIGN_BY_BORDERS = _STARTS[:8]
LAST_BY_NEAR, LAST_BY_OTHER, LAST, SLOTS = _STARTS[8:]
SIGN_SET, LOW_SET, LAST_SET, SETS = 192, 320, 337, 340
"""Where the sets of weights of signs, lower bits and last places begin, and how many sets there are."""

_LOGISTIC = """22 36 60 98 162 267 439 720 1179 1921 3108 4971 7812 11955 17625 24743 32768 40793 47911 53581 57724
60565 62428 63615 64357 64816 65097 65269 65374 65438 65476 65500 65514"""
"""2^16 / (1 + exp(-k / 2)), k from -16 to 16"""


@cache
def squashed() -> NDArray[np.uint16]:
    """uint16[4095]: chances, over 2^16, of logits -2047 to 2047, over 256: straight lines between 33 points."""
    points = np.array(_LOGISTIC.split(), np.int64)
    logits = np.arange(1, 4096)
    left, part = logits >> 7, logits & 127
    chances: NDArray[np.uint16] = (points[left] * (128 - part) + points[left + 1] * part >> 7).astype(np.uint16)
    return chances


@cache
def stretched() -> NDArray[np.int16]:
    """int16[4096]: of chance 16 k + 8 the least logit whose chance is no less, or 2047."""
    found = np.searchsorted(squashed(), np.arange(4096) * 16 + 8)
    return np.minimum(found - 2047, 2047).astype(np.int16)


@cache
def rates() -> NDArray[np.int32]:
    """int32[256]: the part of a difference that a slot learns which has seen n decisions: 1 / (n + 1.6), over 2^16."""
    return (5 * 65536 // (5 * np.arange(MOST_COUNT + 1) + 8)).astype(np.int32)


@dataclass(frozen=True, eq=False)
class State:
    """All that learns: chances and counts uint16[SLOTS], weights int32[SETS, 20], scales int32[3, 64, 22]."""

    chances: NDArray[np.uint16]
    counts: NDArray[np.uint16]
    weights: NDArray[np.int32]
    scales: NDArray[np.int32]

    @classmethod
    def default(cls) -> State:
        """What nothing has been learned of."""
        weights = np.zeros((SETS, INPUTS), np.int32)
        weights[:SIGN_SET, :4], weights[SIGN_SET:LAST_SET, :2], weights[LAST_SET:, :3] = 26214, 26214, 26214
        scales = np.zeros((3, 64, FEATURES), np.int32)
        scales[:, :, :2], scales[:, :, 2:10] = 16000, 4000
        return cls(np.full(SLOTS, 1 << 15, np.uint16), np.zeros(SLOTS, np.uint16), weights, scales)

    def copy(self) -> State:
        return State(self.chances.copy(), self.counts.copy(), self.weights.copy(), self.scales.copy())


class Coder:
    """A stream of decisions, written, or read from data. It never fails: after its end, data goes on with zeros.

    The interval [low, high] of 32-bit numbers is cut in two in the ratio of the chances; the lower part is a 1. Upper
    bytes that low and high share are settled.
    """

    def __init__(self, state: State, data: bytes | None) -> None:
        self.low, self.high, self.decoding = 0, 2**32 - 1, data is not None
        self.data = bytearray(data or b"")
        self.point = int.from_bytes(self.data[:4].ljust(4, b"\0"))
        self.at = 4 if self.decoding else 0
        self.chances, self.counts, self.weights = state.chances.tolist(), state.counts.tolist(), state.weights.tolist()
        self.scales = state.scales.reshape(-1, FEATURES).tolist()
        self._stretched, self._squashed, self._rates = stretched().tolist(), squashed().tolist(), rates().tolist()

    def decide(self, bit: int, chance: int) -> int:
        """The decision, which is `bit` where it is written, by the chance of 1, over 2^16."""
        middle = self.low + ((self.high - self.low) * chance >> 16)
        if self.decoding:
            bit = int(self.point <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            if self.decoding:
                self.point = (self.point << 8) % 2**32 | (self.data[self.at] if self.at < len(self.data) else 0)
            else:
                self.data.append(self.high >> 24)
            self.at += 1
            self.low, self.high = (self.low << 8) % 2**32, (self.high << 8) % 2**32 | 255
        return bit

    def mixed(self, bit: int, slots: list[int], more: list[int], chosen: int) -> int:
        """The decision by the chances of slots, and `more` logits, with one of the sets of weights."""
        weights = self.weights[chosen]
        inputs = [*(self._stretched[self.chances[slot] >> 4] for slot in slots), *more, 256]
        total = sum(value * weight for value, weight in zip(inputs, weights, strict=False)) >> 16
        chance = self._squashed[within(total, 2047) + 2047]
        bit = self.decide(bit, chance)
        error = (bit << 16) - chance
        for i, value in enumerate(inputs):
            step = value * error + 32768 >> 16
            weights[i] = within(weights[i] + step, 1 << 20)
        for slot in slots:
            was, count = self.chances[slot], self.counts[slot]
            self.chances[slot] = min(max(was + ((65535 * bit - was) * self._rates[count] >> 16), 16), 65519)
            self.counts[slot] = min(count + 1, MOST_COUNT)
        return bit


def within(number: int, most: int) -> int:
    return min(max(number, -most), most)
