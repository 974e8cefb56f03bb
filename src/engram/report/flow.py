"""Steps as boxes with arrows between them: across a wide page, down a narrow one."""

from __future__ import annotations

import textwrap
from typing import NamedTuple
from xml.etree.ElementTree import Element

from engram.document import Flow
from engram.report.ink import color
from engram.report.svg import document, element, text
from engram.report.wording import label

GAP = 30  # along the arrows
SPACE = 12  # beside them
LINE = 16
LETTER = 6.6  # the usual width of one, in pixels
LEAST_COLUMN = 110
WIDEST_BOX = 190


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


def draw(flow: Flow, width: int) -> str:
    """The flow as SVG."""
    across = width >= LEAST_COLUMN * len(flow.columns)
    boxes = (_across if across else _down)(flow, width)
    arrows = [
        part
        for start, end in flow.arrows
        for part in (_to_the_right if across else _downwards)(boxes[start], boxes[end])
    ]
    steps = [part for step, box in boxes.items() for part in _step(step, box)]
    bottom = max((box.y + box.height for box in boxes.values()), default=0)
    return document(width, bottom + 2, arrows + steps)


def _across(flow: Flow, width: int) -> dict[str, Box]:
    columns = len(flow.columns)
    box_width = min(WIDEST_BOX, (width - 2 - GAP * (columns - 1)) / max(columns, 1))
    box_height = max((_height(step, box_width) for column in flow.columns for step in column), default=0)
    most = max((len(column) for column in flow.columns), default=0)
    left = (width - columns * box_width - (columns - 1) * GAP) / 2
    boxes = {}
    for index, column in enumerate(flow.columns):
        top = 1 + (most - len(column)) * (box_height + SPACE) / 2
        for row, step in enumerate(column):
            y = top + row * (box_height + SPACE)
            boxes[step] = Box(left + index * (box_width + GAP), y, box_width, box_height)
    return boxes


def _down(flow: Flow, width: int) -> dict[str, Box]:
    boxes = {}
    y = 1.0
    for column in flow.columns:
        steps = len(column)
        box_width = min(WIDEST_BOX, (width - 2 - SPACE * (steps - 1)) / max(steps, 1))
        box_height = max((_height(step, box_width) for step in column), default=0)
        left = (width - steps * box_width - (steps - 1) * SPACE) / 2
        for index, step in enumerate(column):
            boxes[step] = Box(left + index * (box_width + SPACE), y, box_width, box_height)
        y += box_height + GAP
    return boxes


def _lines(step: str, box_width: float) -> list[str]:
    return textwrap.wrap(label(step, 80), max(4, int((box_width - 14) / LETTER))) or [""]


def _height(step: str, box_width: float) -> float:
    return LINE * len(_lines(step, box_width)) + 18


def _step(step: str, box: Box) -> list[Element]:
    style = f"fill: {color('raised')}; stroke: {color('muted')}"
    frame = element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=6, style=style)
    lines = _lines(step, box.width)
    first = box.y + box.height / 2 - LINE * (len(lines) - 1) / 2 + 4
    middle = box.x + box.width / 2
    return [frame] + [
        text(middle, first + LINE * index, line, more="text-anchor: middle") for index, line in enumerate(lines)
    ]


def _to_the_right(start: Box, end: Box) -> list[Element]:
    x1, y1 = start.x + start.width, start.y + start.height / 2
    x2, y2 = end.x, end.y + end.height / 2
    turn = (x1 + x2 - 6) / 2
    path = f"M {x1:.1f} {y1:.1f} C {turn:.1f} {y1:.1f} {turn:.1f} {y2:.1f} {x2 - 6:.1f} {y2:.1f}"
    return _arrow(path, f"{x2:.1f},{y2:.1f} {x2 - 8:.1f},{y2 - 4:.1f} {x2 - 8:.1f},{y2 + 4:.1f}")


def _downwards(start: Box, end: Box) -> list[Element]:
    x1, y1 = start.x + start.width / 2, start.y + start.height
    x2, y2 = end.x + end.width / 2, end.y
    turn = (y1 + y2 - 6) / 2
    path = f"M {x1:.1f} {y1:.1f} C {x1:.1f} {turn:.1f} {x2:.1f} {turn:.1f} {x2:.1f} {y2 - 6:.1f}"
    return _arrow(path, f"{x2:.1f},{y2:.1f} {x2 - 4:.1f},{y2 - 8:.1f} {x2 + 4:.1f},{y2 - 8:.1f}")


def _arrow(path: str, head: str) -> list[Element]:
    return [
        element("path", d=path, style=f"fill: none; stroke: {color('muted')}; stroke-width: 1.3"),
        element("polygon", points=head, style=f"fill: {color('muted')}"),
    ]
