"""Integer layers as JSON and back: what a config says of each layer, checked value by value.

    {"kind": "dense", "outputs": 784, "shift": 4, "low": -1664, "high": 1664, "table": true}
    {"kind": "product dense", "outputs": 784, "codewords": 256, "length": 8, "shift": ...}
    {"kind": "transposed convolution", "outputs": 25, "kernel": [3, 3], "stride": 2, "padding": 0, "shift": ...}
    {"kind": "reshape", "shape": [1, 28, 28]}      {"kind": "crop", "height": 28, "width": 28}

The model holds the numbers of weights, biases and tables; `outline` makes a layer in which they are all 0.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from engram.codecs.contract import CorruptModel
from engram.coding.integer import IntegerLayer, Products
from engram.coding.linear import Linear
from engram.layers import Convolution, Crop, Dense, Reshape, Shape, TransposedConvolution

Settings = dict[str, Any]

LARGEST_SIDE = 1 << 20
LARGEST_KERNEL = 64
LARGEST_SHIFT = 23
LARGEST_ACTIVATION = (1 << 15) - 1

LARGEST_CODEBOOK = 1 << 16
PRODUCT_DENSE = "product dense"
"""A dense layer whose rows consist of codewords."""

_ROUNDING = {"shift", "low", "high", "table"}
_KERNEL = {"outputs", "kernel", "stride", "padding"}
_KEYS = {
    Dense.kind: {"outputs"} | _ROUNDING,
    PRODUCT_DENSE: {"outputs", "codewords", "length"} | _ROUNDING,
    Convolution.kind: _KERNEL | _ROUNDING,
    TransposedConvolution.kind: _KERNEL | _ROUNDING,
    Crop.kind: {"height", "width"},
    Reshape.kind: {"shape"},
}


def settings_of(layer: IntegerLayer | Crop | Reshape) -> Settings:
    """What the config says of a layer."""
    match layer:
        case Crop():
            return {"kind": layer.kind, "height": layer.height, "width": layer.width}
        case Reshape():
            return {"kind": layer.kind, "shape": list(layer.shape)}
    linear = layer.linear
    settings: Settings = {"kind": linear.kind, "outputs": len(linear.bias)}
    if layer.products is not None:
        codewords, length = layer.products.codebook.shape
        settings |= {"kind": PRODUCT_DENSE, "codewords": codewords, "length": length}
    if not isinstance(linear, Dense):
        settings |= {"kernel": list(linear.weight.shape[2:]), "stride": linear.stride, "padding": linear.padding}
    return settings | {"shift": layer.shift, "low": layer.low, "high": layer.high, "table": layer.table is not None}


def outline(settings: Any, shape: Shape) -> IntegerLayer | Crop | Reshape:
    """The layer that takes one image's numbers of this shape, its own numbers all 0. Raises CorruptModel."""
    kind = settings.get("kind") if isinstance(settings, dict) else None
    if not isinstance(kind, str) or kind not in _KEYS:
        raise CorruptModel(f"no layer of a frozen network is called {kind!r}")
    check_keys(settings, _KEYS[kind] | {"kind"})
    if kind == Reshape.kind:
        return Reshape(shape_in(settings, "shape"))
    if kind in (Dense.kind, PRODUCT_DENSE):
        outputs = whole(settings, "outputs", 1, LARGEST_SIDE)
        dense = _rounding(settings, Dense(_zeros(prod(shape), outputs), _zeros(outputs), "none"))
        return dense if kind == Dense.kind else replace(dense, products=_products(settings, prod(shape), outputs))
    if len(shape) != 3:
        raise CorruptModel(f"a {kind} takes numbers of three sides, not {list(shape)}")
    if kind == Crop.kind:
        return Crop(whole(settings, "height", 1, LARGEST_SIDE), whole(settings, "width", 1, LARGEST_SIDE))
    kernel = shape_in(settings, "kernel")
    if len(kernel) != 2 or max(kernel) > LARGEST_KERNEL:
        raise CorruptModel(f"a kernel has a height and a width of at most {LARGEST_KERNEL}, not {list(kernel)}")
    outputs = whole(settings, "outputs", 1, LARGEST_SIDE)
    bias, stride = _zeros(outputs), whole(settings, "stride", 1, LARGEST_KERNEL)
    padding = whole(settings, "padding", 0, LARGEST_KERNEL)
    if kind == Convolution.kind:
        weight = _zeros(outputs, shape[0], *kernel)
        return _rounding(settings, Convolution(weight, bias, stride, padding, "none"))
    weight = _zeros(shape[0], outputs, *kernel)
    return _rounding(settings, TransposedConvolution(weight, bias, stride, padding, "none"))


def _products(settings: Settings, inputs: int, outputs: int) -> Products:
    codewords, length = whole(settings, "codewords", 1, LARGEST_CODEBOOK), whole(settings, "length", 1, outputs)
    if outputs % length:
        raise CorruptModel(f"codewords of {length} numbers do not fill rows of {outputs}")
    none = np.int64(0)
    return Products(np.broadcast_to(none, (codewords, length)), np.broadcast_to(none, (inputs, outputs // length)))


def _rounding(settings: Settings, linear: Linear) -> IntegerLayer:
    low = whole(settings, "low", -LARGEST_ACTIVATION, LARGEST_ACTIVATION)
    high = whole(settings, "high", low, LARGEST_ACTIVATION)
    if type(settings["table"]) is not bool:
        raise CorruptModel(f"a layer's table is there or not, true or false, not {settings['table']!r}")
    table = np.broadcast_to(np.int64(0), high - low + 1) if settings["table"] else None
    return IntegerLayer(linear, whole(settings, "shift", 0, LARGEST_SHIFT), low, high, table)


def _zeros(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Zeros that take no memory."""
    return np.broadcast_to(np.float32(0), shape)


def check_keys(settings: Settings, keys: set[str]) -> None:
    """Raises CorruptModel unless the settings have these keys and no others."""
    if set(settings) != keys:
        raise CorruptModel(f"expected the keys {', '.join(sorted(keys))}, found {', '.join(sorted(settings))}")


def whole(settings: Settings, key: str, low: int, high: int) -> int:
    """settings[key], a whole number from low to high. Raises CorruptModel."""
    value = settings[key]
    if type(value) is not int or not low <= value <= high:
        raise CorruptModel(f"{key} must be a whole number from {low} to {high}, not {value!r}")
    return value


def shape_in(settings: Settings, key: str) -> Shape:
    """settings[key], one to three sides of at least 1. Raises CorruptModel."""
    value = settings[key]
    if not isinstance(value, list) or not 1 <= len(value) <= 3:
        raise CorruptModel(f"{key} must be a list of one to three sides, not {value!r}")
    sides = dict(enumerate(value))
    return tuple(whole({key: side}, key, 1, LARGEST_SIDE) for side in sides.values())
