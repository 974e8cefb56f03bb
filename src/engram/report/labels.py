"""Room for names in a chart: each beside its curve, none on another, as few as possible on a mark or a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

HEIGHT = 13.0
NEAR_MARK, NEAR_LINE = 13.0, 5.0  # so close to another's mark or line, a name would seem to be its
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

    def around(self, room: float) -> Box:
        """The box with room on all sides."""
        return Box(self.left - room, self.top - room, self.right + room, self.bottom + room)

    def holds(self, x: float, y: float) -> bool:
        """Whether a place lies inside."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def inside(self, other: Box) -> bool:
        """Whether it lies in the other."""
        return other.holds(self.left, self.top) and other.holds(self.right, self.bottom)


Pixel = tuple[float, float]


class Line(NamedTuple):
    """A drawn curve: the width of its name in pixels, its marks, and the runs of them that a line joins."""

    width: float
    marks: Sequence[Pixel]
    runs: Sequence[Sequence[Pixel]] = ()


class Place(NamedTuple):
    """Where a name stands, and which of its ends keeps to its mark. spare: it found no room of its own."""

    box: Box
    anchor: str
    spare: bool


def place(lines: Sequence[Line], frame: Box, taken: Sequence[Box] = ()) -> list[Place | None]:
    """The place of each name within the frame; None where there is no mark to stand by, or no place in the frame."""
    trails = [list(_trail(line)) for line in lines]
    boxes = list(taken)
    found: list[Place | None] = []
    for line in lines:
        best: tuple[float, Box, str] | None = None
        for effort, (box, anchor) in enumerate(_candidates(line)):
            if not box.inside(frame):
                continue
            cost = 0.02 * effort + 8 * sum(box.meets(other) for other in boxes)
            cost += sum(
                _cost(box, other.marks, trail, line is other) for other, trail in zip(lines, trails, strict=True)
            )
            if best is None or cost < best[0]:
                best = cost, box, anchor
        if best is None:
            found.append(None)
            continue
        cost, box, anchor = best
        found.append(Place(box, anchor, cost > CROWDED))
        if cost <= CROWDED:
            boxes.append(box)
    return found


def _candidates(line: Line) -> Iterator[tuple[Box, str]]:
    """Beside the last mark, then beside the first, then beside those between."""
    width = line.width
    ends = dict.fromkeys([*line.marks[-1:], *line.marks[:1], *line.marks[-2:0:-1]])
    for x, y in ends:
        for left, anchor in ((x + 8, "start"), (x - width / 2, "middle"), (x - width - 8, "end")):
            for middle in (y - 14, y + 14) if anchor == "middle" else (y, y - 10, y + 10):
                yield Box(left, middle - HEIGHT / 2, left + width, middle + HEIGHT / 2), anchor


def _trail(line: Line) -> Iterator[Pixel]:
    """Places along the lines between marks, close enough together that no name slips between."""
    for (x1, y1), (x2, y2) in (pair for run in line.runs for pair in pairwise(run)):
        steps = int(max(abs(x2 - x1), abs(y2 - y1)) // 5) + 1
        for step in range(1, steps):
            yield x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps


def _cost(box: Box, marks: Sequence[Pixel], trail: Sequence[Pixel], own: bool) -> float:
    """How much a line is in a name's way, crossed by it or so near that the name would seem to be its."""
    if any(box.holds(x, y) for x, y in marks):
        return 2.4
    if any(box.holds(x, y) for x, y in trail):
        return 0.8 if own else 1.2
    if own:
        return 0.0
    if any(box.around(NEAR_MARK).holds(x, y) for x, y in marks):
        return 1.3
    return 0.6 if any(box.around(NEAR_LINE).holds(x, y) for x, y in trail) else 0.0
