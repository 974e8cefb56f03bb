"""A trained pixel network in whole numbers: as fine as sums below 2^24 allow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.codecs.contract import CorruptModel
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.form import LARGEST_STEP
from engram.codecs.pixel.network import LARGEST_ACTIVATION, CausalNetwork, WholeDense, joined
from engram.codecs.rounding import CannotFreeze
from engram.codecs.settings import whole
from engram.coding.integer import EXACT32, MisfitNetwork
from engram.coding.mixture import LOGIT_UNIT, MEAN_UNIT, SCALE_UNIT
from engram.coding.neighbourhood import FULL, LARGEST_KNOTS, LARGEST_RADIUS, Neighbourhood, ordered
from engram.errors import UsageError
from engram.images import ImageSet
from engram.layers import Dense, Network
from engram.models import Model

_HALF_RANGE = 128.0
"""The network's unit of means and scales, in gray levels; its means lie around this one."""
_SEEN = 1 << 16
"""How many values of training images show how large activations become."""
_RARE = 1e-4
"""The share of activations that may be clipped."""
_FINEST = 12
"""Weights are given this many binary digits at most for the largest of a layer."""

Floats = NDArray[np.float64]


def freeze_pixel(model: Model | Network, training: ImageSet) -> Pixel:
    """The codec of a trained pixel network; activations are measured on training images of its shape."""
    if isinstance(model, Network):
        raise UsageError("a pixel network is frozen with the facts of its model; hand over the Model, not its network")
    network, options = model.network, _options(model.facts.get("options"))
    if training.image_shape != network.image_shape or not len(training):
        raise UsageError(
            f"freezing {network.method} takes training images of {network.image_shape}, at least one, "
            f"not {len(training)} of {training.image_shape}"
        )
    layers = [layer for layer in network.prior if isinstance(layer, Dense)]
    around = Neighbourhood(network.image_shape, options["radius"], options["knots"], options["edges"])
    step = 2 * options["max_error"] + 1
    depth, channels = len(layers) // network.image_shape[2], range(network.image_shape[2])
    made = []
    for channel in channels:
        mine = layers[channel * depth : (channel + 1) * depth]
        _check_shapes(mine, around)
        made.append(CausalNetwork(around, _whole(mine, _inputs(around, training, step, channel))))
    return Pixel(joined(tuple(made)), step)


def _whole(layers: list[Dense], x: Floats) -> tuple[WholeDense, ...]:
    """The layers in whole numbers, given what they may be handed."""
    whole, h, scale = [], x, np.ones(x.shape[1])
    largest = np.full(x.shape[1], float(FULL))
    for layer in layers[:-1]:
        made = np.maximum(h @ layer.weight.astype(np.float64) + layer.bias, 0)
        most = max(1e-6, float(np.quantile(made, 1 - _RARE)))
        unit = LARGEST_ACTIVATION / most
        whole.append(_round(layer.weight.astype(np.float64) / scale[:, None] * unit, layer.bias * unit, largest))
        h, scale, largest = made, np.full(made.shape[1], unit), np.full(made.shape[1], float(LARGEST_ACTIVATION))
    components = (len(layers[-1].bias) - 1) // 3
    units, offsets = _output_units(components)
    scale = np.concatenate([scale, np.ones(x.shape[1])])
    largest = np.concatenate([largest, np.full(x.shape[1], float(FULL))])
    head = layers[-1]
    whole.append(_round(head.weight.astype(np.float64) / scale[:, None] * units, head.bias * units + offsets, largest))
    return tuple(whole)


def _options(options: Any) -> dict[str, Any]:
    """What the model says of its neighbourhood and its step. Raises CorruptModel."""
    limits = {"radius": (1, LARGEST_RADIUS), "knots": (2, LARGEST_KNOTS), "max_error": (0, LARGEST_STEP // 2)}
    if not isinstance(options, dict) or not {"edges", *limits} <= options.keys():
        raise CorruptModel(f"a pixel model's options say {', '.join(limits)}, edges, not {options!r}")
    if options["edges"] not in ("zero", "nearest"):
        raise CorruptModel(f"edges are 'zero' or 'nearest', not {options['edges']!r}")
    return {"edges": options["edges"]} | {key: whole(options, key, *ends) for key, ends in limits.items()}


def _check_shapes(layers: list[Dense], around: Neighbourhood) -> None:
    """Raises MisfitNetwork unless the layers take the neighbours and one another, and there are two at least."""
    taken = around.inputs + around.features
    widths = [taken, *(len(layer.bias) for layer in layers)]
    wanted = [*widths[:-2], widths[-2] + taken] if len(layers) > 1 else []
    if [layer.weight.shape[0] for layer in layers] != wanted or not wanted:
        shapes = [layer.weight.shape for layer in layers]
        raise MisfitNetwork(f"layers of {shapes} cannot take {taken} numbers of neighbours and position")


def _inputs(around: Neighbourhood, training: ImageSet, step: int, channel: int) -> Floats:
    """float64[n, inputs + features]: what a channel's network sees of values of images spread over the set."""
    values = len(around.places)
    images = training.images[:: -(-len(training) // max(1, 4 * _SEEN // values))]
    symbols = (ordered(images).astype(np.int64) + step // 2) // step
    canvases = around.canvas(np.minimum(symbols * step, 255).astype(np.uint8))
    drawn = np.random.default_rng(0).integers(len(images) * values, size=_SEEN)
    image, value = np.divmod(drawn, values)
    value += channel - value % around.image_shape[2]
    seen = canvases.ravel().take((image * around.canvas_size)[:, None] + around.taps[value])
    return np.concatenate([seen, around.positions[value]], 1).astype(np.float64)


def _output_units(components: int) -> tuple[Floats, Floats]:
    """What the outputs are multiplied with, and what is added, to be `mixture`'s whole numbers."""
    one, many = np.ones(1), np.ones(components)
    units = [LOGIT_UNIT * one, LOGIT_UNIT * many, MEAN_UNIT * _HALF_RANGE * many, SCALE_UNIT * many]
    offsets = [0 * one, 0 * many, MEAN_UNIT * _HALF_RANGE * many, SCALE_UNIT * np.log(_HALF_RANGE) * many]
    return np.concatenate(units), np.concatenate(offsets)


def _round(weight: Floats, bias: NDArray[np.floating[Any]], largest: Floats) -> WholeDense:
    """The layer in whole numbers times 2^shift, shift as large as its sums allow."""
    for shift in range(_shift_above(weight), -1, -1):
        scaled = np.rint(weight * 2.0**shift)
        offset = np.rint(bias * 2.0**shift)
        if (np.abs(scaled).T @ largest + np.abs(offset) + (1 << shift >> 1)).max() < EXACT32:
            return WholeDense(scaled.astype(np.int64), offset.astype(np.int64), shift)
    raise CannotFreeze("a pixel network has weights so large that its sums leave the range of exact floats")


def _shift_above(weight: Floats) -> int:
    """The shift that gives the largest weight _FINEST binary digits."""
    return int(np.clip(_FINEST - np.ceil(np.log2(np.abs(weight).max() + 1e-12)), 0, 23))
