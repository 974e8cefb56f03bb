"""From a block to what the page shows of it and the file that stands beside the page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engram.document import (
    Block,
    Confusion,
    Flow,
    LineChart,
    Pictures,
    RateChart,
    Strip,
    Table,
    Text,
    Topology,
    Verdicts,
)
from engram.errors import UsageError
from engram.report import confusion, flow, legend, line_chart, montage, rate_chart, topology
from engram.report.svg import inline
from engram.report.wording import Printed, cell

WIDE, NARROW = 720, 350
"""Page widths in pixels: every figure is drawn for a desktop and for a phone, its letters of one size on both."""
WIDEST = 860
"""For charts of many curves, which take all the room a desktop has."""


class UnknownBlock(UsageError):
    """A section holds something that is no block of a document."""


@dataclass(frozen=True)
class Part:
    """A block as the template takes it.

    kind: which of the template's macros prints it. wide, narrow: SVG for either page. images: data URIs of a grid,
    each shown `enlarged` times. rows: a table's cells, column_kinds: what its columns hold. groups, details: what a
    reader may choose of a chart's curves, and what their points say. file: the name and bytes of the figure's own file.
    """

    kind: str
    block: Block
    wide: str = ""
    narrow: str = ""
    images: tuple[tuple[str, ...], ...] = ()
    enlarged: int = 1
    rows: tuple[tuple[Printed, ...], ...] = ()
    column_kinds: tuple[str, ...] = ()
    groups: tuple[legend.Group, ...] = ()
    details: str = ""
    file: tuple[str, bytes] | None = None


def draw(block: Block) -> Part:
    """The block's part of the page. Raises UnknownBlock."""
    match block:
        case Text():
            part = Part("text", block)
        case Verdicts():
            part = Part("verdicts", block)
        case Table():
            part = _table(block)
        case Pictures():
            part = _pictures(block)
        case Strip():
            part = _strip(block)
        case RateChart():
            part = _rates(block)
        case LineChart():
            part = _figure(block, line_chart.draw)
        case Confusion():
            part = _figure(block, confusion.draw)
        case Topology():
            part = _figure(block, topology.draw)
        case Flow():
            part = _figure(block, flow.draw)
        case _:
            raise UnknownBlock(f"a section holds a {type(block).__name__}, which is no block that a report can draw")
    return part


def _table(table: Table) -> Part:
    digits = [column.digits for column in table.columns]
    rows = tuple(tuple(map(cell, row, digits)) for row in table.rows)
    kinds = ({row[index].kind for row in rows if index < len(row)} for index in range(len(digits)))
    return Part("table", table, rows=rows, column_kinds=tuple("number" if "number" in k else "name" for k in kinds))


def _figure(block: Any, draw_svg: Callable[[Any, int], str]) -> Part:
    wide, narrow = draw_svg(block, WIDE), draw_svg(block, NARROW)
    return Part(
        "figure",
        block,
        wide=inline(wide, f"figure-{block.name}-wide", block.caption),
        narrow=inline(narrow, f"figure-{block.name}-narrow", block.caption),
        file=(f"{block.name}.svg", wide.encode()),
    )


def _rates(chart: RateChart) -> Part:
    drawn = (rate_chart.draw(chart, width, alone=False) for width in (WIDEST, NARROW))
    wide, narrow = (
        inline(svg, f"figure-{chart.name}-{size}", f"{chart.y_label} over {chart.x_label}", "group")
        for svg, size in zip(drawn, ("wide", "narrow"), strict=True)
    )
    return Part(
        "rates",
        chart,
        wide=wide,
        narrow=narrow,
        groups=legend.entries(chart),
        details=rate_chart.details(chart),
        file=(f"{chart.name}.svg", rate_chart.draw(chart, WIDE).encode()),
    )


def _pictures(block: Pictures) -> Part:
    enlarged = montage.enlargement(block)
    return Part("pictures", block, images=_data_uris(block), enlarged=enlarged, file=_montage(block))


def _strip(strip: Strip) -> Part:
    grid = Pictures(strip.name, strip.caption, strip.methods, strip.choices, strip.pictures)
    return Part("strip", strip, images=_data_uris(grid), enlarged=montage.enlargement(grid), file=_montage(grid))


def _montage(pictures: Pictures) -> tuple[str, bytes]:
    return f"{pictures.name}.png", montage.montage(pictures)


def _data_uris(pictures: Pictures) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(f"data:image/png;base64,{b64encode(montage.png(picture)).decode()}" for picture in row)
        for row in pictures.pictures
    )
