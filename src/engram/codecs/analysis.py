"""A network's layers evaluated in floats with NumPy: what an encoder runs, and what freezing measures itself against.

Nothing that decides a decoded pixel comes from here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engram.coding import linear
from engram.coding.linear import Floats
from engram.errors import UsageError
from engram.images import Pixels
from engram.layers import Activation, Crop, Features, Layer, MaxPooling, Pad, Reshape, Shuffle, Unshuffle


def floats_of(images: Pixels) -> Floats:
    """float32[n, c, h, w] in [0, 1] of uint8[n, h, w, c]."""
    floats: Floats = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32)
    floats /= 255
    return floats


def pixels_of(floats: Floats) -> Pixels:
    """uint8[n, h, w, c] of float32[n, c, h, w]: rounded, clipped to [0, 1] first."""
    pixels: Pixels = np.rint(floats.clip(0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return pixels


def evaluate(layers: Sequence[Layer], x: Floats) -> Floats:
    """The activations after `layers`."""
    for layer in layers:
        match layer:
            case MaxPooling():
                windows = sliding_window_view(x, (layer.size, layer.size), axis=(2, 3))
                x = windows[:, :, :: layer.stride, :: layer.stride].max(axis=(4, 5))
            case Pad():
                x = _extended(x, layer.height, layer.width)
            case Crop():
                x = x[:, :, : layer.height, : layer.width]
            case Reshape():
                x = x.reshape(len(x), *layer.shape)
            case Unshuffle(size):
                rows, columns = layer.shape_after(x.shape[1:])[1:]
                blocks = _extended(x, rows * size, columns * size).reshape(*x.shape[:2], rows, size, columns, size)
                x = blocks.transpose(0, 1, 3, 5, 2, 4).reshape(len(x), -1, rows, columns)
            case Shuffle(size):
                blocks = x.reshape(len(x), -1, size, size, *x.shape[2:]).transpose(0, 1, 4, 2, 5, 3)
                x = blocks.reshape(len(x), -1, size * x.shape[2], size * x.shape[3])
            case Features():
                raise UsageError("layers that take features of their places are evaluated by their own codec alone")
            case _:
                x = activate(linear.apply(layer, x), layer.activation)
    return x


def _extended(x: Floats, height: int, width: int) -> Floats:
    """The last rows and columns repeated up to height x width."""
    return np.pad(x, ((0, 0), (0, 0), (0, height - x.shape[2]), (0, width - x.shape[3])), "edge")


def activate(x: Floats, activation: Activation) -> Floats:
    """The activation of each value, in place."""
    if activation == "relu":
        np.maximum(x, 0, out=x)
    if activation == "sigmoid":  # by tanh, which does not overflow as exp does
        x *= 0.5
        np.tanh(x, out=x)
        x *= 0.5
        x += 0.5
    return x
