"""A nonlinear transform code: an image becomes a few units, each with a distribution that the units before it give.

    image --analysis--> code --round--> symbols --synthesis--> image
                                           |
                                         prior: a mean and a scale for each unit, from the units before it

Both halves are a linear map beside a perceptron of two hidden layers. The linear maps start as principal components,
so that training starts where the linear rival ends. The code is in units of its quantisation step.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram import layers
from engram.errors import UsageError
from engram.networks.autoassociative import AutoAssociative
from engram.networks.description import set_parameters, to_array

SCALE = 4.0
"""Steps are a quarter to the networks: symbols reach some tens, and trainings like numbers near 1."""
LOG_SCALES = -4.0, 5.0
"""The natural logarithms of the narrowest and the widest scale of a distribution, in steps."""


def sizes_for(bytes_per_image: float) -> dict[str, int]:
    """The options of a network for so many bytes: more of them need more units, and more context to tell them by."""
    return {
        "units": round(32 + 4 * bytes_per_image),
        "hidden": 768,
        "context": min(1024, round(384 + 16 * bytes_per_image)),
    }


@final
class Transform(AutoAssociative):
    """Analysis, synthesis and prior, all fully connected. Images are float32[n, c, h, w], codes float32[n, units]."""

    method = "transform"

    def __init__(
        self, image_shape: tuple[int, int, int], units: int = 64, hidden: int = 768, context: int = 512
    ) -> None:
        super().__init__(image_shape)
        if min(units, hidden, context) < 1:
            raise UsageError(f"units, hidden and context are at least 1, not {units}, {hidden} and {context}")
        height, width, channels = image_shape
        self.pixels = height * width * channels
        self.units, self.hidden, self.context = units, hidden, context
        self.encoder = _Bypassed(self.pixels, hidden, units)
        self.decoder = _Bypassed(units, hidden, self.pixels)
        self.prior = _Bypassed(units, context, 2 * units, causal=True)

    @torch.no_grad()
    def start_from_components(self, images: Tensor, step: float) -> None:
        """Set the linear maps to the images' principal components, whose steps are `step` in units of a pixel."""
        flat = images.flatten(1)
        mean = flat.mean(0)
        centred = flat - mean
        _, directions = torch.linalg.eigh(centred.T @ centred)
        count = min(self.units, self.pixels)
        components = flat.new_zeros(self.pixels, self.units)
        components[:, :count] = directions[:, -count:].flip(1)
        self.encoder.bypass.weight.copy_(components.T / step)
        self.encoder.output.bias.copy_(-(components.T @ mean) / step)
        self.decoder.bypass.weight.copy_(components * (step * SCALE))
        self.decoder.output.bias.copy_(mean)

    def analysis(self, images: Tensor) -> Tensor:
        code: Tensor = self.encoder(images.flatten(1))
        return code

    def synthesis(self, code: Tensor) -> Tensor:
        height, width, channels = self.image_shape
        flat: Tensor = self.decoder(code / SCALE)
        return flat.reshape(-1, channels, height, width)

    def forward(self, images: Tensor) -> Tensor:
        return self.synthesis(self.analysis(images)).clamp(0, 1)

    def distributions(self, symbols: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the scale of each unit's logistic distribution, each float[n, units]."""
        mean, log_scale = self.prior(symbols / SCALE).float().chunk(2, dim=1)
        return mean * SCALE, log_scale

    def describe(self) -> layers.Network:
        height, width, channels = self.image_shape
        scales = torch.cat([torch.full((self.units,), SCALE), torch.ones(self.units)])
        return layers.Network(
            self.method,
            self.image_shape,
            analysis=(layers.Reshape((self.pixels,)), *self.encoder.describe(1.0, torch.ones(self.units))),
            synthesis=(
                *self.decoder.describe(1 / SCALE, torch.ones(self.pixels)),
                layers.Reshape((channels, height, width)),
            ),
            prior=self.prior.describe(1 / SCALE, scales),
        )

    def absorb(self, network: layers.Network) -> None:
        scales = torch.cat([torch.full((self.units,), SCALE), torch.ones(self.units)])
        self.encoder.absorb(network.analysis[1:], 1.0, torch.ones(self.units))
        self.decoder.absorb(network.synthesis[:-1], 1 / SCALE, torch.ones(self.pixels))
        self.prior.absorb(network.prior, 1 / SCALE, scales)

    @property
    def options(self) -> dict[str, Any]:
        return {"units": self.units, "hidden": self.hidden, "context": self.context}


MASKS = "first_mask", "second_mask", "output_mask", "bypass_mask"


class _Bypassed(nn.Module):
    """A perceptron of two rectified layers, and a linear map of its input beside it.

    A causal one gives two numbers for each input, u and units + u, which depend on the inputs before u alone: hidden
    number j of h sees the inputs 0 to floor(j * units / h), and output u the hidden numbers that see none from u on.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, causal: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, outputs)
        self.bypass = nn.Linear(inputs, outputs, bias=False)
        self.causal = causal
        with torch.no_grad():
            self.output.weight.mul_(0.1)
            self.bypass.weight.mul_(0.0)
        if causal:
            unit, gives = torch.arange(inputs), torch.arange(outputs)[:, None] % inputs
            last = torch.arange(hidden) * inputs // hidden
            masks = unit <= last[:, None], last <= last[:, None], last < gives, unit < gives
            for name, mask, weight in zip(MASKS, masks, self._parameters_of_maps(), strict=True):
                self.register_buffer(name, mask.float(), persistent=False)
                with torch.no_grad():  # as much larger as fewer inputs are left
                    weight.mul_(mask / mask.float().mean().sqrt().clamp_min(1e-6))

    def _parameters_of_maps(self) -> list[Tensor]:
        return [module.weight for module in (self.first, self.second, self.output, self.bypass)]

    def _weights(self) -> list[Tensor]:
        weights = self._parameters_of_maps()
        if not self.causal:
            return weights
        return [weight * self.get_buffer(name) for weight, name in zip(weights, MASKS, strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        first, second, output, bypass = self._weights()
        hidden = functional.linear(x, first, self.first.bias).relu()
        hidden = functional.linear(hidden, second, self.second.bias).relu()
        return functional.linear(hidden, output, self.output.bias) + functional.linear(x, bypass)

    @torch.no_grad()
    def describe(self, input_scale: float, output_scales: Tensor) -> tuple[layers.Layer, ...]:
        """As plain data, with what goes in multiplied by one number, what comes out by others."""
        first, second, output, bypass = (weight.cpu() for weight in self._weights())
        joined = torch.cat([output, bypass * input_scale], 1).t() * output_scales
        return (
            layers.Dense(to_array(first.t() * input_scale), to_array(self.first.bias), "relu"),
            layers.Dense(to_array(second.t()), to_array(self.second.bias), "relu"),
            layers.Skip(self.first.in_features),
            layers.Dense(to_array(joined), to_array(self.output.bias.cpu() * output_scales), "none"),
        )

    @torch.no_grad()
    def absorb(self, description: tuple[layers.Layer, ...], input_scale: float, output_scales: Tensor) -> None:
        """Take what `describe` gave."""
        inputs, hidden = self.first.in_features, self.first.out_features
        joined = torch.empty(hidden + inputs, len(output_scales))
        rest = self.first.weight.t(), self.first.bias, self.second.weight.t(), self.second.bias
        set_parameters(description, *rest, joined, self.output.bias)
        joined.div_(output_scales)
        self.first.weight.div_(input_scale)
        self.output.weight.copy_(joined[:hidden].t())
        self.output.bias.div_(output_scales)
        self.bypass.weight.copy_(joined[hidden:].t() / input_scale)
