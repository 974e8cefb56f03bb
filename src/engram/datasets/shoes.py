"""Three kinds of shoes, seen from the side with the toe to the left. A high sneaker is nearly an ankle boot."""

from __future__ import annotations

import numpy as np

from engram.datasets.sheet import Sheet, line
from engram.datasets.silhouettes import Field, band, ellipse, limb, mix, outline, ramp, ring, stripes


def _shoe(sheet: Sheet, shaft: Field, toe: Field, sole: Field, heel: Field) -> tuple[Field, Field, Field]:
    """A closed shoe seen from the side, toe to the left: its depth, its shade, and the height of its sole's top.

    shaft: how far it rises above the foot; heel: how high it stands.
    """
    u, v = sheet.u, sheet.v
    floor = sheet.between(0.42, 0.6) + shaft * 0.35
    front, back = sheet.between(-0.98, -0.92), sheet.between(0.85, 0.95)
    instep = floor - sheet.between(0.62, 0.75)
    opening = sheet.between(0.05, 0.3)
    upper = outline(
        u,
        (front, floor - toe * 0.6),
        (front + 0.25, floor - toe),
        (opening - 0.35, mix(floor - toe, instep, sheet.between(0.5, 0.8))),
        (opening, instep - shaft),
        (mix(opening, back, np.float32(0.6) + np.zeros_like(floor)), instep - shaft + sheet.between(0.0, 0.15)),
        (back, instep - shaft - sheet.between(-0.06, 0.08)),
    )
    lift = heel * ramp(u, -0.35, 0.5)
    ground = floor - lift
    foot = np.minimum(np.minimum(v - upper, ground - v), band(u, front, back))
    block = np.minimum(band(v, ground - 0.1, floor), band(u, back - sheet.between(0.25, 0.5), back - 0.02))
    depth = np.maximum(foot, np.where(heel > 0.03, block, np.float32(-1)))
    shade = _leather(sheet, foot)
    edge = ground - sole
    tone = sheet.between(0.45, 1.35)
    shade = line(np.where(v > edge, shade * tone, shade), v - edge, 0.04, sheet.between(0.0, 0.5))
    return depth, shade, edge


def _leather(sheet: Sheet, depth: Field) -> Field:
    """The shade of a shoe: a brightness, a sheen, darker towards the edges."""
    sheen = ramp(sheet.u * sheet.between(-0.7, 0.7) + sheet.v * sheet.between(-0.7, 0.7), -1.0, 1.0)
    return sheet.between(0.35, 1.0) * mix(sheet.between(0.65, 1.0), 1.0, ramp(depth, 0.0, 0.2)) * mix(0.75, 1.0, sheen)


def sandal(sheet: Sheet) -> tuple[Field, Field]:
    u, v = sheet.u, sheet.v
    floor, front, back = sheet.between(0.42, 0.62), sheet.between(-0.98, -0.9), sheet.between(0.85, 0.97)
    heel = np.where(sheet.chance(0.45), sheet.between(0.15, 0.75), sheet.between(0.0, 0.08))
    thick = sheet.between(0.08, 0.2)
    bed = floor - thick - heel * ramp(u, -0.4, 0.6)
    wedge = sheet.chance(0.4)
    under = np.where(wedge, floor + np.zeros_like(bed), bed + thick)
    sole = np.minimum(band(v, bed, under), band(u, front, back))
    stiletto = np.minimum(band(v, bed, floor + np.zeros_like(bed)), band(u, back - sheet.between(0.1, 0.35), back))
    sole = np.maximum(sole, np.where(heel > 0.1, stiletto, np.float32(-1)))
    width = sheet.between(0.06, 0.16)
    height = sheet.between(0.35, 0.6)
    toe = ring(u, v, (-0.5, bed), (sheet.between(0.25, 0.36), height * 0.75), width)
    cross = ring(u, v, (sheet.between(-0.35, -0.05), bed), (sheet.between(0.25, 0.45), height), width)
    ankle = limb(u, v, (back - 0.12, bed), (back - sheet.between(0.05, 0.2), bed - height * 1.3), width, width)
    over = ring(u, v, (back - 0.4, bed - height * 1.2), (0.3, 0.13), width * 0.7)
    closed = np.minimum(ellipse(u, v, (back - 0.35, bed), (0.38, height * 1.1)), bed - v)
    none = np.float32(-1)
    straps = np.maximum(np.where(sheet.chance(0.85), toe, none), np.where(sheet.chance(0.6), cross, none))
    straps = np.maximum(straps, np.where(sheet.chance(0.6), np.maximum(ankle, over), none))
    straps = np.maximum(straps, np.where(sheet.chance(0.25), closed, none))
    straps = np.minimum(straps, np.minimum(bed - v, band(u, front, back + 0.03)) + 0.03)
    depth = np.maximum(sole, straps)
    shade = _leather(sheet, depth + 0.1)
    return depth, np.where(sole > straps, shade * sheet.between(0.6, 1.3), shade)


def sneaker(sheet: Sheet) -> tuple[Field, Field]:
    u, v = sheet.u, sheet.v
    high = np.where(sheet.chance(0.2), sheet.between(0.1, 0.6), sheet.between(0.0, 0.12))
    depth, shade, edge = _shoe(
        sheet, high, sheet.between(0.3, 0.45), sheet.between(0.1, 0.22), sheet.between(0.0, 0.02)
    )
    slant = u + v * sheet.between(-0.8, 0.8)
    mark = np.where((v < edge) & (band(u, -0.25, 0.6) > 0), stripes(slant, sheet.between(0.25, 0.6)), np.float32(0))
    shade = shade * (1 - mark * sheet.between(-0.3, 0.6))
    laces = (band(u, -0.35, 0.1) > 0) & (depth > 0) & (depth < 0.16) & (v < 0.2)
    return depth, np.where(laces, mix(shade, stripes(u - v, 0.22), sheet.between(0.0, 0.7)), shade)


def ankle_boot(sheet: Sheet) -> tuple[Field, Field]:
    u, v = sheet.u, sheet.v
    shaft = sheet.between(0.2, 0.85)
    heel = np.where(sheet.chance(0.55), sheet.between(0.1, 0.4), sheet.between(0.0, 0.05))
    depth, shade, edge = _shoe(sheet, shaft, sheet.between(0.28, 0.42), sheet.between(0.06, 0.16), heel)
    zip_line = np.where(v < edge, u - sheet.between(0.3, 0.6), np.float32(1))
    shade = line(shade, zip_line, 0.04, sheet.between(0.0, 0.5))
    laces = (np.abs(u - 0.05) < 0.2) & (v < 0.1) & (depth > 0)
    lace_depth = np.where(sheet.chance(0.4), sheet.between(0.2, 0.6), np.float32(0))
    return depth, np.where(laces, shade * (1 - lace_depth * stripes(v, 0.22)), shade)
