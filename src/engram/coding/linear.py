"""The linear maps of networks as matrix products in NumPy, on [n, units] or [n, channels, height, width].

Nothing here rounds on purpose: on whole numbers whose partial sums all stay below 2^24 (in float32; 2^53 in float64)
the results are the same on every machine, in any order of summation.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engram.layers import Convolution, Dense, TransposedConvolution

Floats = NDArray[np.float32]
Linear = Dense | Convolution | TransposedConvolution


def apply(layer: Linear, x: Floats) -> Floats:
    """The layer's map of x, without its activation; a dense layer flattens what comes in."""
    match layer:
        case Dense():
            result: Floats = x.reshape(len(x), len(layer.weight)) @ layer.weight
            result += layer.bias
            return result
        case Convolution():
            return _convolution(x, layer)
        case TransposedConvolution():
            return _transposed_convolution(x, layer)


def _convolution(x: Floats, layer: Convolution) -> Floats:
    """One product over the patches under the kernel."""
    outputs, _, *kernel = layer.weight.shape
    around = (layer.padding, layer.padding)
    padded = np.pad(x, ((0, 0), (0, 0), around, around))
    windows = sliding_window_view(padded, tuple(kernel), axis=(2, 3))[:, :, :: layer.stride, :: layer.stride]
    n, _, rows, columns = windows.shape[:4]
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * rows * columns, layer.weight[0].size)
    sums = patches @ layer.weight.reshape(outputs, -1).T
    sums += layer.bias
    return np.ascontiguousarray(sums.reshape(n, rows, columns, outputs).transpose(0, 3, 1, 2))


def _transposed_convolution(x: Floats, layer: TransposedConvolution) -> Floats:
    """One product makes what every input pixel gives to every tap; then the taps are added where they fall."""
    n, inputs, rows, columns = x.shape
    _, outputs, height, width = layer.weight.shape
    stride, padding = layer.stride, layer.padding
    taps = layer.weight.transpose(0, 2, 3, 1).reshape(inputs, height * width * outputs)
    given = x.transpose(0, 2, 3, 1).reshape(n * rows * columns, inputs) @ taps
    given = given.reshape(n, rows, columns, height, width, outputs)
    canvas = np.zeros((n, (rows - 1) * stride + height, (columns - 1) * stride + width, outputs), given.dtype)
    for i in range(height):
        for j in range(width):
            canvas[:, i : i + rows * stride : stride, j : j + columns * stride : stride] += given[:, :, :, i, j]
    inner = canvas[:, padding : canvas.shape[1] - padding, padding : canvas.shape[2] - padding] + layer.bias
    return np.ascontiguousarray(inner.transpose(0, 3, 1, 2))
