"""The grid of a spatial code: which cells a cell's distributions see, in which order cells come, and what says where.

A cell stands for BLOCK x BLOCK pixels of each channel; an image is completed to whole blocks below and to the right. A
cell at (y, x) sees those at (y + dy, x + dx) of OFFSETS, 0 outside of the grid. All of them come before step x + 2 y,
so the cells of one step, a *wave*, are decoded together: a grid of 7 x 7 takes 19 steps, not 49.

Beside its neighbours, a cell knows its row, its column and how coarse its image is, each by triangles around knots. The
quantisation step is counted in half gray levels, and its knots are powers of two, so all of this is whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

BLOCK = 4
OFFSETS = ((-2, -1), (-2, 0), (-2, 1), (-1, -2), (-1, -1), (-1, 0), (-1, 1), (0, -2), (0, -1))
"""(dy, dx) of the cells that are seen."""
MARGIN = 2
"""How far they reach."""
KNOTS = 7
FINEST, COARSEST = 16, 1024
"""The least and the largest quantisation step, in half gray levels."""
OCTAVES = 6
"""How often the least is doubled to the largest."""
FULL = 16
"""What a feature is at its knot."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """The cells of images of one shape."""

    image_shape: tuple[int, int, int]

    @property
    def rows(self) -> int:
        return -(-self.image_shape[0] // BLOCK)

    @property
    def columns(self) -> int:
        return -(-self.image_shape[1] // BLOCK)

    @property
    def units(self) -> int:
        """Of a cell: one for each of its values."""
        return BLOCK * BLOCK * self.image_shape[2]

    @property
    def neighbours(self) -> int:
        """How many numbers of other cells a cell sees."""
        return len(OFFSETS) * self.units

    @property
    def features(self) -> int:
        """How many numbers say where a cell lies, and how coarse its image is."""
        return 2 * KNOTS + OCTAVES + 1

    @cached_property
    def positions(self) -> Indices:
        """int64[2 KNOTS, rows, columns], 0 to FULL: triangles around knots that lie evenly from edge to edge."""
        y, x = np.indices((self.rows, self.columns))
        return np.concatenate([_triangles(y, self.rows), _triangles(x, self.columns)])

    def features_at(self, step: int) -> Indices:
        """int64[features, rows, columns], 0 to FULL, of all cells at a step of FINEST to COARSEST half gray levels."""
        rate = np.broadcast_to(coarseness(step)[:, None, None], (OCTAVES + 1, self.rows, self.columns))
        return np.concatenate([self.positions, rate])

    @cached_property
    def waves(self) -> list[tuple[Indices, Indices]]:
        """(rows, columns) of the cells that are decoded together, in order of time; within a wave from the top down."""
        y, x = np.indices((self.rows, self.columns)).reshape(2, -1)
        time = x + 2 * y
        order = np.argsort(time, kind="stable")
        starts = np.flatnonzero(np.diff(time[order])) + 1
        return [(y[cells], x[cells]) for cells in np.split(order, starts)]

    def cosines(self) -> NDArray[np.float64]:
        """[units, values]: an orthonormal discrete cosine transform, units by rising frequency.

        The values of a block come channel by channel, each row by row. Of each frequency there are as many units as
        channels: of colours, that of their mean, of red less blue, and of green less both.
        """
        at = np.arange(BLOCK)
        basis = np.cos(np.pi * (2 * at + 1) * at[:, None] / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
        basis[0] /= np.sqrt(2)
        both = np.einsum("ux,vy->uvxy", basis, basis).reshape(BLOCK * BLOCK, -1)
        order = np.argsort(np.add.outer(at, at).ravel(), kind="stable")
        channels = self.image_shape[2]
        colours = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) if channels == 3 else np.eye(channels)
        colours = colours / np.sqrt(np.square(colours).sum(axis=1, keepdims=True))
        matrix = np.kron(colours, both[order])
        return matrix.reshape(channels, len(order), -1).swapaxes(0, 1).reshape(self.units, -1)


def coarseness(step: int) -> Indices:
    """int64[OCTAVES + 1], 0 to FULL: triangles around the powers of two from FINEST to COARSEST, for a step."""
    octave = step.bit_length() - FINEST.bit_length()
    least = FINEST << octave
    above = FULL * (step - least) // least
    features = np.zeros(OCTAVES + 2, np.int64)
    features[octave : octave + 2] = FULL - above, above
    return features[:-1]


def largest_sums(matrix: Indices) -> Indices:
    """int64[outputs]: what features, at any cell and step, times matrix[features, outputs] reach at the most.

    The triangles of the step sum to FULL; those of the row, and of the column, to 1 more where both are rounded up.
    """
    row, column, step = (part.max(axis=0) for part in np.split(np.abs(matrix), [KNOTS, 2 * KNOTS]))
    sums: Indices = (FULL + 1) * (row + column) + FULL * step
    return sums


def _triangles(at: Indices, size: int) -> Indices:
    """int64[KNOTS, ...] of coordinates 0 to size - 1."""
    span = max(1, size - 1)
    away = np.abs(at * (KNOTS - 1) - (np.arange(KNOTS) * span)[:, None, None])
    triangles: Indices = np.maximum(0, FULL - FULL * away // span)
    return triangles
