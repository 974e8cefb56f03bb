"""The coefficients that images which were JPEG files were decoded from.

Each pixel is a rounded sum of coefficients times their steps, so the transform of the pixels lies near multiples of the
steps, and the nearest multiples are the coefficients, but where values were clipped to 0 or 255. There, one coefficient
or several are changed by one, those which take most from the difference to the image. What was found is
decoded and compared with the image, so floats decide nothing but how many images are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engram.coding.jpeg import SIDE, Form, Plane, steps_of
from engram.images import Pixels

LARGEST = 2047
"""Of a coefficient's magnitude."""
_SAMPLE, _FEWEST, _ENOUGH = 1 << 17, 4, 0.2
"""Values that are looked at to tell a grid, images at least, and the share of these that must be found."""
_SMALL, _ROUNDS = 1 << 14, 40
"""The values of an image that is small enough to be searched for so many rounds to tell a grid."""
_FINEST, _LIKELY = 92, 4
"""The highest quality whose steps pixels still show, and how many qualities are tried."""
_SEEN = 0.7
"""How much of a change shows, about: not where values are clipped."""
_SPREAD = 1.5
"""By how much an enlarged plane's squares are more, about."""
_NOISE = 0.4
"""Mean square of the distance to multiples of the right steps, at most: pixels are rounded."""
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_TO_RGB = np.array([[1, 1, 1], [0, -0.344136, 1.772], [1.402, -0.714136, 0]])
_COSINES = np.array(
    [[np.cos((2 * x + 1) * u * np.pi / 16) * (0.5 if u else 0.125**0.5) for x in range(SIDE)] for u in range(SIDE)]
)
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Images as coefficients: of a form, and with steps[components, 8, 8]. A row of coefficients holds all components,
    each block by block."""

    form: Form
    steps: Plane

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        return np.cumsum([rows * columns * SIDE**2 for rows, columns in self.form.grids])

    @property
    def units(self) -> int:
        """How many coefficients an image has."""
        return int(self._edges[-1])

    def planes(self, coefficients: NDArray[np.int64]) -> list[Plane]:
        """The components of int64[n, units]."""
        parts = np.split(coefficients, self._edges[:-1], 1)
        shapes = ((len(coefficients), *grid, SIDE, SIDE) for grid in self.form.grids)
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def pixels(self, coefficients: NDArray[np.int64]) -> Pixels:
        """uint8[n, h, w, c] that a JPEG decoder makes of int64[n, units]."""
        return self.form.pixels(
            [plane * steps for plane, steps in zip(self.planes(coefficients), self.steps, strict=True)]
        )

    def recover(self, images: Pixels, rounds: int = 200) -> NDArray[np.int64]:
        """int64[n, units], -2047 to 2047: what `pixels` made images of that were JPEG files, nearly always."""
        found = self._nearest(images)
        wrong = np.flatnonzero((self.pixels(found) != images).any((1, 2, 3)))
        found[wrong] = self._pursued(found[wrong], images[wrong], rounds)
        return found

    def _nearest(self, images: Pixels) -> NDArray[np.int64]:
        values = images.astype(np.float64)
        parts = np.moveaxis(values @ _TO_YCC.T if values.shape[3] == 3 else values, 3, 0)
        rows = []
        shrink = [np.linalg.pinv(_triangle(side)) for side in images.shape[1:3]] if self.form.halved else []
        for number, part in enumerate(parts):
            samples = shrink[0] @ part @ shrink[1].T if number and shrink else part
            level = 0 if number else 128
            rows.append(_transformed(samples - level) / self.steps[number])
        whole = np.concatenate([row.reshape(len(images), np.prod(row.shape[1:])) for row in rows], 1)
        found: NDArray[np.int64] = np.clip(np.rint(whole), -LARGEST, LARGEST).astype(np.int64)
        return found

    def _pursued(self, found: NDArray[np.int64], images: Pixels, rounds: int) -> NDArray[np.int64]:
        """The coefficients after as many changes by one as make the images of them more like those given."""
        found, wanted = found.copy(), images.astype(np.int64)
        made = self.pixels(found).astype(np.int64)
        tried, bold = np.zeros(found.shape, bool), np.ones(len(found), bool)
        for _ in range(rounds):
            errors = np.square(wanted - made).sum((1, 2, 3))
            left = np.flatnonzero(errors)
            if not len(left):
                break
            slopes = self._slopes(wanted[left] - made[left])
            gains = np.where(tried[left], -np.inf, 2 * np.abs(slopes) - self._costs)
            best = gains.max(1)
            least = np.where(bold[left] & (best > 0), best / 2, best)
            changes = np.sign(slopes).astype(np.int64) * (gains >= least[:, None])
            changed = np.clip(found[left] + changes, -LARGEST, LARGEST)
            made_of = self.pixels(changed).astype(np.int64)
            better = np.square(wanted[left] - made_of).sum((1, 2, 3)) < errors[left]
            found[left[better]], made[left[better]] = changed[better], made_of[better]
            tried[left] |= (changes != 0) & ~bold[left, None]
            tried[left[better]] = False
            bold[left] = better
        return found

    @cached_property
    def _costs(self) -> Floats:
        """float64[units]: the squares of what a change of each coefficient by one does to the values."""
        costs = []
        for number, steps in enumerate(self.steps):
            spread = _SPREAD if number and self.form.halved else 1.0
            to_rgb = np.square(_TO_RGB[number]).sum() if len(self.steps) == 3 else 1.0
            costs.append(
                np.broadcast_to(_SEEN * spread * to_rgb * np.square(steps), (*self.form.grids[number], SIDE, SIDE))
            )
        return np.concatenate([cost.ravel() for cost in costs])

    def _slopes(self, missing: NDArray[np.int64]) -> Floats:
        """float64[n, units]: how the product with what is missing changes with each coefficient."""
        slopes = []
        for number, steps in enumerate(self.steps):
            to_rgb = _TO_RGB[number] if len(self.steps) == 3 else np.ones(1)
            part = missing @ to_rgb
            if number and self.form.halved:
                up, across = (_triangle(side) for side in missing.shape[1:3])
                part = up.T @ part @ across
            slopes.append((_transformed(part) * steps).reshape(len(missing), -1))
        return np.concatenate(slopes, 1)


def _transformed(samples: Floats) -> Floats:
    """[n, rows, columns, 8, 8], the cosine transforms of the blocks of [n, height, width]."""
    n, height, width = samples.shape
    blocks = samples.reshape(n, height // SIDE, SIDE, width // SIDE, SIDE).swapaxes(2, 3)
    transformed: Floats = _COSINES @ blocks @ _COSINES.T
    return transformed


def _triangle(size: int) -> Floats:
    """float64[size, ceil(size / 2)]: how the samples of an enlarged side follow from those of the small one."""
    small = np.eye(-(-size // 2))
    around = np.concatenate([small[:1], small, small[-1:]])
    return np.stack([3 * small + around[:-2], 3 * small + around[2:]], 1).reshape(-1, len(small))[:size] / 4


def grid_of(images: Pixels) -> Grid | None:
    """The grid that images are on, where some of them were JPEG files, of one of libjpeg's qualities.

    The images must be whole blocks, as they lie in the files: nothing scaled, and nothing cut but whole blocks.
    """
    height, width, channels = images.shape[1:]
    most = max(_FEWEST, _SAMPLE // (height * width * channels))
    some = images[:: -(-len(images) // most)] if len(images) else images
    forms = [form for halved in (True, False) if (form := Form((height, width, channels), halved)).whole]
    rounds = _ROUNDS if height * width * channels <= _SMALL else 0
    best, share = None, _ENOUGH
    for quality in _qualities(some)[:_LIKELY] if forms else []:
        luma, chroma = steps_of(quality)
        for form in forms:
            grid = Grid(form, np.stack([luma, chroma, chroma][:channels]))
            found = (grid.pixels(grid.recover(some, rounds)) == some).all((1, 2, 3)).mean()
            if found > share:
                best, share = grid, found
    return best


def _qualities(images: Pixels) -> list[int]:
    """The qualities, ascending, whose steps the luma of blocks without clipped values may be multiples of."""
    values = images.astype(np.float64)
    luma = (values @ _TO_YCC[0] if values.shape[3] == 3 else values[..., 0]) - 128
    clipped = np.square(_transformed(((images == 0) | (images == 255)).any(3).astype(np.float64))).sum((3, 4)) > 0
    blocks = _transformed(luma)[~clipped]
    distances = (blocks - steps * np.rint(blocks / steps) for steps in (steps_of(q)[0] for q in range(1, _FINEST + 1)))
    return [q for q, distance in enumerate(distances, 1) if len(blocks) and np.square(distance).mean() < _NOISE]
