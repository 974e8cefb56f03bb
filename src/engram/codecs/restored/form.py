"""A pixel code with its restoration as a config and a model, and back.

The model is the length of the pixel code's model (4 bytes), that model, and the restoration's numbers: layer by layer,
the weights [outputs, inputs, rows, columns] and the biases.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from engram.codecs.contract import Config, CorruptModel, image_shape_of
from engram.codecs.pixel.codec import Pixel
from engram.codecs.restored.network import Restoration
from engram.codecs.settings import LARGEST_ACTIVATION, LARGEST_SHIFT, check_keys, whole
from engram.coding import numbers
from engram.coding.convolution import KERNEL
from engram.coding.integer import IntegerLayer
from engram.layers import Convolution

LEAST_LAYERS, MOST_LAYERS = 2, 8
LARGEST_WIDTH = 256
_LENGTH = 4


def emit(pixel: Pixel, restoration: Restoration) -> tuple[Config, bytes]:
    """The config and the model's bytes, of which `parse` makes an equal code and restoration."""
    *hidden, last = restoration.layers
    config: Config = {
        "image_shape": list(pixel.image_shape),
        "pixel": pixel.config(),
        "hidden": [{"outputs": len(one.linear.bias), "shift": one.shift, "high": one.high} for one in hidden],
        "change": {"shift": last.shift},
    }
    parts = [part for one in restoration.layers for part in (one.linear.weight.ravel(), one.linear.bias)]
    own = numbers.pack(np.concatenate(parts).astype(np.int32))
    return config, len(pixel.model).to_bytes(_LENGTH, "little") + pixel.model + own


def parse(config: Config, model: bytes) -> tuple[Pixel, Restoration]:
    """The pixel code and the restoration. Raises CorruptModel or another CorruptData."""
    check_keys(config, {"image_shape", "pixel", "hidden", "change"})
    shape = image_shape_of(config)
    size = int.from_bytes(model[:_LENGTH], "little")
    if len(model) < _LENGTH + size:
        raise CorruptModel(f"a model of {len(model)} bytes cannot hold {size} of a pixel code's")
    if not isinstance(config["pixel"], dict):
        raise CorruptModel(f"pixel is the config of a pixel code, not {config['pixel']!r}")
    pixel = Pixel.from_config(config["pixel"], model[_LENGTH : _LENGTH + size])
    if shape != pixel.image_shape:
        raise CorruptModel(f"the pixel code's images are {list(pixel.image_shape)}, not {list(shape)}")
    hidden, change, channels = config["hidden"], config["change"], pixel.image_shape[2]
    if not isinstance(hidden, list) or not LEAST_LAYERS <= len(hidden) + 1 <= MOST_LAYERS:
        raise CorruptModel(f"hidden is a list of {LEAST_LAYERS - 1} to {MOST_LAYERS - 1} layers, not {hidden!r}")
    for settings, keys in [*((one, {"outputs", "shift", "high"}) for one in hidden), (change, {"shift"})]:
        if not isinstance(settings, dict):
            raise CorruptModel(f"a layer has {', '.join(sorted(keys))}, not {settings!r}")
        check_keys(settings, keys)
    widths = [channels, *(whole(one, "outputs", 1, LARGEST_WIDTH) for one in hidden), channels]
    shifts = [whole(one, "shift", 0, LARGEST_SHIFT) for one in (*hidden, change)]
    ends = [(0, whole(one, "high", 0, LARGEST_ACTIVATION)) for one in hidden]
    ends.append((-pixel.max_error, pixel.max_error))
    sizes = [size for i, o in pairwise(widths) for size in (o * i * KERNEL**2, o)]
    found = numbers.unpack(model[_LENGTH + size :], sum(sizes)).astype(np.int64)
    parts = np.split(found, np.cumsum(sizes)[:-1])
    layers = []
    for weight, bias, inputs, shift, (low, high) in zip(parts[::2], parts[1::2], widths, shifts, ends, strict=False):
        kernels = weight.reshape(-1, inputs, KERNEL, KERNEL)
        layers.append(IntegerLayer(Convolution(kernels, bias, 1, KERNEL // 2, "none"), shift, low, high))  # type: ignore[arg-type]
    return pixel, Restoration(channels, tuple(layers))
