"""A spatial code: a grid of small codes, each with distributions that the codes before it give.

    image --analysis--> grid of codes --round--> symbols --synthesis--> image
                                                    |
                                                  prior: a mean and a scale for each unit of each cell

A cell stands for BLOCK x BLOCK pixels. Analysis and synthesis start as the discrete cosine transform of each block and
its inverse, and convolutions over the grid learn what to add. One network serves many rates: the quantisation step is
one of its inputs, so a step chosen at packing is the dial. (Ours; the paper has none.)

What a cell knows beside its neighbours, and the order of cells, is in `coding/grid`.
"""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engram import layers
from engram.coding.grid import BLOCK, COARSEST, FINEST, FULL, MARGIN, OCTAVES, OFFSETS, Grid
from engram.errors import UsageError
from engram.networks.autoassociative import AutoAssociative
from engram.networks.description import set_parameters, to_array

SCALE = 4.0
"""The prior sees symbols divided by this: trainings like numbers near 1."""
MIDDLE_STEP = 32.0
"""The step, in gray levels, that the network is run at where none is said."""


@final
class Spatial(AutoAssociative):
    """Images are float32[n, c, h, w] in [0, 1], codes float32[n, units, rows, columns] in steps.

    analysis_width, synthesis_width: channels of the convolutions. context, hidden: units of the prior's layers that
    look at the cells before, and at the units before as well. Steps are in gray levels, one for each image.
    """

    method = "spatial"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        analysis_width: int = 96,
        synthesis_width: int = 128,
        context: int = 160,
        hidden: int = 256,
    ) -> None:
        super().__init__(image_shape)
        if min(analysis_width, synthesis_width, context, hidden) < 1:
            raise UsageError("a spatial network's widths are all at least 1")
        self.options_given = {
            "analysis_width": analysis_width,
            "synthesis_width": synthesis_width,
            "context": context,
            "hidden": hidden,
        }
        self.grid = grid = Grid(image_shape)
        units, features = grid.units, grid.features
        self.analysis_layers = _Convolutions(units, features, analysis_width, last=1)
        self.synthesis_layers = _Convolutions(units, features, synthesis_width, last=3)
        self.prior = _Prior(units, grid.neighbours, features, context, hidden)
        self.register_buffer("positions", torch.from_numpy(grid.positions).float() / FULL, persistent=False)
        with torch.no_grad():
            cosines = torch.from_numpy(grid.cosines()).float()
            self.analysis_layers.start_from(cosines)
            self.synthesis_layers.start_from(cosines.T)

    def features(self, steps: Tensor) -> Tensor:
        """float32[n, features, rows, columns], 0 to 1: where a cell lies, and how coarse its image is."""
        positions = self.get_buffer("positions").expand(len(steps), -1, -1, -1)
        doubled = (steps * 2).clamp(FINEST, COARSEST)
        octave = (doubled / FINEST).log2().floor().clamp_max(OCTAVES - 1)
        at = octave + doubled / (FINEST * 2**octave) - 1  # straight lines between the powers of two
        coarseness = (1 - (at[:, None] - torch.arange(OCTAVES + 1, device=at.device)).abs()).clamp_min(0)
        return torch.cat([positions, coarseness[:, :, None, None].expand(-1, -1, *positions.shape[2:])], 1)

    def analysis(self, images: Tensor, steps: Tensor | None = None) -> Tensor:
        if steps is None:
            steps = images.new_full((len(images),), MIDDLE_STEP)
        height, width, channels = self.image_shape
        rows, columns = self.grid.rows, self.grid.columns
        whole = functional.pad(images, (0, columns * BLOCK - width, 0, rows * BLOCK - height), "replicate")
        blocks = whole.reshape(len(images), channels, rows, BLOCK, columns, BLOCK)
        cells = blocks.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)  # pixel_unshuffle fails for 0 images
        code: Tensor = self.analysis_layers(cells, self.features(steps)) * (255 / steps)[:, None, None, None]
        return code

    def synthesis(self, code: Tensor, steps: Tensor | None = None) -> Tensor:
        if steps is None:
            steps = code.new_full((len(code),), MIDDLE_STEP)
        height, width, channels = self.image_shape
        rows, columns = self.grid.rows, self.grid.columns
        cells: Tensor = self.synthesis_layers(code * (steps / 255)[:, None, None, None], self.features(steps))
        blocks = cells.reshape(len(code), channels, BLOCK, BLOCK, rows, columns).permute(0, 1, 4, 2, 5, 3)
        return blocks.reshape(len(code), channels, rows * BLOCK, columns * BLOCK)[:, :, :height, :width]

    def forward(self, images: Tensor) -> Tensor:
        return self.synthesis(self.analysis(images).round()).clamp(0, 1)

    def distributions(self, symbols: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the scale of each unit's logistic distribution: float[n, units, rows, columns].

        symbols: as many.
        """
        n, units, rows, columns = symbols.shape
        scaled = symbols / SCALE
        around = functional.pad(scaled, (MARGIN, MARGIN, MARGIN, 0))
        near = [around[:, :, MARGIN + dy :, MARGIN + dx :][:, :, :rows, :columns] for dy, dx in OFFSETS]
        context, features, own = (
            part.permute(0, 2, 3, 1).flatten(0, 2) for part in (torch.cat(near, 1), self.features(steps), scaled)
        )
        outputs = self.prior(context, features, own).float()
        mean, log_scale = outputs.view(n, rows, columns, 2, units).permute(3, 0, 4, 1, 2)
        return mean * SCALE, log_scale

    def describe(self) -> layers.Network:
        """Plain data; `codecs/spatial` says how the layers are joined. The prior takes symbols, not scaled."""
        return layers.Network(
            self.method,
            self.image_shape,
            analysis=(layers.Unshuffle(BLOCK), *self.analysis_layers.describe()),
            synthesis=(*self.synthesis_layers.describe(), layers.Shuffle(BLOCK), layers.Crop(*self.image_shape[:2])),
            prior=self.prior.describe(),
        )

    def absorb(self, network: layers.Network) -> None:
        self.analysis_layers.absorb(network.analysis[1:])
        self.synthesis_layers.absorb(network.synthesis[:-2])
        self.prior.absorb(network.prior)

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.options_given)


class _Convolutions(nn.Module):
    """Two rectified 3 x 3 convolutions, and one that takes their result and, beside it, the first one's own input.

    The features of each cell are added to the first one's sums, by a matrix.
    """

    def __init__(self, inputs: int, features: int, width: int, last: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.features = nn.Linear(features, width, bias=False)
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.output = nn.Conv2d(width + inputs, inputs, last, padding=last // 2)

    @torch.no_grad()
    def start_from(self, matrix: Tensor) -> None:
        """Start near a map of each cell by itself: matrix[outputs, inputs]."""
        middle = self.output.kernel_size[0] // 2
        self.output.bias.zero_()  # type: ignore[union-attr]
        self.output.weight.mul_(0.1)
        self.output.weight[:, -self.inputs :] = 0
        self.output.weight[:, -self.inputs :, middle, middle] = matrix

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        sums = self.first(x)
        sums = sums + functional.linear(features.movedim(1, 3), self.features.weight).movedim(3, 1)
        hidden = functional.relu(self.second(functional.relu(sums)))
        result: Tensor = self.output(torch.cat([hidden, x.to(hidden.dtype)], 1))
        return result

    def _in_order(self) -> list[Tensor]:
        return [
            self.features.weight.t(),
            *(getattr(layer, name) for layer in (self.first, self.second, self.output) for name in ("weight", "bias")),
        ]

    def describe(self) -> tuple[layers.Layer, ...]:
        """The matrix of the features, 0 to FULL, then the convolutions."""
        matrix, *rest = (to_array(parameter) for parameter in self._in_order())
        described: list[layers.Layer] = [layers.Features(matrix / np.float32(FULL))]
        activations: list[layers.Activation] = ["relu", "relu", "none"]
        for weight, bias, activation in zip(rest[::2], rest[1::2], activations, strict=True):
            described.append(layers.Convolution(weight, bias, 1, weight.shape[2] // 2, activation))
        return tuple(described)

    @torch.no_grad()
    def absorb(self, description: tuple[layers.Layer, ...]) -> None:
        """Take what `describe` gave."""
        set_parameters(description, *self._in_order())
        self.features.weight.mul_(FULL)


class _Prior(nn.Module):
    """From the context of a cell and its units to two numbers a unit, u and units + u, which see the units before u.

    c1 = relu(context + features),  c2 = relu(c1)
    h1 = relu(c2, units),  h2 = relu(h1)          number j of h sees the units before floor(j * units / h)
    output = (h2, c2, context, units)             number u sees the numbers of h that see no unit from u on
    """

    def __init__(self, units: int, neighbours: int, features: int, context: int, hidden: int) -> None:
        super().__init__()
        self.units = units
        self.features = nn.Linear(features, context, bias=False)
        self.first = nn.Linear(neighbours, context)
        self.second = nn.Linear(context, context)
        self.third = nn.Linear(context + units, hidden)
        self.fourth = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden + context + neighbours + units, 2 * units)
        unit, gives = torch.arange(units), torch.arange(2 * units)[:, None] % units
        sees = torch.arange(hidden) * units // hidden
        seen = torch.ones(2 * units, context + neighbours, dtype=torch.bool)
        masks = {
            "third_mask": torch.cat([torch.ones(hidden, context, dtype=torch.bool), unit < sees[:, None]], 1),
            "fourth_mask": sees <= sees[:, None],
            "output_mask": torch.cat([sees <= gives, seen, unit < gives], 1),
        }
        for name, mask in masks.items():
            self.register_buffer(name, mask.float(), persistent=False)
        with torch.no_grad():
            self.fourth.weight.mul_(math.sqrt(2))
            self.output.weight[:, : hidden + context].mul_(0.1)
            self.output.weight[:, hidden + context :] = 0

    def _layers(self) -> tuple[nn.Linear, ...]:
        return self.first, self.second, self.third, self.fourth, self.output

    def _weights(self) -> list[Tensor]:
        masks = (self.get_buffer(f"{name}_mask") for name in ("third", "fourth", "output"))
        masked = [layer.weight * mask for layer, mask in zip(self._layers()[2:], masks, strict=True)]
        return [self.first.weight, self.second.weight, *masked]

    def forward(self, context: Tensor, features: Tensor, units: Tensor) -> Tensor:
        first, second, third, fourth, output = self._weights()
        sums = functional.linear(context, first, self.first.bias)
        sums = sums + functional.linear(features, self.features.weight)
        seen = functional.relu(functional.linear(functional.relu(sums), second, self.second.bias))
        context, units = context.to(seen.dtype), units.to(seen.dtype)
        hidden = functional.relu(functional.linear(torch.cat([seen, units], 1), third, self.third.bias))
        hidden = functional.relu(functional.linear(hidden, fourth, self.fourth.bias))
        return functional.linear(torch.cat([hidden, seen, context, units], 1), output, self.output.bias)

    def _scales(self) -> list[tuple[Tensor, Tensor]]:
        """What the inputs and the outputs of each layer are multiplied with in the description."""
        neighbours, context, hidden = self.first.in_features, self.first.out_features, self.fourth.in_features
        near, units = torch.full((neighbours,), 1 / SCALE), torch.full((self.units,), 1 / SCALE)
        outputs = torch.cat([torch.full((self.units,), SCALE), torch.ones(self.units)])
        inside, inner = torch.ones(context), torch.ones(hidden)
        return [
            (near, inside),
            (inside, inside),
            (torch.cat([inside, units]), inner),
            (inner, inner),
            (torch.cat([inner, inside, near, units]), outputs),
        ]

    @torch.no_grad()
    def describe(self) -> tuple[layers.Layer, ...]:
        """The matrix of the features, 0 to FULL, then the layers; they take symbols, and give means in steps."""
        described: list[layers.Layer] = [layers.Features(to_array(self.features.weight.t() / FULL))]
        for layer, weight, (into, out) in zip(self._layers(), self._weights(), self._scales(), strict=True):
            matrix = to_array((weight.cpu() * into * out[:, None]).t())
            activation: layers.Activation = "none" if layer is self.output else "relu"
            described.append(layers.Dense(matrix, to_array(layer.bias.cpu() * out), activation))
        return tuple(described)

    @torch.no_grad()
    def absorb(self, description: tuple[layers.Layer, ...]) -> None:
        """Take what `describe` gave."""
        rest = [part for layer in self._layers() for part in (layer.weight.t(), layer.bias)]
        set_parameters(description, self.features.weight.t(), *rest)
        self.features.weight.mul_(FULL)
        for layer, (into, out) in zip(self._layers(), self._scales(), strict=True):
            layer.weight.div_(into * out[:, None])
            layer.bias.div_(out)
