"""Between torch's parameters and the NumPy arrays of a plain description."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engram.errors import CorruptData
from engram.layers import Layer, Weights


def to_array(tensor: Tensor) -> Weights:
    """A float32 copy in row-major order, on the CPU."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")


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
