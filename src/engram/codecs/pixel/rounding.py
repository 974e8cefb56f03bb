"""A trained pixel network in whole numbers: as fine as sums below 2^24 allow, or as its model's bytes make worth while.

What costs is the rounding of weights, not that of hidden numbers. So these take 8 bits, which leaves more of a sum's 24
to the weights; each hidden number is scaled towards the same range as the others; and what rounding a weight does to a
sum is made up by the weights that are rounded after it (Frantar et al., GPTQ, 2022, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.codecs.contract import CorruptModel
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.form import LARGEST_STEP
from engram.codecs.pixel.network import CausalNetwork, WholeDense, joined
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
_HIGH = 255
"""The largest hidden number."""
_DORMANT = 0.02
"""A hidden number that reaches no more than this share of its layer's largest is scaled as if it did."""
_DAMPING = 1e-4
"""Of the mean square of a layer's inputs, added to each of their squares: no weight makes up for too much."""
_COARSEST = 3
"""By how many binary digits weights may be coarser than they might be."""
_WEIGHED = 1 << 17
"""How many values of training images tell what coarser weights cost."""

Floats = NDArray[np.float64]


def freeze_pixel(model: Model | Network, training: ImageSet, images: int | None = None) -> Pixel:
    """The codec of a trained pixel network; activations are measured on training images of its shape.

    images: how many images the model's bytes are for, which decides how fine its weights are; None where its bytes do
    not count.
    """
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
    own = [layers[channel * depth : (channel + 1) * depth] for channel in channels]
    for mine in own:
        _check_shapes(mine, around)
    seen = [_inputs(around, training, step, channel) for channel in channels]
    units = [_units(*part) for part in zip(own, seen, strict=True)]

    def rounded(coarser: int) -> Pixel:
        parts = (CausalNetwork(around, _whole(*part, coarser), _HIGH) for part in zip(own, seen, units, strict=True))
        return Pixel(joined(tuple(parts)), step)

    finest = rounded(0)
    return finest if images is None else _worth_its_bytes(finest, rounded, training, images)


def _worth_its_bytes(finest: Pixel, rounded: Callable[[int], Pixel], training: ImageSet, images: int) -> Pixel:
    """Of the codecs with coarser and coarser weights, the one that takes the fewest bytes for so many images."""
    count = max(1, _WEIGHED // len(finest.network.neighbourhood.places))
    weighed = training.images[:: -(-len(training) // count)]

    def in_all(codec: Pixel) -> float:
        return codec.estimated_bits(weighed) / 8 * images / len(weighed) + len(codec.model)

    best, least = finest, in_all(finest)
    for coarser in range(1, _COARSEST + 1):
        tried = rounded(coarser)
        taken = in_all(tried)
        if taken >= least:
            break
        best, least = tried, taken
    return best


def _units(layers: list[Dense], x: Floats) -> list[Floats]:
    """For each hidden layer, what its numbers are multiplied with, given what the first is handed."""
    found, h = [], x
    for layer in layers[:-1]:
        h = np.maximum(h @ layer.weight.astype(np.float64) + layer.bias, 0)
        most = max(1e-6, float(np.quantile(h, 1 - _RARE)))
        each = np.maximum(np.quantile(h, 1 - _RARE, axis=0), _DORMANT * most)
        found.append(_HIGH / np.sqrt(each * most))  # between all at their full range and all by one scale
    return found


def _whole(layers: list[Dense], x: Floats, hidden_units: list[Floats], coarser: int) -> tuple[WholeDense, ...]:
    """The layers in whole numbers, given what the first is handed; each shift so much less than it might be."""
    whole: list[WholeDense] = []
    seen, scale = x, np.ones(x.shape[1])
    largest = np.full(x.shape[1], float(FULL))
    for layer, units in zip(layers[:-1], hidden_units, strict=True):
        weight = layer.weight.astype(np.float64)
        made = _round(weight / scale[:, None] * units, layer.bias * units, largest, seen, coarser)
        seen = np.floor((seen @ made.weight + made.bias + made.half) / 2.0**made.shift).clip(0, _HIGH)
        whole.append(made)
        scale, largest = units, np.full(len(units), float(_HIGH))
    head = layers[-1]
    units, offsets = _output_units((len(head.bias) - 1) // 3)
    scale, largest = np.concatenate([scale, np.ones(x.shape[1])]), np.append(largest, np.full(x.shape[1], float(FULL)))
    weight, seen = head.weight.astype(np.float64) / scale[:, None] * units, np.concatenate([seen, x], 1)
    return (*whole, _round(weight, head.bias * units + offsets, largest, seen, coarser))


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


def _round(weight: Floats, bias: NDArray[np.floating[Any]], largest: Floats, seen: Floats, coarser: int) -> WholeDense:
    """The layer in whole numbers times 2^shift, shift as large as its sums allow, or less by `coarser`.

    largest: of each input. seen: float64[n, inputs], what it is handed.
    """

    def at(shift: int) -> WholeDense | None:
        exact = weight * 2.0**shift
        scaled = _compensated(exact, seen)
        offset = np.rint(bias * 2.0**shift + seen.mean(0) @ (exact - scaled))
        reach = (np.abs(scaled).T @ largest + np.abs(offset) + (1 << shift >> 1)).max()
        return WholeDense(scaled.astype(np.int64), offset.astype(np.int64), shift) if reach < EXACT32 else None

    for shift in range(_shift_above(weight), -1, -1):
        if ((np.abs(weight).T @ largest + np.abs(bias)) * 2.0**shift).max() >= EXACT32:
            continue
        made = at(shift)
        if made is not None:
            return at(max(0, shift - coarser)) or made if coarser else made
    raise CannotFreeze("a pixel network has weights so large that its sums leave the range of exact floats")


def _compensated(weight: Floats, seen: Floats) -> Floats:
    """Whole numbers near weight[inputs, outputs] that change sums over inputs like those seen as little as may be."""
    squares = seen.T @ seen / len(seen)
    squares[np.diag_indices_from(squares)] += _DAMPING * np.trace(squares) / len(squares) + 1e-9
    order = np.argsort(-np.diag(squares), kind="stable")
    left, made = weight[order], np.empty_like(weight)
    spread = np.linalg.cholesky(np.linalg.inv(squares[np.ix_(order, order)])).T
    for row, own in enumerate(order):
        made[own] = np.rint(left[row])
        left[row + 1 :] -= np.outer(spread[row, row + 1 :], (left[row] - made[own]) / spread[row, row])
    return made


def _shift_above(weight: Floats) -> int:
    """The shift that gives the largest weight _FINEST binary digits."""
    return int(np.clip(_FINEST - np.ceil(np.log2(np.abs(weight).max() + 1e-12)), 0, 23))
