"""The network of a pixel code: from a value's neighbours to a distribution of the value. (Ours; the paper has none.)

A chance of "not 0", and for the rest a mixture of logistics, each integrated over what rounds to a symbol (Salimans et
al., PixelCNN++, section 2.1). What `codecs/pixel` codes with is this network in whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.coding.mixture import LARGEST_COMPONENTS
from engram.coding.neighbourhood import FULL, LARGEST_KNOTS, LARGEST_RADIUS, Neighbourhood
from engram.errors import UsageError
from engram.layers import Dense, Network
from engram.networks.description import set_parameters

HALF_RANGE = 128.0
"""Gray levels enter, and means leave, in this unit; means and gray levels around it."""
LOG_SCALES = (-7.0, 3.0)
EFFORTS: dict[str, dict[str, Any]] = {
    "fast": {"hidden": (32, 32), "components": 4, "radius": 3},
    "default": {"hidden": (64, 64, 64), "components": 5, "radius": 3},
    "best": {"hidden": (96, 96, 96), "components": 5, "radius": 4},
}
"""How much a network thinks about each value: sizes between which packing takes two to three times as long."""
LARGEST_DEPTH, LARGEST_WIDTH = 8, 1024
"""Hidden layers, and units of one, that the codec takes."""
LEAST_CHANCE = 1e-4
"""Of all values together, whatever the mixture says."""


class PixelNetwork(nn.Module):
    """float32[n, inputs + features] to float32[n, 1 + 3K]: logit of "not 0", K logits, K means, K logarithms of scales.

    hidden: units of each hidden layer. components: K. radius, knots: the Neighbourhood's. max_error: the gray levels
    that are told apart are 2 max_error + 1 from each other.
    """

    method: ClassVar[str] = "pixel"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        hidden: Sequence[int] = (64, 64, 64),
        components: int = 5,
        radius: int = 3,
        knots: int = 8,
        max_error: int = 0,
    ) -> None:
        super().__init__()
        limits = [(len(hidden), 1, LARGEST_DEPTH), *((units, 1, LARGEST_WIDTH) for units in hidden)]
        limits += [(components, 1, LARGEST_COMPONENTS), (radius, 1, LARGEST_RADIUS), (knots, 2, LARGEST_KNOTS)]
        if not all(least <= value <= most for value, least, most in [*limits, (max_error, 0, 63)]):
            raise UsageError(
                f"a pixel network takes 1 to {LARGEST_DEPTH} hidden layers of 1 to {LARGEST_WIDTH} units, "
                f"1 to {LARGEST_COMPONENTS} components, a radius of 1 to {LARGEST_RADIUS}, 2 to {LARGEST_KNOTS} knots, "
                "and a max_error of 0 to 63"
            )
        self.options: dict[str, Any] = {
            "hidden": list(hidden),
            "components": components,
            "radius": radius,
            "knots": knots,
            "max_error": max_error,
        }
        self.image_shape, self.components, self.step = image_shape, components, 2 * max_error + 1
        self.neighbourhood = Neighbourhood(image_shape, radius, knots)
        if not self.neighbourhood.fits(hidden[0]):
            raise UsageError(f"images of {image_shape[0]} x {image_shape[1]} are too large for a pixel code")
        taken = self.neighbourhood.inputs + self.neighbourhood.features
        widths = [taken, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.head = nn.Linear(widths[-1] + taken, 1 + 3 * components)
        with torch.no_grad():
            for layer in self._layers()[:-1]:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                layer.bias.zero_()
            self.head.weight.normal_(0, 0.05)
            self.head.weight[:, widths[-1] :] = 0
            self.head.bias.zero_()
            self.head.bias[1 + components : 1 + 2 * components] = torch.linspace(-0.6, 0.6, components)
            self.head.bias[1 + 2 * components :] = -2.0

    def _layers(self) -> list[nn.Linear]:
        return [layer for layer in (*self.hidden, self.head) if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for layer in self.hidden:
            h = functional.relu(layer(h))
        outputs: Tensor = self.head(torch.cat((h, x), 1))
        return outputs

    def nats(self, outputs: Tensor, symbols: Tensor) -> Tensor:
        """float32[n]: what each symbol, int64[n], costs under its distribution."""
        last, k = (255 + self.step // 2) // self.step, self.components
        logit = outputs[:, 0]
        shares = functional.log_softmax(outputs[:, 1 : 1 + k], 1)
        narrow = torch.exp(-outputs[:, 1 + 2 * k :].clamp(*LOG_SCALES))
        gray = (symbols * self.step).float()[:, None]
        away = ((gray - HALF_RANGE) / HALF_RANGE - outputs[:, 1 + k : 1 + 2 * k]) * narrow
        half = self.step / 2 / HALF_RANGE * narrow
        above = torch.where((symbols == last)[:, None], 1.0, torch.sigmoid(away + half))
        below = torch.where((symbols <= 1)[:, None], 0.0, torch.sigmoid(away - half))
        chance = ((above - below).clamp_min(0) * shares.exp()).sum(1)
        chance = chance * (1 - LEAST_CHANCE) + LEAST_CHANCE / 256
        black = symbols == 0
        flag = torch.sigmoid(torch.where(black, -logit, logit)).clamp_min(1e-7)
        return -flag.log() - torch.where(black, 0.0, chance.log())

    def describe(self) -> Network:
        """The layers, hidden ones first, as the network's `prior`; they take gray levels and features of 0 to 255."""
        scale, layers = self._scale(), []
        for layer in self._layers():
            weight = layer.weight.detach().cpu().clone()
            if layer is self.hidden[0]:
                weight *= scale
            elif layer is self.head:
                weight[:, -len(scale) :] *= scale
            activation: Any = "none" if layer is self.head else "relu"
            layers.append(
                Dense(np.ascontiguousarray(weight.numpy().T), layer.bias.detach().cpu().numpy().copy(), activation)
            )
        return Network(self.method, self.image_shape, (), (), tuple(layers))

    def absorb(self, network: Network) -> None:
        """Take the weights of a description that `describe` of an equal network gave. Raises CorruptData."""
        layers, scale = self._layers(), self._scale()
        with torch.no_grad():
            set_parameters(network.prior, *(part for layer in layers for part in (layer.weight.t(), layer.bias)))
            layers[0].weight.div_(scale)
            layers[-1].weight[:, -len(scale) :].div_(scale)

    def _scale(self) -> Tensor:
        """What the network multiplies its inputs, 0 to 255, with."""
        around = self.neighbourhood
        return torch.tensor([1 / HALF_RANGE] * around.inputs + [1 / FULL] * around.features)

    def inputs(self, canvases: Tensor, taps: Tensor, positions: Tensor) -> Tensor:
        """float32[n, inputs + features] of flat canvases in gray levels, int64[n, inputs] into them, and positions."""
        around = torch.index_select(canvases, 0, taps.reshape(-1)).view(taps.shape)
        return torch.cat((around / HALF_RANGE, positions), 1)
