"""Ten kinds of garments and shoes, each a recipe from random numbers to depth and shade.

A recipe takes a Sheet and gives (depth, shade): where the garment is, and how bright it is there, about 0 to 1. In a
sheet's coordinates the picture runs from -1 to 1 to the right (u) and down (v). Ranges overlap on purpose: a shirt with short
sleeves is nearly a T-shirt, a high sneaker nearly an ankle boot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engram.datasets.silhouettes import Field, Level, band, ellipse, limb, mix, outline, ramp, ring, stripes

NUMBERS = 48
"""How many random numbers an image has; a recipe uses as many as it needs, in order."""


@dataclass
class Sheet:
    """The pixels of n images of one kind, and the random numbers that make each its own."""

    u: Field
    v: Field
    numbers: NDArray[np.float32]  # [n, NUMBERS], in [0, 1)
    used: int = field(default=0, init=False)

    def between(self, low: Level, high: Level) -> Field:
        """A number for each image, even between low and high."""
        number = self.numbers[:, self.used, np.newaxis, np.newaxis]
        self.used += 1
        return low + (high - low) * number

    def chance(self, share: float) -> NDArray[np.bool_]:
        """True for that share of the images."""
        return self.between(0.0, 1.0) < np.float32(share)


Recipe = Callable[[Sheet], tuple[Field, Field]]


def _cloth(sheet: Sheet, depth: Field) -> Field:
    """The shade of a piece of cloth: a brightness, darker towards the edges, plain or with a pattern."""
    u, v = sheet.u, sheet.v
    bright, contrast = sheet.between(0.35, 1.0), sheet.between(0.15, 0.6)
    period = sheet.between(0.18, 0.5)
    kind = sheet.between(0.0, 1.0)
    pattern = np.select(
        [kind < 0.55, kind < 0.67, kind < 0.75, kind < 0.81, kind < 0.9],
        [
            np.zeros_like(u),
            stripes(v, period),
            stripes(u, period),
            stripes(u, period) * stripes(v, period),
            ramp(v, -0.9, 0.9),
        ],
        np.float32(0.8) * (ellipse(u, v, (0.0, sheet.between(-0.35, 0.0)), (period, period)) > 0),
    )
    round_off = mix(sheet.between(0.6, 0.95), 1.0, ramp(depth, 0.0, 0.22))
    fold = mix(1.0, sheet.between(0.8, 1.0), stripes(u + sheet.between(-0.3, 0.3) * v, sheet.between(0.5, 0.9)))
    return bright * (1 - contrast * pattern) * round_off * fold


def _line(shade: Field, depth: Field, thickness: Level, darkness: Level) -> Field:
    """The shade with a line drawn on it along depth 0; a negative darkness makes it light."""
    return shade * (1 - darkness * ramp(thickness - np.abs(depth), 0.0, 0.06))


def _top(
    sheet: Sheet,
    *,
    width: tuple[float, float],
    flare: tuple[float, float],
    hem: tuple[float, float],
    sleeve: Field,
    neck: tuple[float, float],
    neck_depth: tuple[float, float],
) -> tuple[Field, Field]:
    """Body, two sleeves and a neck opening. sleeve: 0 is none, 1 reaches the wrist."""
    u, v, a = sheet.u, sheet.v, np.abs(sheet.u)
    chest, bottom = sheet.between(*width), sheet.between(*hem)
    shoulder, top = sheet.between(0.36, 0.46), sheet.between(-0.95, -0.86)
    waist = chest * sheet.between(0.86, 1.0)
    sides = outline(v, (-0.75, shoulder), (-0.35, chest), (0.15, waist), (bottom, chest + sheet.between(*flare)))
    body = np.minimum(sides - a, np.minimum(v - (top + sheet.between(0.25, 0.45) * a), bottom - v))
    reach = sheet.between(0.36, 0.6) * mix(1.1, 0.9, sleeve)
    drop = mix(0.25, sheet.between(1.35, 1.65), sleeve)
    thick = sheet.between(0.17, 0.24)
    arm = limb(
        a, v, (shoulder - 0.12, top + 0.32), (shoulder - 0.05 + reach, top + 0.25 + drop), thick, thick * mix(0.95, 0.55, sleeve)
    )
    arm = np.where(sleeve > 0, np.minimum(arm, v - (top + 0.3 * a)), np.float32(-1))
    opening = ellipse(u, v, (0.0, top), (sheet.between(*neck), sheet.between(*neck_depth)))
    depth = np.minimum(np.maximum(body, arm), -opening)
    shade = _cloth(sheet, np.maximum(body, arm))
    seam = np.where((arm > -0.1) & (v < 0.9), body, np.float32(-1))
    shade = _line(shade, seam, 0.04, sheet.between(0.0, 0.4))
    shade = _line(shade, opening + sheet.between(0.05, 0.1), 0.05, sheet.between(-0.2, 0.45))
    back = np.minimum(opening, v - (top + sheet.between(0.0, 0.1)))  # the inside of the back, seen through the neck
    inside = sheet.chance(0.5) & (back > depth)
    return np.where(inside, back, depth), np.where(inside, shade * np.float32(0.45), shade)


def _placket(sheet: Sheet, shade: Field, bottom: Level, darkness: Field, buttons: Field) -> Field:
    """A front opening with buttons, slightly off the middle."""
    u, v = sheet.u - sheet.between(-0.04, 0.06), sheet.v
    shade = np.where(v < bottom, _line(shade, u, 0.05, darkness), shade)
    dots = (stripes(v, sheet.between(0.28, 0.4)) > 0.9) & (np.abs(u - 0.06) < 0.05) & (v < bottom)
    return np.where(dots, shade * (1 - buttons), shade)


def _collar(sheet: Sheet, depth: Field, shade: Field, size: Field) -> tuple[Field, Field]:
    """Two collar flaps that meet at the throat."""
    a, v = np.abs(sheet.u), sheet.v
    flap = limb(a, v, (0.17, -0.9), (0.04 + size * 0.3, -0.88 + size), 0.1, 0.03)
    tone = sheet.between(0.75, 1.2)
    shade = _line(np.where(flap > 0, shade * tone, shade), flap, 0.05, sheet.between(0.1, 0.5))
    return np.maximum(depth, flap), shade


def t_shirt(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = np.where(sheet.chance(0.1), np.float32(0), sheet.between(0.05, 0.32))
    return _top(
        sheet,
        width=(0.42, 0.62), flare=(-0.03, 0.08), hem=(0.75, 0.97), sleeve=sleeve, neck=(0.17, 0.3), neck_depth=(0.1, 0.35),
    )  # fmt: skip


def trouser(sheet: Sheet) -> tuple[Field, Field]:
    a, v = np.abs(sheet.u), sheet.v
    waist, hip = sheet.between(0.24, 0.38), sheet.between(0.32, 0.46)
    top, bottom, crotch = sheet.between(-0.97, -0.9), sheet.between(0.6, 0.97), sheet.between(-0.5, -0.2)
    knee, cuff = hip * sheet.between(0.85, 1.0), sheet.between(0.26, 0.5)
    outside = outline(v, (top, waist), (crotch, hip), (0.2, knee), (bottom, cuff))
    inside = outline(v, (crotch, -0.06), (crotch + 0.15, 0.03), (bottom, sheet.between(0.04, 0.16)))
    depth = np.minimum(np.minimum(outside - a, a - inside), band(v, top, bottom))
    shade = _cloth(sheet, depth)
    shade = _line(shade, v - top - 0.12, 0.05, sheet.between(0.0, 0.4))
    shade = np.where(v < crotch, _line(shade, sheet.u, 0.04, sheet.between(0.0, 0.4)), shade)
    return depth, shade


def pullover(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = sheet.between(0.72, 1.0)
    depth, shade = _top(
        sheet,
        width=(0.42, 0.56), flare=(-0.06, 0.05), hem=(0.68, 0.97), sleeve=sleeve, neck=(0.15, 0.26), neck_depth=(0.06, 0.2),
    )  # fmt: skip
    rib = sheet.between(0.0, 0.35)
    shade = np.where(sheet.v > sheet.between(0.62, 0.85), shade * (1 - rib), shade)
    hood = np.where(sheet.chance(0.2), ellipse(sheet.u, sheet.v, (0.0, -0.82), (0.26, 0.16)), np.float32(-1))
    return np.maximum(depth, hood), shade


def dress(sheet: Sheet) -> tuple[Field, Field]:
    u, v, a = sheet.u, sheet.v, np.abs(sheet.u)
    shoulder, waist = sheet.between(0.16, 0.3), sheet.between(0.17, 0.3)
    top, bottom, middle = sheet.between(-0.98, -0.9), sheet.between(0.75, 0.98), sheet.between(-0.25, 0.05)
    skirt = sheet.between(0.25, 0.66)
    chest = np.maximum(waist, shoulder) + sheet.between(0.0, 0.08)
    sides = outline(v, (top, shoulder), (-0.5, chest), (middle, waist), (middle + 0.3, mix(waist, skirt, sheet.between(0.3, 0.9))), (bottom, skirt))
    body = np.minimum(sides - a, np.minimum(v - (top + 0.2 * a), bottom - v))
    kind, tone = sheet.between(0.0, 1.0), sheet.between(0.1, 0.35)
    sleeve = np.where(kind < 0.72, tone, np.float32(0.9))
    arm = limb(a, v, (shoulder - 0.08, top + 0.25), (shoulder + 0.1 + 0.25 * sleeve, top + 0.3 + 1.2 * sleeve), 0.13, 0.09)
    arm = np.where(kind < 0.55, np.float32(-1), np.minimum(arm, v - (top + 0.25 * a)))
    opening = ellipse(u, v, (0.0, top), (np.minimum(sheet.between(0.1, 0.22), shoulder - 0.07), sheet.between(0.1, 0.45)))
    depth = np.minimum(np.maximum(body, arm), -opening)
    shade = _line(_cloth(sheet, np.maximum(body, arm)), v - middle, 0.05, sheet.between(-0.1, 0.5))
    return depth, shade


def coat(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = sheet.between(0.75, 1.0)
    depth, shade = _top(
        sheet,
        width=(0.42, 0.56), flare=(-0.04, 0.12), hem=(0.8, 0.98), sleeve=sleeve, neck=(0.12, 0.24), neck_depth=(0.08, 0.4),
    )  # fmt: skip
    shade = _placket(sheet, shade, 1.0, sheet.between(0.15, 0.8), sheet.between(0.0, 0.5))
    with_collar = sheet.chance(0.7)
    collared, collared_shade = _collar(sheet, depth, shade, sheet.between(0.25, 0.6))
    depth, shade = np.where(with_collar, collared, depth), np.where(with_collar, collared_shade, shade)
    a, v = np.abs(sheet.u), sheet.v
    pocket = np.where(band(a, 0.14, 0.36) > 0, v - sheet.between(0.2, 0.5), np.float32(-1))
    return depth, _line(shade, pocket, 0.04, sheet.between(0.0, 0.5))


def shirt(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = np.where(sheet.chance(0.62), sheet.between(0.7, 1.0), sheet.between(0.1, 0.4))
    depth, shade = _top(
        sheet,
        width=(0.4, 0.56), flare=(-0.05, 0.08), hem=(0.75, 0.97), sleeve=sleeve, neck=(0.12, 0.26), neck_depth=(0.08, 0.4),
    )  # fmt: skip
    shade = _placket(sheet, shade, sheet.between(0.0, 1.6), sheet.between(0.0, 0.45), sheet.between(0.0, 0.6))
    with_collar = sheet.chance(0.75)
    collared, collared_shade = _collar(sheet, depth, shade, sheet.between(0.15, 0.4))
    return np.where(with_collar, collared, depth), np.where(with_collar, collared_shade, shade)


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
    shade = _line(np.where(v > edge, shade * tone, shade), v - edge, 0.04, sheet.between(0.0, 0.5))
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
    over = ring(u, v, (0.45, bed - height), (0.36, 0.22), width)
    closed = np.minimum(ellipse(u, v, (back - 0.35, bed), (0.38, height * 1.1)), bed - v)
    none = np.float32(-1)
    straps = np.maximum(np.where(sheet.chance(0.85), toe, none), np.where(sheet.chance(0.6), cross, none))
    straps = np.maximum(straps, np.where(sheet.chance(0.6), np.maximum(ankle, over), none))
    straps = np.maximum(straps, np.where(sheet.chance(0.2), closed, none))
    straps = np.minimum(straps, np.minimum(bed - v, band(u, front, back + 0.03)) + 0.03)
    depth = np.maximum(sole, straps)
    shade = _leather(sheet, depth + 0.1)
    return depth, np.where(sole > straps, shade * sheet.between(0.6, 1.3), shade)


def sneaker(sheet: Sheet) -> tuple[Field, Field]:
    u, v = sheet.u, sheet.v
    high = np.where(sheet.chance(0.12), sheet.between(0.15, 0.6), sheet.between(0.0, 0.12))
    depth, shade, edge = _shoe(sheet, high, sheet.between(0.3, 0.45), sheet.between(0.1, 0.22), sheet.between(0.0, 0.02))
    slant = u + v * sheet.between(-0.8, 0.8)
    mark = np.where((v < edge) & (band(u, -0.25, 0.6) > 0), stripes(slant, sheet.between(0.25, 0.6)), np.float32(0))
    shade = shade * (1 - mark * sheet.between(-0.3, 0.6))
    laces = (band(u, -0.35, 0.1) > 0) & (depth > 0) & (depth < 0.16) & (v < 0.2)
    return depth, np.where(laces, mix(shade, stripes(u - v, 0.22), sheet.between(0.0, 0.7)), shade)


def bag(sheet: Sheet) -> tuple[Field, Field]:
    u, v, a = sheet.u, sheet.v, np.abs(sheet.u)
    wide, top, bottom = sheet.between(0.55, 0.95), sheet.between(-0.45, 0.1), sheet.between(0.65, 0.97)
    taper = sheet.between(-0.25, 0.2)
    sides = wide + taper * ramp(bottom - v, 0.0, bottom - top)
    box = np.minimum(np.minimum(sides, np.float32(0.97)) - a, band(v, top, bottom))
    corner = sheet.between(0.75, 1.1)
    box = np.minimum(box, (wide * corner + (bottom - top) * 0.5 - a - np.abs(v - (top + bottom) / 2)) * np.float32(0.7))
    reach = sheet.between(0.25, 0.7) * wide
    rise = np.minimum(sheet.between(0.2, 1.0), top + 0.93)
    handle = ring(u, v, (0.0, top), (reach, rise), sheet.between(0.07, 0.16))
    handle = np.where(sheet.chance(0.88), np.minimum(handle, top + 0.05 - v), np.float32(-1))
    depth = np.maximum(box, handle)
    shade = np.where(box > handle, _cloth(sheet, box), sheet.between(0.3, 0.9))
    flap = v - (top + sheet.between(0.15, 0.5) * (bottom - top) + sheet.between(-0.2, 0.0) * a)
    shade = _line(shade, np.where(box > 0, flap, np.float32(1)), 0.05, sheet.between(0.0, 0.6))
    buckle = np.minimum(band(a, -1.0, 0.1), np.float32(0.1) - np.abs(flap))
    return depth, np.where(buckle > 0, mix(shade, sheet.between(0.2, 1.0), sheet.between(0.0, 1.0)), shade)


def ankle_boot(sheet: Sheet) -> tuple[Field, Field]:
    u, v = sheet.u, sheet.v
    shaft = sheet.between(0.3, 0.85)
    heel = np.where(sheet.chance(0.55), sheet.between(0.1, 0.4), sheet.between(0.0, 0.05))
    depth, shade, edge = _shoe(sheet, shaft, sheet.between(0.28, 0.42), sheet.between(0.06, 0.16), heel)
    zip_line = np.where(v < edge, u - sheet.between(0.3, 0.6), np.float32(1))
    shade = _line(shade, zip_line, 0.04, sheet.between(0.0, 0.5))
    laces = (np.abs(u - 0.05) < 0.2) & (v < 0.1) & (depth > 0)
    lace_depth = np.where(sheet.chance(0.4), sheet.between(0.2, 0.6), np.float32(0))
    return depth, np.where(laces, shade * (1 - lace_depth * stripes(v, 0.22)), shade)


RECIPES: dict[str, Recipe] = {
    "T-shirt/Top": t_shirt,
    "Trouser": trouser,
    "Pullover": pullover,
    "Dress": dress,
    "Coat": coat,
    "Sandal": sandal,
    "Shirt": shirt,
    "Sneaker": sneaker,
    "Bag": bag,
    "Ankle boot": ankle_boot,
}
"""In the order of their labels, which is Fashion-MNIST's."""
