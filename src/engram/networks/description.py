"""Between torch's parameters and the NumPy arrays of a plain description."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from engram.errors import CorruptData
from engram.layers import Activation, Convolution, Dense, Layer, TransposedConvolution, Weights


def to_array(tensor: Tensor) -> Weights:
    """A float32 copy in row-major order, on the CPU."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")


def described(module: nn.Module, activation: Activation) -> Layer:
    """The layer that a module of torch, linear or convolutional, is with an activation after it."""
    weight, bias = (to_array(tensor) for tensor in tensors_of(module))
    if isinstance(module, nn.Conv2d):
        return Convolution(weight, bias, module.stride[0], int(module.padding[0]), activation)
    if isinstance(module, nn.ConvTranspose2d):
        return TransposedConvolution(weight, bias, module.stride[0], int(module.padding[0]), activation)
    return Dense(weight, bias, activation)


def described_stack(stack: nn.Sequential, last: Activation) -> list[Layer]:
    """The layers of modules with rectifiers between them, and an activation after the last."""
    modules = [module for module in stack if not isinstance(module, nn.ReLU)]
    return [described(module, "relu" if module is not modules[-1] else last) for module in modules]


def tensors_of(module: nn.Module) -> list[Tensor]:
    """Weight and bias of each linear or convolutional module within, in order, of the shapes that a description has."""
    return [
        tensor
        for part in module.modules()
        if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and part.bias is not None
        for tensor in (part.weight.t() if isinstance(part, nn.Linear) else part.weight, part.bias)
    ]


@torch.no_grad()
def set_parameters(layers: tuple[Layer, ...], *parameters: Tensor) -> None:
    """Copy weight and bias of each layer that has them, in order, into the parameters.

    Raises CorruptData where their number or shapes differ.
    """
    arrays: list[Weights] = []
    for layer in layers:
        arrays += [array for name in ("weight", "bias") if (array := getattr(layer, name, None)) is not None]
    found, needed = [array.shape for array in arrays], [tuple(parameter.shape) for parameter in parameters]
    if found != needed:
        raise CorruptData(f"the description has weights of shapes {found}, this network needs {needed}")
    for parameter, array in zip(parameters, arrays, strict=True):
        parameter.copy_(torch.from_numpy(array))
