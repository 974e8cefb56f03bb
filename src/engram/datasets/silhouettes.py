"""Shapes as signed depths: positive inside, in half-pictures, so that they can be cut, joined and shaded by depth.

Only +, -, *, /, square root, minimum, maximum and floor of float32 are used, one array operation at a time. IEEE 754
fixes their results, so the same numbers give the same pixels on every machine.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
"""float32: a number for each pixel, [n, h, w], or for each image, [n, 1, 1]."""

Level = Field | float


def ramp(x: Field, low: Level, high: Level) -> Field:
    """0 below low, 1 above high, straight between."""
    return np.clip((x - low) / (high - low), np.float32(0), np.float32(1))


def mix(a: Level, b: Level, share: Field) -> Field:
    """a where share is 0, b where it is 1."""
    return a + (b - a) * share


def outline(x: Field, *knots: tuple[Level, Level]) -> Field:
    """The height of a line through the knots (x, height), from left to right; level beyond them."""
    height = knots[0][1] + np.zeros_like(x)
    for (left, start), (right, end) in pairwise(knots):
        height = height + (end - start) * ramp(x, left, right)
    return height


def band(x: Field, low: Level, high: Level) -> Field:
    """Depth in the strip low < x < high."""
    depth: Field = np.minimum(x - low, high - x)
    return depth


def ellipse(u: Field, v: Field, centre: tuple[Level, Level], radii: tuple[Level, Level]) -> Field:
    """Depth in an ellipse, exact on its edge and nearly so around it."""
    across, along = (u - centre[0]) / radii[0], (v - centre[1]) / radii[1]
    depth: Field = (1 - np.sqrt(across * across + along * along)) * np.minimum(*radii)
    return depth


def ring(u: Field, v: Field, centre: tuple[Level, Level], radii: tuple[Level, Level], thickness: Level) -> Field:
    """Depth in the line of a thickness along an ellipse."""
    return thickness / 2 - np.abs(ellipse(u, v, centre, radii))


def limb(u: Field, v: Field, start: tuple[Level, Level], end: tuple[Level, Level], thick: Level, thin: Level) -> Field:
    """Depth in a straight limb: round at its start with radius thick, cut square at its end with radius thin."""
    du, dv = end[0] - start[0], end[1] - start[1]
    length = np.sqrt(du * du + dv * dv)
    along = ((u - start[0]) * du + (v - start[1]) * dv) / length
    across = np.abs((u - start[0]) * dv - (v - start[1]) * du) / length
    before = np.maximum(-along, np.float32(0))
    aside = np.sqrt(across * across + before * before)
    depth: Field = np.minimum(mix(thick, thin, ramp(along, 0, length)) - aside, length - along)
    return depth


def stripes(x: Field, period: Level) -> Field:
    """A wave between 0 and 1 with straight flanks."""
    x = x / period
    wave: Field = np.clip(np.abs(x - np.floor(x) - np.float32(0.5)) * 4 - np.float32(0.5), np.float32(0), np.float32(1))
    return wave
