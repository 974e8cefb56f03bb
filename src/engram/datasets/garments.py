"""Seven kinds of garments. Ranges overlap on purpose: a shirt with short sleeves is nearly a T-shirt."""

from __future__ import annotations

import numpy as np

from engram.datasets.sheet import Sheet, line
from engram.datasets.silhouettes import Field, Level, band, ellipse, limb, mix, outline, ramp, ring, stripes


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
        a,
        v,
        (shoulder - 0.12, top + 0.32),
        (shoulder - 0.05 + reach, top + 0.25 + drop),
        thick,
        thick * mix(0.95, 0.55, sleeve),
    )
    arm = np.where(sleeve > 0, np.minimum(arm, v - (top + 0.3 * a)), np.float32(-1))
    opening = ellipse(u, v, (0.0, top), (sheet.between(*neck), sheet.between(*neck_depth)))
    depth = np.minimum(np.maximum(body, arm), -opening)
    shade = _cloth(sheet, np.maximum(body, arm))
    seam = np.where((arm > -0.1) & (v < 0.9), body, np.float32(-1))
    shade = line(shade, seam, 0.04, sheet.between(0.0, 0.4))
    shade = line(shade, opening + sheet.between(0.05, 0.1), 0.05, sheet.between(-0.2, 0.45))
    back = np.minimum(opening, v - (top + sheet.between(0.0, 0.1)))  # the inside of the back, seen through the neck
    inside = sheet.chance(0.5) & (back > depth)
    return np.where(inside, back, depth), np.where(inside, shade * np.float32(0.45), shade)


def _placket(sheet: Sheet, shade: Field, bottom: Level, darkness: Field, buttons: Field) -> Field:
    """A front opening with buttons, slightly off the middle."""
    u, v = sheet.u - sheet.between(-0.04, 0.06), sheet.v
    shade = np.where(v < bottom, line(shade, u, 0.05, darkness), shade)
    dots = (stripes(v, sheet.between(0.28, 0.4)) > 0.9) & (np.abs(u - 0.06) < 0.05) & (v < bottom)
    return np.where(dots, shade * (1 - buttons), shade)


def _collar(sheet: Sheet, depth: Field, shade: Field, size: Field) -> tuple[Field, Field]:
    """Two collar flaps that meet at the throat, and the inside of the collar's back between them."""
    a, v = np.abs(sheet.u), sheet.v
    flap = limb(a, v, (0.17, -0.86), (0.05 + size * 0.25, -0.86 + size), 0.09, 0.03)
    tone = sheet.between(0.75, 1.2)
    collared = line(np.where(flap > 0, shade * tone, shade), flap, 0.05, sheet.between(0.1, 0.5))
    back = np.minimum(0.2 - a, band(v, -0.93, -0.4))
    hole = (back > 0) & (depth < 0) & (flap < 0)
    return np.maximum(np.maximum(depth, flap), back), np.where(hole, shade * sheet.between(0.35, 0.7), collared)


def t_shirt(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = np.where(sheet.chance(0.1), np.float32(0), sheet.between(0.05, 0.45))
    return _top(
        sheet,
        width=(0.42, 0.62),
        flare=(-0.03, 0.08),
        hem=(0.75, 0.97),
        sleeve=sleeve,
        neck=(0.17, 0.3),
        neck_depth=(0.1, 0.35),
    )


def trouser(sheet: Sheet) -> tuple[Field, Field]:
    a, v = np.abs(sheet.u), sheet.v
    waist, hip = sheet.between(0.24, 0.38), sheet.between(0.32, 0.46)
    top, bottom, crotch = sheet.between(-0.97, -0.9), sheet.between(0.6, 0.97), sheet.between(-0.5, -0.2)
    knee, cuff = hip * sheet.between(0.85, 1.0), sheet.between(0.26, 0.5)
    outside = outline(v, (top, waist), (crotch, hip), (0.2, knee), (bottom, cuff))
    inside = outline(v, (crotch, -0.06), (crotch + 0.15, 0.03), (bottom, sheet.between(0.04, 0.16)))
    depth = np.minimum(np.minimum(outside - a, a - inside), band(v, top, bottom))
    shade = _cloth(sheet, depth)
    shade = line(shade, v - top - 0.12, 0.05, sheet.between(0.0, 0.4))
    shade = np.where(v < crotch, line(shade, sheet.u, 0.04, sheet.between(0.0, 0.4)), shade)
    return depth, shade


def pullover(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = sheet.between(0.72, 1.0)
    depth, shade = _top(
        sheet,
        width=(0.42, 0.56),
        flare=(-0.06, 0.05),
        hem=(0.68, 0.97),
        sleeve=sleeve,
        neck=(0.15, 0.26),
        neck_depth=(0.06, 0.2),
    )
    rib = sheet.between(0.0, 0.35)
    shade = np.where(sheet.chance(0.2), line(shade, sheet.u, 0.05, sheet.between(0.0, 0.6)), shade)  # a zip
    shade = np.where(sheet.v > sheet.between(0.62, 0.85), shade * (1 - rib), shade)
    hood = np.where(sheet.chance(0.2), ellipse(sheet.u, sheet.v, (0.0, -0.82), (0.26, 0.16)), np.float32(-1))
    return np.maximum(depth, hood), shade


def dress(sheet: Sheet) -> tuple[Field, Field]:
    u, v, a = sheet.u, sheet.v, np.abs(sheet.u)
    shoulder, waist = sheet.between(0.16, 0.3), sheet.between(0.17, 0.3)
    top, bottom, middle = sheet.between(-0.98, -0.9), sheet.between(0.75, 0.98), sheet.between(-0.25, 0.05)
    skirt = sheet.between(0.25, 0.66)
    chest = np.maximum(waist, shoulder) + sheet.between(0.0, 0.08)
    sides = outline(
        v,
        (top, shoulder),
        (-0.5, chest),
        (middle, waist),
        (middle + 0.3, mix(waist, skirt, sheet.between(0.3, 0.9))),
        (bottom, skirt),
    )
    body = np.minimum(sides - a, np.minimum(v - (top + 0.2 * a), bottom - v))
    kind, tone = sheet.between(0.0, 1.0), sheet.between(0.1, 0.35)
    sleeve = np.where(kind < 0.72, tone, np.float32(0.9))
    arm = limb(
        a, v, (shoulder - 0.08, top + 0.25), (shoulder + 0.1 + 0.25 * sleeve, top + 0.3 + 1.2 * sleeve), 0.13, 0.09
    )
    arm = np.where(kind < 0.55, np.float32(-1), np.minimum(arm, v - (top + 0.25 * a)))
    opening = ellipse(
        u, v, (0.0, top), (np.minimum(sheet.between(0.1, 0.22), shoulder - 0.07), sheet.between(0.1, 0.45))
    )
    depth = np.minimum(np.maximum(body, arm), -opening)
    shade = line(_cloth(sheet, np.maximum(body, arm)), v - middle, 0.05, sheet.between(-0.1, 0.5))
    return depth, shade


def coat(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = sheet.between(0.75, 1.0)
    depth, shade = _top(
        sheet,
        width=(0.42, 0.56),
        flare=(-0.04, 0.12),
        hem=(0.8, 0.98),
        sleeve=sleeve,
        neck=(0.12, 0.24),
        neck_depth=(0.08, 0.4),
    )
    shade = _placket(sheet, shade, 1.0, sheet.between(0.0, 0.75), sheet.between(0.0, 0.5))
    with_collar = sheet.chance(0.6)
    collared, collared_shade = _collar(sheet, depth, shade, sheet.between(0.25, 0.6))
    depth, shade = np.where(with_collar, collared, depth), np.where(with_collar, collared_shade, shade)
    a, v = np.abs(sheet.u), sheet.v
    pocket = np.where(band(a, 0.14, 0.36) > 0, v - sheet.between(0.2, 0.5), np.float32(-1))
    return depth, line(shade, pocket, 0.04, sheet.between(0.0, 0.5))


def shirt(sheet: Sheet) -> tuple[Field, Field]:
    sleeve = np.where(sheet.chance(0.62), sheet.between(0.7, 1.0), sheet.between(0.1, 0.4))
    depth, shade = _top(
        sheet,
        width=(0.4, 0.56),
        flare=(-0.05, 0.08),
        hem=(0.75, 0.97),
        sleeve=sleeve,
        neck=(0.12, 0.26),
        neck_depth=(0.08, 0.4),
    )
    shade = _placket(sheet, shade, sheet.between(0.0, 1.6), sheet.between(0.0, 0.45), sheet.between(0.0, 0.6))
    with_collar = sheet.chance(0.65)
    collared, collared_shade = _collar(sheet, depth, shade, sheet.between(0.15, 0.4))
    return np.where(with_collar, collared, depth), np.where(with_collar, collared_shade, shade)


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
    shade = line(shade, np.where(box > 0, flap, np.float32(1)), 0.05, sheet.between(0.0, 0.6))
    buckle = np.minimum(band(a, -1.0, 0.1), np.float32(0.1) - np.abs(flap))
    return depth, np.where(buckle > 0, mix(shade, sheet.between(0.2, 1.0), sheet.between(0.0, 1.0)), shade)
