"""The decoder's half of a frozen network: symbols to pixels, and itself to a config and a model.

    symbol s of unit u   ->   a = base[u] + multiplier[u] * s   ->   integer network   ->   pixels

The config (JSON) says how the layers lie, and so how many numbers there are; the model is those numbers in the order
of FORMAT.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from engram.codecs.contract import Config, CorruptModel, image_shape_of
from engram.codecs.settings import check_keys, outline, settings_of, shape_in, whole
from engram.coding import numbers, tables
from engram.coding.integer import IntegerLayer, IntegerLayers, IntegerNetwork, Integers, Products, with_numbers
from engram.coding.numbers import Numbers
from engram.coding.rangecoder import RangeCoder, Symbols
from engram.coding.tables import LARGEST_ALPHABET, Levels
from engram.images import Pixels
from engram.layers import Shape

LARGEST_MODEL = 1 << 25
"""How many numbers a model may hold."""
LARGEST_MULTIPLIER = (1 << 16) - 1
"""Times a symbol this stays below 2^31, so codes are made in int32."""


@dataclass(frozen=True, eq=False)
class Synthesis:
    """base, multiplier: int64[units]; levels: a probability table for each unit; layers: from code_shape to pixels.

    Raises MisfitNetwork or InexactNetwork when made.
    """

    image_shape: tuple[int, int, int]
    code_shape: Shape
    base: Integers
    multiplier: Integers
    levels: tuple[Levels, ...]
    layers: IntegerLayers

    def __post_init__(self) -> None:
        _ = self.network  # proven now, not at the first block

    def pixels(self, symbols: Symbols) -> Pixels:
        """uint8[n, h, w, c] of symbols[units, n]."""
        codes = symbols * self.multiplier[:, None].astype(np.int32)
        codes += self.base[:, None].astype(np.int32)
        return self.network(codes.T)

    @cached_property
    def coder(self) -> RangeCoder:
        """What makes a stream of symbols[units, n], and symbols of a stream."""
        return RangeCoder([tables.weights_of(levels) for levels in self.levels])

    @cached_property
    def network(self) -> IntegerNetwork:
        last = np.array([len(levels) - 1 for levels in self.levels])
        largest = np.maximum(np.abs(self.base), np.abs(self.base + self.multiplier * last))
        return IntegerNetwork(self.code_shape, largest, self.layers, self.image_shape)

    def emit(self) -> tuple[Config, bytes]:
        """The config and the model, of which `parse` makes an equal synthesis."""
        config: Config = {
            "image_shape": list(self.image_shape),
            "code_shape": list(self.code_shape),
            "symbols": sum(len(levels) for levels in self.levels),
            "layers": [settings_of(layer) for layer in self.layers],
        }
        sizes = [len(levels) for levels in self.levels]
        sequence: list[Any] = [self.base, self.multiplier, sizes, *self.levels]
        for layer in self.layers:
            if isinstance(layer, IntegerLayer):
                if layer.products is None:
                    sequence += [layer.linear.weight.ravel(), layer.linear.bias]
                else:
                    codebook, chosen = layer.products.codebook, layer.products.chosen
                    sequence += [codebook.ravel(), chosen.ravel() - len(codebook) // 2, layer.linear.bias]
                sequence += [] if layer.table is None else [np.diff(layer.table, prepend=0)]
        return config, numbers.pack(np.concatenate(sequence).astype(np.int32))


def parse(config: Config, model: bytes) -> Synthesis:
    """The synthesis of a config and a model. Raises CorruptModel or another CorruptData."""
    check_keys(config, {"image_shape", "code_shape", "symbols", "layers"})
    image_shape, code_shape = image_shape_of(config), shape_in(config, "code_shape")
    symbols = whole(config, "symbols", 1, LARGEST_MODEL)
    if not isinstance(config["layers"], list):
        raise CorruptModel("a frozen network's layers are a list")
    units, shape = prod(code_shape), code_shape
    layers, count, expanded = [], 3 * units + symbols, 0
    for settings in config["layers"]:
        layer = outline(settings, shape)
        layers.append(layer)
        if isinstance(layer, IntegerLayer):
            count += layer.stored_weights + layer.linear.bias.size + (0 if layer.table is None else layer.table.size)
            expanded += layer.linear.weight.size
            shape = layer.linear.shape_after(shape)
        else:
            shape = layer.shape_after(shape)
        if min(shape) < 1 or max(count, expanded) > LARGEST_MODEL:
            largest = max(count, expanded)
            raise CorruptModel(f"a {settings['kind']} leaves {list(shape)}, after {largest} numbers of {LARGEST_MODEL}")
    if count > LARGEST_MODEL:
        raise CorruptModel(f"a model holds at most {LARGEST_MODEL} numbers, not {count}")
    sequence = _Sequence(numbers.unpack(model, count))
    base, multiplier, sizes = sequence.take(units), sequence.take(units), sequence.take(units)
    if sizes.min() < 1 or sizes.max() > LARGEST_ALPHABET or sizes.sum() != symbols:
        raise CorruptModel(f"the units' alphabets, {sizes.min()} to {sizes.max()}, must sum to {symbols} symbols")
    if multiplier.min() < 0 or multiplier.max() > LARGEST_MULTIPLIER:
        raise CorruptModel(
            f"multipliers lie in 0 to {LARGEST_MULTIPLIER}, not {multiplier.min()} to {multiplier.max()}"
        )
    levels = sequence.take(symbols)
    if levels.min() < 0 or levels.max() > 255:
        raise CorruptModel(f"probability levels lie in 0 to 255, not {levels.min()} to {levels.max()}")
    return Synthesis(
        image_shape,
        code_shape,
        base,
        multiplier,
        tuple(np.split(levels.astype(np.uint8), np.cumsum(sizes)[:-1])),
        tuple(_filled(layer, sequence) if isinstance(layer, IntegerLayer) else layer for layer in layers),
    )


class _Sequence:
    """Numbers that are taken from the front."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers, self._taken = numbers, 0

    def take(self, count: int) -> Integers:
        self._taken += count
        return self._numbers[self._taken - count : self._taken].astype(np.int64)


def _filled(layer: IntegerLayer, sequence: _Sequence) -> IntegerLayer:
    """The outlined layer with its numbers."""
    shape, outputs, products = layer.linear.weight.shape, layer.linear.bias.size, layer.products
    if products is None:
        weight = sequence.take(prod(shape)).reshape(shape)
    else:
        products = _filled_products(products, sequence)
        weight = products.weight
    linear = with_numbers(layer.linear, weight, sequence.take(outputs))
    table = None if layer.table is None else np.cumsum(sequence.take(layer.table.size))
    return replace(layer, linear=linear, table=table, products=products)


def _filled_products(outlined: Products, sequence: _Sequence) -> Products:
    codebook = sequence.take(outlined.codebook.size).reshape(outlined.codebook.shape)
    chosen = sequence.take(outlined.chosen.size).reshape(outlined.chosen.shape) + len(codebook) // 2
    if chosen.min() < 0 or chosen.max() >= len(codebook):
        raise CorruptModel(f"codewords are 0 to {len(codebook) - 1}, not {chosen.min()} to {chosen.max()}")
    return Products(codebook, chosen)
