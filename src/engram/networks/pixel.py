"""The network of a pixel code: from a value's neighbours to a distribution of the value. (Ours; the paper has none.)

A chance of "not 0", and for the rest a mixture of logistics, each integrated over what rounds to a symbol (Salimans et
al., PixelCNN++, section 2.1). What `codecs/pixel` codes with is this network in whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.coding.mixture import LARGEST_COMPONENTS
from engram.coding.neighbourhood import FULL, LARGEST_KNOTS, LARGEST_RADIUS, Edges, Neighbourhood
from engram.errors import UsageError
from engram.layers import Dense, Layer, Network
from engram.networks.description import set_parameters, to_array

HALF_RANGE = 128.0
"""Gray levels enter, and means leave, in this unit; means and gray levels around it."""
LOG_SCALES = (-7.0, 3.0)
EFFORTS: dict[str, dict[str, Any]] = {
    "fast": {"hidden": (24, 24), "components": 3, "radius": 2},
    "default": {"hidden": (48, 48), "components": 5, "radius": 3},
    "best": {"hidden": (192, 192, 192), "components": 8, "radius": 4},
}
"""How much a network thinks about each value: each packs slower than the one before, and saves some per cent."""
LARGEST_DEPTH, LARGEST_WIDTH = 8, 1024
"""Hidden layers, and units of one, that the codec takes."""
LEAST_CHANCE = 1e-4
"""Of all values together, whatever the mixture says."""


class PixelNetwork(nn.Module):
    """float32[n, inputs + features] to float32[n, 1 + 3K]: logit of "not 0", K logits, K means, K logarithms of scales.

    Each channel has layers of its own. They see how far neighbours are from a first guess at the value, the mean of
    the pixels to the left and above, and the means that they give are added to it. That is linear: `describe` folds it
    into the weights.

    hidden: units of each hidden layer. components: K. radius, knots, edges: the Neighbourhood's. max_error: the gray
    levels that are told apart are 2 max_error + 1 from each other.
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
        edges: Edges = "nearest",
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
            "edges": edges,
        }
        self.image_shape, self.components, self.step = image_shape, components, 2 * max_error + 1
        self.channels = image_shape[2]
        self.neighbourhood = Neighbourhood(image_shape, radius, knots, edges)
        if not self.neighbourhood.fits(hidden[0]):
            raise UsageError(f"images of {image_shape[0]} x {image_shape[1]} are too large for a pixel code")
        offsets = self.neighbourhood.offsets
        self._left, self._above = offsets.index((0, -1)), offsets.index((-1, 0))
        self.layers = nn.ModuleList()
        for channel in range(self.channels):
            taken = self._fold(channel).shape[1]
            widths = pairwise((taken, *hidden))
            layers = [*(nn.Linear(i, o) for i, o in widths), nn.Linear(hidden[-1] + taken, 1 + 3 * components)]
            _start(layers, components)
            self.layers.append(nn.ModuleList(layers))

    def forward(self, x: Tensor, channel: int = 0) -> Tensor:
        *hidden, head = self._layers(channel)
        relative = self._relative(x, channel)
        h = relative
        for layer in hidden:
            h = functional.relu(layer(h))
        outputs = head(torch.cat((h, relative), 1))
        flag, means, scales = outputs.tensor_split((1 + self.components, 1 + 2 * self.components), 1)
        return torch.cat((flag, means + relative[:, channel - self.channels, None] - 1, scales), 1)

    def _relative(self, x: Tensor, channel: int) -> Tensor:
        """What a channel's layers take: neighbours less the first guess, positions, the first guess of each channel."""
        around = self.neighbourhood
        taken = len(around.offsets) * self.channels
        near, own, positions = x.tensor_split((taken, around.inputs), 1)
        near = near.view(len(x), -1, self.channels)
        guess = (near[:, self._left] + near[:, self._above]) / 2
        near, own = 2 * (near - guess[:, None]), 2 * (own - guess[:, :-1])
        return torch.cat((near.flatten(1), own[:, :channel], positions, guess), 1)

    def _layers(self, channel: int) -> list[nn.Linear]:
        return [layer for layer in self.layers[channel].children() if isinstance(layer, nn.Linear)]

    def hidden_weights(self) -> list[Tensor]:
        """The matrices of the hidden layers, of every channel."""
        return [layer.weight for channel in range(self.channels) for layer in self._layers(channel)[:-1]]

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
        """The layers of each channel, hidden ones first, as the network's `prior`; they take values of 0 to 255."""
        described: list[Layer] = []
        for channel in range(self.channels):
            fold, (first, *hidden, head) = self._fold(channel), self._layers(channel)
            described.append(_dense(fold @ _transposed(first), first.bias, "relu"))
            described += [_dense(layer.weight.t(), layer.bias, "relu") for layer in hidden]
            weight, bias = _transposed(head), head.bias.detach().cpu().double()
            wide, means = len(weight) - fold.shape[1], self._means
            weight[channel - self.channels, means] += 1
            bias[means] -= 1
            described.append(_dense(torch.cat((weight[:wide], fold @ weight[wide:])), bias, "none"))
        return Network(self.method, self.image_shape, (), (), tuple(described))

    @torch.no_grad()
    def absorb(self, network: Network) -> None:
        """Take the weights of a description that `describe` of an equal network gave. Raises CorruptData."""
        described = [part for layer in self.describe().prior for part in (layer.weight, layer.bias)]  # type: ignore[union-attr]
        parts = [torch.from_numpy(part) for part in described]
        set_parameters(network.prior, *parts)
        for channel in range(self.channels):
            unfold, layers = torch.linalg.pinv(self._fold(channel)), self._layers(channel)
            first, head = layers[0], layers[-1]
            for layer in layers:
                weight, bias, *parts = parts[0].double(), parts[1], *parts[2:]
                if layer is first:
                    weight = unfold @ weight
                elif layer is head:
                    wide = len(weight) - unfold.shape[1]
                    weight = torch.cat((weight[:wide], unfold @ weight[wide:]))
                    weight[channel - self.channels, self._means] -= 1
                    bias[self._means] += 1
                layer.weight.copy_(weight.t())
                layer.bias.copy_(bias)

    @property
    def _means(self) -> slice:
        return slice(1 + self.components, 1 + 2 * self.components)

    def _fold(self, channel: int) -> Tensor:
        """float64[inputs + features, what the channel's layers take]: what makes it of values of 0 to 255."""
        around = self.neighbourhood
        scale = torch.tensor([1 / HALF_RANGE] * around.inputs + [1 / FULL] * around.features, dtype=torch.float64)
        return self._relative(torch.diag(scale), channel)

    def inputs(self, canvases: Tensor, taps: Tensor, positions: Tensor) -> Tensor:
        """float32[n, inputs + features] of flat canvases in gray levels, int64[n, inputs] into them, and positions."""
        around = torch.index_select(canvases, 0, taps.reshape(-1)).view(taps.shape)
        return torch.cat((around / HALF_RANGE, positions), 1)


@torch.no_grad()
def _start(layers: list[nn.Linear], components: int) -> None:
    """Sets the weights that a channel starts from: means around the first guess, narrow scales."""
    *hidden, head = layers
    for layer in hidden:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layer.bias.zero_()
    head.weight.normal_(0, 0.05)
    head.weight[:, hidden[-1].out_features :] = 0
    head.bias.zero_()
    head.bias[1 + components : 1 + 2 * components] = torch.linspace(-0.06, 0.06, components)
    head.bias[1 + 2 * components :] = -3.0


def _transposed(layer: nn.Linear) -> Tensor:
    return layer.weight.detach().cpu().double().t().clone()


def _dense(weight: Tensor, bias: Tensor, activation: Literal["none", "relu"]) -> Dense:
    return Dense(to_array(weight), to_array(bias), activation)
