"""Convolutions in whole numbers that keep the grid: a sum for each place of its KERNEL x KERNEL neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from engram.coding.integer import EXACT32, EXACT64, InexactNetwork, IntegerLayer, Integers, reach_of
from engram.coding.linear import Floats

KERNEL = 3


class ExactConvolution:
    """A 3 x 3 convolution in whole numbers, on float32[n, rows, columns, inputs], with zeros around the grid.

    One matrix product for each tap of the kernel. Taps whose sums together stay below 2^24 are summed in float32, and
    such groups in float64; each is exact, so the grouping decides nothing but the speed.
    """

    def __init__(self, layer: IntegerLayer, largest: Integers, added: float = 0.0) -> None:
        """largest: of each input; added: the largest of what is added to the sums. Raises InexactNetwork."""
        self.layer, self.bias = layer, layer.linear.bias.astype(np.float64)
        reach = reach_of(layer.linear, largest) + layer.half + added
        if reach >= EXACT64:
            raise InexactNetwork(f"a convolution's sums may reach {reach:.0f}, beyond {EXACT64 - 1}")
        weight = np.ascontiguousarray(layer.linear.weight.transpose(2, 3, 1, 0))
        self.groups, room = list[list[tuple[int, int, Floats]]](), 0.0
        for i, j in np.ndindex(KERNEL, KERNEL):
            needed = float((largest @ np.abs(weight[i, j].astype(np.float64))).max())
            if needed >= EXACT32:
                raise InexactNetwork(f"the sums of one tap may reach {needed:.0f}, beyond {EXACT32 - 1}")
            if not self.groups or needed >= room:
                self.groups.append([])
                room = EXACT32
            room -= needed
            self.groups[-1].append((i, j, weight[i, j].astype(np.float32)))

    def __call__(self, x: Floats, features: Integers | None = None) -> Floats:
        """float32[n, rows, columns, outputs]; features[rows, columns, outputs] are added to the sums."""
        n, rows, columns, inputs = x.shape
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        sums: Any = np.empty((n, rows, columns, len(self.bias)))
        sums[:] = self.bias if features is None else self.bias + features
        sums = sums.reshape(n * rows * columns, -1)
        for group in self.groups:
            whole = np.zeros(sums.shape, np.float32)
            for i, j, weight in group:
                whole += padded[:, i : i + rows, j : j + columns].reshape(-1, inputs) @ weight
            sums += whole
        return self.layer.rounded(sums).reshape(n, rows, columns, -1)
