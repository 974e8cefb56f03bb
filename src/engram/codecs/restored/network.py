"""A restoration in whole numbers: from the pixels of a coarse code to pixels nearer to the originals.

h      = each hidden layer of what the one before gives, the first of the gray levels     3 x 3 convolutions
change = the last layer of h, in gray levels, at most `largest_change` up or down
pixel  = min(max(gray level + change, 0), 255)

Around the image everything is 0. A pixel code that errs by N at most says that the original lies within N of what it
gives; so a change within N never leads away from there, and leaves an error of 2 N at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engram.coding.convolution import KERNEL, ExactConvolution
from engram.coding.integer import IntegerLayer, MisfitNetwork
from engram.coding.linear import Floats
from engram.images import Pixels

_TOGETHER = 1 << 14
"""About how many pixels are restored together."""


@dataclass(frozen=True, eq=False)
class Restoration:
    """layers: two or more convolutions, all but the last with results of 0 and above, the last from -N to N.

    Raises MisfitNetwork where they do not follow on each other, or InexactNetwork, when made.
    """

    channels: int
    layers: tuple[IntegerLayer, ...]
    _convolutions: list[ExactConvolution] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        largest = np.full(self.channels, 255)
        for layer in self.layers:
            outputs, *rest = layer.linear.weight.shape
            if rest != [len(largest), KERNEL, KERNEL]:
                raise MisfitNetwork(f"a convolution of {[outputs, *rest]} cannot take {len(largest)}")
            self._convolutions.append(ExactConvolution(layer, largest))
            largest = np.full(outputs, layer.high)
        if len(largest) != self.channels:
            raise MisfitNetwork(f"a restoration of {self.channels} channels cannot give {len(largest)}")

    @property
    def largest_change(self) -> int:
        return self.layers[-1].high

    def restored(self, images: Pixels) -> Pixels:
        """uint8[n, h, w, c] of uint8[n, h, w, c], of any size. Each image is restored by itself."""
        _, height, width, _ = images.shape
        reach = len(self.layers) * (KERNEL // 2)
        rows, chunk = max(1, _TOGETHER // width), max(1, _TOGETHER // (height * width))
        made = np.empty_like(images)
        for first in range(0, len(images), chunk):
            for top in range(0, height, rows):
                start = max(0, top - reach)
                part = images[first : first + chunk, start : top + rows + reach].astype(np.float32)
                whole = (part + self._changes(part)).clip(0, 255)
                made[first : first + chunk, top : top + rows] = whole[:, top - start : top - start + rows]
        return made

    def _changes(self, x: Floats) -> Floats:
        for convolution in self._convolutions:
            x = convolution(x)
        return x
