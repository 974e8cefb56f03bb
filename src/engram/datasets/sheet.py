"""A sheet to draw on: pixels of many images at once, and the random numbers that make each its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engram.datasets.silhouettes import Field, Level, ramp

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
"""From random numbers to (depth, shade): where the garment is, and how bright it is there, about 0 to 1."""


def line(shade: Field, depth: Field, thickness: Level, darkness: Level) -> Field:
    """The shade with a line drawn on it along depth 0; a negative darkness makes it light."""
    return shade * (1 - darkness * ramp(thickness - np.abs(depth), 0.0, 0.06))
