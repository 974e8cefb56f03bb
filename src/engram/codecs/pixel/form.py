"""A pixel code's network as a config and a model, and back.

The config says the sizes; the model holds, channel by channel and layer by layer, the weights [inputs, outputs] and the
biases.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from engram.codecs.contract import Config, CorruptModel, image_shape_of
from engram.codecs.pixel.network import LARGEST_ACTIVATION, CausalNetwork, Networks, WholeDense, joined
from engram.codecs.settings import LARGEST_SHIFT, check_keys, whole
from engram.coding import numbers
from engram.coding.mixture import LARGEST_COMPONENTS
from engram.coding.neighbourhood import LARGEST_KNOTS, LARGEST_RADIUS, Edges, Neighbourhood

LARGEST_WIDTH, LARGEST_DEPTH = 1024, 8
LARGEST_STEP = 127
KEYS = ("image_shape", "radius", "knots", "hidden", "components", "shifts", "step")


def emit(network: Networks, step: int) -> tuple[Config, bytes]:
    """The config and the model, of which `parse` makes an equal network."""
    around = network.neighbourhood
    config: Config = {
        "image_shape": list(around.image_shape),
        "radius": around.radius,
        "knots": around.knots,
        "hidden": [len(layer.bias) for layer in network.networks[0].layers[:-1]],
        "components": network.networks[0].components,
        "shifts": [layer.shift for channel in network.networks for layer in channel.layers],
        "step": step,
    }
    if around.edges != "zero":
        config["edges"] = around.edges
    if network.networks[0].high != LARGEST_ACTIVATION:
        config["high"] = network.networks[0].high
    return config, _packed(tuple(layer for channel in network.networks for layer in channel.layers))


@lru_cache(16)
def _packed(layers: tuple[WholeDense, ...]) -> bytes:
    """The model: the same for images of all sizes."""
    parts = [part for layer in layers for part in (layer.weight.ravel(), layer.bias)]
    return numbers.pack(np.concatenate(parts).astype(np.int32))


def parse(config: Config, model: bytes) -> tuple[Networks, int]:
    """The network and the step. Raises CorruptModel or another CorruptData."""
    check_keys({"edges": "zero", "high": LARGEST_ACTIVATION} | config, {"edges", "high", *KEYS})
    edges: Edges = "nearest" if "edges" in config else "zero"
    if config.get("edges", "nearest") != "nearest":
        raise CorruptModel(f"a pixel code's edges are 'nearest' where they are named, not {config['edges']!r}")
    shape = image_shape_of(config)
    radius, knots = whole(config, "radius", 1, LARGEST_RADIUS), whole(config, "knots", 2, LARGEST_KNOTS)
    components, step = whole(config, "components", 1, LARGEST_COMPONENTS), whole(config, "step", 1, LARGEST_STEP)
    high = whole({"high": LARGEST_ACTIVATION} | config, "high", 1, LARGEST_ACTIVATION)
    if step % 2 == 0:
        raise CorruptModel(f"a pixel code's step is odd, not {step}")
    hidden, shifts = config["hidden"], config["shifts"]
    if not isinstance(hidden, list) or not isinstance(shifts, list) or not 1 <= len(hidden) <= LARGEST_DEPTH:
        raise CorruptModel(f"a pixel code has 1 to {LARGEST_DEPTH} hidden layers, in a list, and a list of shifts")
    widths = [whole({"hidden": width}, "hidden", 1, LARGEST_WIDTH) for width in hidden]
    depth = len(widths) + 1
    if len(shifts) != shape[2] * depth:
        raise CorruptModel(f"{shape[2] * depth} layers have as many shifts, not {len(shifts)}")
    shifts = [whole({"shifts": shift}, "shifts", 0, LARGEST_SHIFT) for shift in shifts]
    around = Neighbourhood(shape, radius, knots, edges)
    taken = around.inputs + around.features
    inputs, outputs = [taken, *widths[:-1], widths[-1] + taken], [*widths, 1 + 3 * components]
    shapes = list(zip(inputs, outputs, strict=True)) * shape[2]
    sizes = [size for i, o in shapes for size in (i * o, o)]
    found = numbers.unpack(model, sum(sizes)).astype(np.int64)
    parts = np.split(found, np.cumsum(sizes)[:-1])
    layers = [
        WholeDense(weight.reshape(size), bias, shift)
        for weight, bias, shift, size in zip(parts[::2], parts[1::2], shifts, shapes, strict=True)
    ]
    channels = (tuple(layers[first : first + depth]) for first in range(0, len(layers), depth))
    return joined(tuple(CausalNetwork(around, own, high) for own in channels)), step
