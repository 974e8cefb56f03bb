"""What a JPEG decoder makes of coefficients, in whole numbers, to the last bit as libjpeg does by default.

    coefficients * steps --inverse cosine transform--> samples --chroma twice as large--> Y, Cb, Cr --> RGB

The transform is libjpeg's "islow", the enlargement its "fancy upsampling", a triangle filter. A plane holds the
blocks of one component: int[n, rows, columns, 8, 8], a block as (vertical, horizontal) frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.images import Pixels

SIDE = 8
Plane = NDArray[np.int64]
Samples = NDArray[np.int64]

# Table K.1 of the standard, and K.2, whose lower right quarter and more is 99
_LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMA = {(0, 0): 17, (0, 1): 18, (0, 2): 24, (0, 3): 47, (1, 1): 21, (1, 2): 26, (1, 3): 66, (2, 2): 56}


def steps_of(quality: int) -> tuple[Plane, Plane]:
    """The steps [8, 8] of luma and chroma that libjpeg takes for a quality of 1 to 100."""
    luma = np.array(_LUMA.split(), np.int64).reshape(SIDE, SIDE)
    chroma = np.full((SIDE, SIDE), 99)
    for (v, u), step in _CHROMA.items():
        chroma[v, u] = chroma[u, v] = step
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    one, two = (np.clip((table * scale + 50) // 100, 1, 255) for table in (luma, chroma))
    return one, two


@dataclass(frozen=True)
class Form:
    """How images of one shape are planes: Y, or Y, Cb and Cr; the latter two may be `halved` along both sides."""

    image_shape: tuple[int, int, int]
    halved: bool

    @property
    def whole(self) -> bool:
        """Whether the images consist of whole blocks, as they must."""
        height, width, channels = self.image_shape
        multiple = 2 * SIDE if self.halved else SIDE
        return height % multiple == 0 and width % multiple == 0 and (channels == 3 or not self.halved)

    @property
    def grids(self) -> list[tuple[int, int]]:
        """(rows, columns) of the blocks of each component."""
        height, width, channels = self.image_shape
        small = 2 * SIDE if self.halved else SIDE
        return [(height // side, width // side) for side in (SIDE, small, small)[:channels]]

    def pixels(self, planes: list[Plane]) -> Pixels:
        """uint8[n, h, w, c] of coefficients times their steps."""
        samples = [_joined(_inverse(plane)) for plane in planes]
        if len(samples) == 1:
            return samples[0][..., None].astype(np.uint8)
        return _rgb(samples[0], *(_enlarged(part) if self.halved else part for part in samples[1:]))


def _joined(blocks: Samples) -> Samples:
    """[n, height, width] of blocks [n, rows, columns, 8, 8]."""
    n, rows, columns = blocks.shape[:3]
    return blocks.swapaxes(2, 3).reshape(n, rows * SIDE, columns * SIDE)


def _fixed(number: float, bits: int) -> int:
    return int(number * (1 << bits) + 0.5)


_A, _B, _C, _D, _E, _F, _G, _H, _I, _J, _K, _L = (
    _fixed(number, 13)
    for number in (
        *(0.298631336, 0.390180644, 0.541196100, 0.765366865, 0.899976223, 1.175875602),
        *(1.501321110, 1.847759065, 1.961570560, 2.053119869, 2.562915447, 3.072711026),
    )
)


def _inverse(plane: Plane) -> Samples:
    """0 to 255 of coefficients times their steps: columns, then rows."""
    columns = _one_way([plane[..., k, :] for k in range(SIDE)], 11)
    rows = np.stack(columns, -2)
    return np.clip(np.stack(_one_way([rows[..., k] for k in range(SIDE)], 18), -1) + 128, 0, 255)


def _one_way(d: list[Samples], shift: int) -> list[Samples]:
    """Eight numbers of eight, by Loeffler, Ligtenberg and Moschytz, over 2^shift, rounded."""
    z = (d[2] + d[6]) * _C
    low, high = z - d[6] * _H, z + d[2] * _D
    total, rest = (d[0] + d[4]) << 13, (d[0] - d[4]) << 13
    even = total + high, rest + low, rest - low, total - high
    z1, z2, z3, z4 = d[7] + d[1], d[5] + d[3], d[7] + d[3], d[5] + d[1]
    z5 = (z3 + z4) * _F
    z1, z2, z3, z4 = -z1 * _E, -z2 * _K, z5 - z3 * _I, z5 - z4 * _B
    odd = d[1] * _G + z1 + z4, d[3] * _L + z2 + z3, d[5] * _J + z2 + z4, d[7] * _A + z1 + z3
    half = 1 << shift >> 1
    sums = [a + b for a, b in zip(even, odd, strict=True)]
    sums += [a - b for a, b in zip(even[::-1], odd[::-1], strict=True)]
    return [(number + half) >> shift for number in sums]


def _enlarged(small: Samples) -> Samples:
    """Twice as many rows and columns, each three parts the nearest sample and one part the next."""
    n, height, width = small.shape
    around = np.concatenate([small[:, :1], small, small[:, -1:]], 1)
    rows = np.empty((n, 2 * height, width), np.int64)
    rows[:, 0::2], rows[:, 1::2] = 3 * small + around[:, :-2], 3 * small + around[:, 2:]
    around = np.concatenate([rows[..., :1], rows, rows[..., -1:]], 2)
    whole = np.empty((n, 2 * height, 2 * width), np.int64)
    whole[..., 0::2], whole[..., 1::2] = (3 * rows + around[..., :-2] + 8) >> 4, (3 * rows + around[..., 2:] + 7) >> 4
    return whole


def _rgb(y: Samples, cb: Samples, cr: Samples) -> Pixels:
    cb, cr, half = cb - 128, cr - 128, 1 << 15
    red = y + ((_fixed(1.402, 16) * cr + half) >> 16)
    green = y + ((-_fixed(0.34414, 16) * cb - _fixed(0.71414, 16) * cr + half) >> 16)
    blue = y + ((_fixed(1.772, 16) * cb + half) >> 16)
    pixels: Pixels = np.clip(np.stack([red, green, blue], -1), 0, 255).astype(np.uint8)
    return pixels
