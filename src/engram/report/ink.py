"""The colours of page and figures: a light and a dark value under one name.

Figures are drawn in the light values, which is what their files keep; in the page each value becomes the CSS custom
property of its name. So no two light values may be equal.
"""

from __future__ import annotations

from typing import NamedTuple


class Ink(NamedTuple):
    """#rrggbb on white paper and on a dark screen."""

    light: str
    dark: str


INKS = {
    "paper": Ink("#ffffff", "#14171b"),
    "raised": Ink("#f5f6f7", "#1d2126"),
    "rule": Ink("#d4d8dc", "#383f47"),
    "muted": Ink("#5a636c", "#9ca6b0"),
    "ink": Ink("#1c2127", "#e4e7ea"),
    # Okabe and Ito's palette, told apart by the colour-blind; lightened for the dark where it would be lost
    "blue": Ink("#0072b2", "#56b4e9"),
    "vermillion": Ink("#d55e00", "#f28b3c"),
    "green": Ink("#009e73", "#2fc598"),
    "purple": Ink("#cc79a7", "#dc93bb"),
    "orange": Ink("#e69f00", "#f0b429"),
    "sky": Ink("#56b4e9", "#9bd4f5"),
    # the same hues where they colour words, which need more contrast than lines do
    "blue-words": Ink("#0069a5", "#62bbef"),
    "vermillion-words": Ink("#a94a00", "#f79a55"),
    "green-words": Ink("#007556", "#3bd0a3"),
    "purple-words": Ink("#9b3d72", "#e3a3c6"),
    "orange-words": Ink("#855c00", "#f3bc48"),
    "sky-words": Ink("#1f6f9f", "#a6daf7"),
}

SERIES = ("blue", "vermillion", "green", "purple", "orange", "sky", "ink")
"""In the order in which curves take them."""


def color(name: str) -> str:
    """The light value, #rrggbb."""
    return INKS[name].light


def themed(style: str) -> str:
    """A CSS declaration in which every light value has become var(--name)."""
    for name, ink in INKS.items():
        style = style.replace(ink.light, f"var(--{name})")
    return style
