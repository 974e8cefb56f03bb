"""Room for names in a chart: each beside its curve, none on another, as few as possible on a mark or a line."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

HEIGHT = 13.0
NEAR_MARK, NEAR_LINE = 13.0, 5.0  # so close to another's mark or line, a name would seem to be its
MARK = 3.0  # half of one's size
OFFSETS = (
    *(("start", 8, dy) for dy in (0, -10, 10)),
    *(("middle", 0, dy) for dy in (-14, 14)),
    *(("end", -8, dy) for dy in (0, -10, 10)),
    *((anchor, dx, dy) for anchor, dx in (("start", -5), ("end", 5)) for dy in (-15, 15)),
)
"""Where a name may stand: which of its ends, how far from its mark, and the middle of its height, in this order."""
OTHER_ROOMS = 2 * len(OFFSETS)  # beside the last mark and beside the first
CROWDED = 3.0  # the cost from which on a name only confuses


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, x: float, y: float) -> bool:
        """Whether a place lies inside."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def inside(self, other: Box) -> bool:
        """Whether it lies in the other."""
        return other.holds(self.left, self.top) and other.holds(self.right, self.bottom)


Pixel = tuple[float, float]


class Line(NamedTuple):
    """A drawn curve: the width of its name in pixels, its marks, the runs of them that a line joins, its colour."""

    width: float
    marks: Sequence[Pixel]
    runs: Sequence[Sequence[Pixel]] = ()
    hue: str = ""


class Room(NamedTuple):
    """Where a name may stand, and which of its ends keeps to its mark."""

    box: Box
    anchor: str


class Place(NamedTuple):
    """Rooms for a name, the best first, then some that may be better when lines are gone. spare: none is good."""

    rooms: tuple[Room, ...]
    spare: bool


def place(lines: Sequence[Line], frame: Box, taken: Sequence[Box] = ()) -> list[Place | None]:
    """The place of each name within the frame; None where there is no mark to stand by, or no room in the frame."""
    courses = [_Course(line, sorted(line.marks), sorted(_trail(line))) for line in lines]
    boxes = list(taken)
    found: list[Place | None] = []
    for line in lines:
        rooms = [room for room in _rooms(line) if room.box.inside(frame)]
        costs = [
            0.02 * effort
            + 8 * sum(room.box.meets(other) for other in boxes)
            + sum(_cost(room.box, line, other) for other in courses)
            for effort, room in enumerate(rooms)
        ]
        if not rooms:
            found.append(None)
            continue
        cost = min(costs)
        best = rooms[costs.index(cost)]
        found.append(Place((best, *rooms[:OTHER_ROOMS]), cost > CROWDED))
        if cost <= CROWDED:
            boxes.append(best.box)
    return found


def _rooms(line: Line) -> Iterator[Room]:
    """Beside the last mark, then beside the first, then beside those between."""
    ends = dict.fromkeys([*line.marks[-1:], *line.marks[:1], *line.marks[-2:0:-1]])
    for x, y in ends:
        for anchor, dx, dy in OFFSETS:
            left = x + dx - line.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
            top = y + dy - HEIGHT / 2
            yield Room(Box(left, top, left + line.width, top + HEIGHT), anchor)


def _trail(line: Line) -> Iterator[Pixel]:
    """Places along the lines between marks, close enough together that no name slips between."""
    for (x1, y1), (x2, y2) in (pair for run in line.runs for pair in pairwise(run)):
        steps = int(max(abs(x2 - x1), abs(y2 - y1)) // 5) + 1
        for step in range(1, steps):
            yield x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps


class _Course(NamedTuple):
    """A line with its marks, and the places along it, from left to right."""

    line: Line
    marks: list[Pixel]
    trail: list[Pixel]


def _near(places: list[Pixel], box: Box, room: float) -> list[Pixel]:
    """Those of the places, which are in order, that lie in the box with room around it."""
    left, top, right, bottom = box.left - room, box.top - room, box.right + room, box.bottom + room
    some = places[bisect_left(places, (left, -math.inf)) : bisect_right(places, (right, math.inf))]
    return [place for place in some if top <= place[1] <= bottom]


def _cost(box: Box, line: Line, other: _Course) -> float:
    """How much another line is in a name's way, or so near that the name would seem to be its; the same for its own."""
    marks, trail = _near(other.marks, box, NEAR_MARK), _near(other.trail, box, NEAR_LINE)
    if not marks and not trail:
        return 0.0
    if _near(marks, box, MARK):
        return 4.0
    if _near(trail, box, 0.0):
        return 0.8 if line is other.line else 1.2
    if line is other.line:
        return 0.0
    return (1.3 if marks else 0.6) * (1.0 if line.hue == other.line.hue else 0.3)
