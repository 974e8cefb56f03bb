"""A strong classifier, to judge images that came back more strictly than the paper's does. (Ours; the paper has none.)

1 x 28 x 28 -> 32 x 28 x 28 twice -> pool 14 x 14 -> 64 channels twice -> pool 7 x 7 -> 96 channels twice -> pool 3 x 3
-> fully connected, 10 classes

A residual network in which each shortcut spans one convolution: that is again one convolution, and so is the batch
normalisation after it, so what is saved are plain layers (Ding et al., RepVGG, 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram import layers
from engram.errors import UsageError
from engram.networks.description import set_parameters, to_array

KERNEL = 3


@final
class JudgeNetwork(nn.Module):
    """Scores (logits) float32[n, classes] of images float32[n, c, h, w].

    widths: the channels of each stage, which ends with a max pooling; two convolutions a stage. Sides that so many
    poolings would leave nothing of are padded by repeating the last row and column.
    """

    method = "judge"

    def __init__(
        self, image_shape: tuple[int, int, int], classes: int = 10, widths: Sequence[int] = (32, 64, 96)
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise UsageError(f"a judge has at least one stage of at least one channel, not {list(widths)}")
        height, width, channels = image_shape
        self.image_shape = image_shape
        self.classes = classes
        self.widths = list(widths)
        least = 2 ** len(widths)
        self.padded = (max(least, height), max(least, width))
        taken = [channels, *widths]
        stages = ((_Residual(i, o), _Residual(o, o), nn.MaxPool2d(2)) for i, o in pairwise(taken))
        self.body = nn.Sequential(*chain.from_iterable(stages))
        rows, columns = (side // least for side in self.padded)
        self.output = nn.Linear(widths[-1] * rows * columns, classes)

    def forward(self, images: Tensor) -> Tensor:
        height, width, _ = self.image_shape
        if self.padded != (height, width):
            images = functional.pad(images, (0, self.padded[1] - width, 0, self.padded[0] - height), mode="replicate")
        hidden = images.contiguous(memory_format=torch.channels_last)  # half the time on a CPU with bfloat16
        scores: Tensor = self.output(self.body(hidden).flatten(1))
        return scores.float()

    def _blocks(self) -> list[_Residual]:
        return [module for module in self.body if isinstance(module, _Residual)]

    def describe(self) -> layers.Network:
        """The network that has been trained as plain data, without shortcuts and normalisation; it has no synthesis."""
        height, width, _ = self.image_shape
        analysis: list[layers.Layer] = [layers.Pad(*self.padded)] if self.padded != (height, width) else []
        for module in self.body:
            if isinstance(module, _Residual):
                analysis.append(module.describe())
            elif isinstance(module, nn.MaxPool2d):
                analysis.append(layers.MaxPooling(2, 2))
        analysis += [
            layers.Reshape((self.output.in_features,)),
            layers.Dense(to_array(self.output.weight.t()), to_array(self.output.bias), "none"),
        ]
        return layers.Network(self.method, self.image_shape, analysis=tuple(analysis))

    def absorb(self, network: layers.Network) -> None:
        """Take the weights of a description that `describe` of an equal network gave."""
        *convolutions, dense = (layer for layer in network.analysis if layer.parameters)
        blocks = self._blocks()
        set_parameters(tuple(convolutions), *(part for block in blocks for part in block.plain()))
        for block in blocks:
            block.keep_shortcut()
        set_parameters((dense,), self.output.weight.t(), self.output.bias)

    @property
    def options(self) -> dict[str, Any]:
        """What the constructor took beside the image shape."""
        return {"classes": self.classes, "widths": self.widths}


class _Residual(nn.Module):
    """relu(norm(convolution(x) + x)), without the shortcut where the channels change."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, KERNEL, padding=KERNEL // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.has_shortcut = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.convolution(x)
        if self.has_shortcut:
            hidden = hidden + x
        normed: Tensor = self.norm(hidden)
        return normed.relu()

    @torch.no_grad()
    def describe(self) -> layers.Convolution:
        """The one convolution that all of it is once it has been trained."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        weight = self.convolution.weight.clone()
        if self.has_shortcut:
            weight += self._shortcut()
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        bias = norm.bias - norm.running_mean * scale
        return layers.Convolution(to_array(weight * scale[:, None, None, None]), to_array(bias), 1, KERNEL // 2, "relu")

    def plain(self) -> tuple[Tensor, Tensor]:
        """Weight and bias with nothing else at work: what a description's are copied into, before `keep_shortcut`."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        with torch.no_grad():
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1)
        return self.convolution.weight, norm.bias

    @torch.no_grad()
    def keep_shortcut(self) -> None:
        """Take the shortcut out of the weight that was copied, for it is beside it."""
        if self.has_shortcut:
            self.convolution.weight -= self._shortcut()

    def _shortcut(self) -> Tensor:
        """The convolution that changes nothing."""
        return nn.init.dirac_(torch.empty_like(self.convolution.weight))
