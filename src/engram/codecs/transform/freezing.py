"""From a trained transform network to its codec: prior and synthesis in whole numbers, tables from what is seen.

A layer's weights come in a unit, as coarse as the loss allows; numbers of hidden layers in a unit that gives the
largest ACTIVATION_LEVELS. The sums of a last layer must come in the unit of what they mean, a gray level or a fraction
of a step, divided by a power of two: so the unit of its weights is what is left to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import evaluate, floats_of, pixels_of
from engram.codecs.rounding import LARGEST_BIAS, CannotFreeze, TooFine
from engram.codecs.settings import LARGEST_ACTIVATION, LARGEST_SHIFT
from engram.codecs.transform.codec import Transform
from engram.codecs.transform.model import LARGEST_REACH, LARGEST_SYMBOL, STORED, TransformModel, tables_of
from engram.codecs.transform.prior import FRACTIONS, Contexts, Prior
from engram.coding import tables
from engram.coding.integer import IntegerLayer, Integers
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols
from engram.images import ImageSet, Pixels
from engram.layers import Dense, Layer, Network, Skip

FITTED, MEASURED = 10_000, 1000
"""How many training images fit tables and limits, and measure the loss of whole numbers."""
ACTIVATION_LEVELS = 400
"""The largest whole number of a hidden layer, about."""
RAREST = 0.1
"""A hidden number seen smaller than this share of the largest is taken to be as large."""
LOWEST_SCALE, SCALES_A_UNIT, SCALES = -3.0, 6, 44
"""Scale s is the logistic distribution of scale exp(LOWEST_SCALE + s / SCALES_A_UNIT)."""
COARSEST, FINEST = 2, 20
"""Units of weights that are tried: their root mean square over 2^(half octaves / 2)."""
LOSS_RATE = 0.005
"""The share of the rate that whole numbers in the prior may cost."""
PRIOR_COUNTS = 400
"""How many sightings the logistic distribution is worth in a table."""
ROOM = 1.25
"""Symbols may go so much beyond the largest seen."""
_CHUNK = 2000


def freeze_transform(network: Network, training: ImageSet, loss_db: float) -> Transform:
    """The codec of a transform network; `freeze` has the promises. Raises CannotFreeze for another network."""
    _check(network)
    images = training.images[:: -(-len(training) // FITTED)]
    codes = _codes(network, images)
    limits = np.ceil(np.abs(codes).max(axis=0) * ROOM).clip(1, LARGEST_SYMBOL).astype(np.int64)
    symbols = np.rint(codes.clip(-limits, limits)).astype(np.int32)
    prior, levels = _round_prior(network.prior, symbols, limits)
    thin = slice(None, None, -(-len(images) // MEASURED))
    decoder = _round_synthesis(network, prior, levels, symbols[thin], images[thin], loss_db)
    return Transform(decoder, network.analysis)


def _check(network: Network) -> None:
    """Raises CannotFreeze unless synthesis and prior are rectified dense layers, a skip, a linear dense layer."""
    for layers in (network.prior, network.synthesis[:-1]):
        *hidden, skip, output = layers if len(layers) > 1 else (None, None)
        if not (
            hidden
            and isinstance(skip, Skip)
            and isinstance(output, Dense)
            and all(isinstance(layer, Dense) and layer.activation == "relu" for layer in hidden)
        ):
            raise CannotFreeze(
                f"{network.method} has no synthesis and prior of the form that the transform codec takes"
            )


def _codes(network: Network, images: Pixels) -> Floats:
    parts = [images[first : first + _CHUNK] for first in range(0, len(images), _CHUNK)]
    return np.concatenate([evaluate(network.analysis, floats_of(part)) for part in parts])


def _balanced(layers: Sequence[Layer], x: Floats) -> list[Dense]:
    """The same network, each hidden number at most 1 for the inputs x, so that one unit fits them all.

    A rectified number may be divided by anything above 0, where what takes it is multiplied by that.
    """
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    balanced = []
    before = np.ones(len(dense[0].weight), np.float32)
    for layer in dense[:-1]:
        x = evaluate((layer,), x)
        largest = x.max(axis=0)
        size = largest.clip(RAREST * float(largest.max()) or 1.0).astype(np.float32)
        balanced.append(replace(layer, weight=layer.weight * before[:, None] / size, bias=layer.bias / size))
        before = size
    last = dense[-1].weight.copy()
    last[: len(before)] *= before[:, None]
    return [*balanced, replace(dense[-1], weight=last)]


@dataclass(frozen=True)
class _Rounding:
    """How finely: weights in units of `coarseness` times their root mean square."""

    coarseness: float

    def unit(self, weight: Floats) -> float:
        used = weight[weight != 0].astype(np.float64)
        return self.coarseness * float(np.sqrt(np.square(used).mean())) if used.size else 1.0

    def hidden(self, layers: Sequence[Dense], x: Floats) -> tuple[list[IntegerLayer], float, Floats]:
        """The layers in whole numbers, for whole inputs like x; the unit of what they give; and that in floats."""
        unit, rounded = 1.0, []
        for layer in layers:
            mean, x = x.mean(axis=0), evaluate((layer,), x)
            weight_unit = self.unit(layer.weight)
            sums = unit * weight_unit
            largest = max(1.25 * float(x.max()), sums)
            shift = max(0, ceil(log2(largest / sums / ACTIVATION_LEVELS)))
            unit = sums * 2**shift
            linear = whole_dense(layer.weight / weight_unit, layer.bias / sums, mean * (weight_unit / sums))
            rounded.append(IntegerLayer(linear, possible_shift(shift), 0, ceil(largest / unit)))
        return rounded, unit, x

    def output(
        self, layer: Dense, x: Floats, unit: float, symbols: Symbols, meaning: float, ends: tuple[int, int]
    ) -> IntegerLayer:
        """A last layer whose results are in units of `meaning`, for hidden numbers like x, which come in `unit`.

        The symbols' weights may be coarser by as much as symbols are smaller than the hidden numbers.
        """
        hidden = x.shape[1]
        finest = self.unit(layer.weight[:hidden]) * unit
        shift = max(0, ceil(log2(meaning / finest)))
        sums = meaning / 2**shift
        weight = layer.weight.astype(np.float64) / sums
        weight[:hidden] *= unit
        mean = np.concatenate([x.mean(axis=0) / unit, np.zeros(len(weight) - hidden)])
        ratio = np.sqrt(np.square(x / unit).mean() / max(1e-9, np.square(symbols.astype(np.float64)).mean()))
        coarser = 2.0 ** int(np.log2(max(1, ratio)))
        weight[hidden:] = np.rint(weight[hidden:] / coarser) * coarser
        return IntegerLayer(whole_dense(weight, layer.bias / sums, mean), possible_shift(shift), *ends)


def whole_dense(weight: NDArray[Any], bias: NDArray[Any], mean: NDArray[Any]) -> Dense:
    """A dense layer in whole numbers, its bias set right by what rounding does to the sums at the mean input."""
    rounded = np.rint(weight.astype(np.float64))
    numbers = [rounded, np.rint(bias + mean @ (weight - rounded))]
    if max(np.abs(array).max(initial=0) for array in numbers) > LARGEST_BIAS:
        raise TooFine("weights or biases are beyond the 32 bits of a model's numbers")
    return Dense(numbers[0], numbers[1], "none")


def possible_shift(shift: int) -> int:
    if shift > LARGEST_SHIFT:
        raise TooFine(f"a shift of {shift} is beyond the {LARGEST_SHIFT} of a model's layers")
    return shift


def _round_prior(layers: tuple[Layer, ...], symbols: Symbols, limits: Integers) -> tuple[Prior, tables.Levels]:
    """The prior in whole numbers, as coarse as LOSS_RATE allows, and its tables."""
    *hidden, output = _balanced(layers, symbols.astype(np.float32))
    units = len(limits)
    found = None
    least = np.inf
    for half_octaves in range(FINEST, COARSEST - 1, -1):
        rounding = _Rounding(2 ** (-half_octaves / 2))
        try:
            made, unit, x = rounding.hidden(hidden, symbols.astype(np.float32))
            centre, scale = (
                Dense(output.weight[:, part], output.bias[part], "none") for part in np.split(np.arange(2 * units), 2)
            )
            scale = Dense(scale.weight * SCALES_A_UNIT, (scale.bias - np.float32(LOWEST_SCALE)) * SCALES_A_UNIT, "none")
            furthest = min(int(FRACTIONS * limits.max()), LARGEST_ACTIVATION)
            ends = (
                rounding.output(centre, x, unit, symbols, 1 / FRACTIONS, (-furthest, furthest)),
                rounding.output(scale, x, unit, symbols, 1, (0, SCALES - 1)),
            )
        except TooFine:
            continue
        prior = Prior(limits, tuple(made), *ends)
        nearest, contexts = prior.contexts(symbols)
        levels, bits = fitted_tables(symbols - nearest, contexts)
        least = min(least, bits)
        if found is not None and bits > least * (1 + LOSS_RATE):
            break
        found = prior, levels
    if found is None:
        raise CannotFreeze("the prior's numbers do not fit into those of a model")
    return found


def fitted_tables(distances: Symbols, contexts: Contexts) -> tuple[tables.Levels, float]:
    """levels[SCALES, STORED, 2 reach + 1] fitted to the distances in their contexts, and their mean bits an image."""
    reach = int(np.abs(distances).max(initial=1).clip(1, LARGEST_REACH))
    size = 2 * reach + 1
    found = distances.clip(-reach, reach).ravel() + reach
    counts = np.bincount(contexts.ravel() * size + found, minlength=SCALES * FRACTIONS * size)
    counts = counts.reshape(SCALES, FRACTIONS, size)
    stored = counts[:, :STORED].copy()
    stored[:, 1 : STORED - 1] += counts[:, : STORED - 1 : -1, ::-1]
    levels = np.stack([_levels(row, scale, i) for scale in range(SCALES) for i, row in enumerate(stored[scale])])
    levels = levels.reshape(SCALES, STORED, size)
    cost = tables.bits_of(tables_of(levels))
    return levels, float(cost[contexts.ravel(), found].sum() / max(1, len(distances)))


def _levels(counts: Integers, scale: int, index: int) -> tables.Levels:
    """The levels of one table: what was counted, and the logistic distribution as if it had been seen as well."""
    size = len(counts)
    width = np.exp(LOWEST_SCALE + scale / SCALES_A_UNIT)
    edges = np.arange(size + 1) - size / 2 - (index - FRACTIONS // 2) / FRACTIONS
    chances = np.diff(0.5 * np.tanh(edges / width / 2))
    share = counts + PRIOR_COUNTS * chances / chances.sum() + 1e-9
    levels: tables.Levels = np.rint(np.sqrt(share / share.max()) * 256 - 1).clip(0, 255).astype(np.uint8)
    return levels


def _round_synthesis(
    network: Network, prior: Prior, levels: tables.Levels, symbols: Symbols, images: Pixels, loss_db: float
) -> TransformModel:
    """The decoder, its synthesis as coarse as loss_db on these images allows, or else as fine as can be."""
    x = symbols.astype(np.float32)
    *hidden, output = _balanced(network.synthesis[:-1], x)
    allowed = _error(pixels_of(evaluate(network.synthesis, x)), images) * 10 ** (loss_db / 10) + 1e-3
    decoder = None
    for half_octaves in range(COARSEST, FINEST + 1):
        rounding = _Rounding(2 ** (-half_octaves / 2))
        try:
            made, unit, last = rounding.hidden(hidden, x)
            layer = rounding.output(output, last, unit, symbols, 1 / 255, (0, 255))
        except TooFine:
            break
        decoder = TransformModel(network.image_shape, prior, levels, (*made, layer))
        if _error(decoder.network(symbols), images) <= allowed:
            break
    if decoder is None:
        raise CannotFreeze("the synthesis' numbers do not fit into those of a model")
    return decoder


def _error(decoded: Pixels, images: Pixels) -> float:
    """The mean squared error in gray levels."""
    return float(np.square(decoded.astype(np.float32) - images).mean(dtype=np.float64))
