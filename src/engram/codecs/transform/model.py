"""A transform codec's decoder: symbols from a stream, pixels from symbols, and itself to a config and a model.

The config (JSON) says how the layers lie, and so how many numbers there are; the model is those numbers in the order
of FORMAT.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.codecs.contract import Config, CorruptModel, image_shape_of
from engram.codecs.settings import LARGEST_ACTIVATION, LARGEST_SHIFT, check_keys, whole
from engram.codecs.synthesis import LARGEST_MODEL
from engram.codecs.transform.prior import FRACTIONS, Prior
from engram.coding import numbers, tables
from engram.coding.integer import IntegerLayer, IntegerNetwork, SkippingLayers
from engram.coding.rangecoder import ContextCoder
from engram.coding.tables import Levels, TableWeights
from engram.layers import Dense, Reshape, Skip

LARGEST_SYMBOL = 1 << 12
LARGEST_REACH = 1 << 9
MOST_UNITS, MOST_SCALES, MOST_LAYERS = 1 << 12, 256, 4
STORED = FRACTIONS // 2 + 1
"""The tables of the other fractions are these, mirrored."""


@dataclass(frozen=True, eq=False)
class TransformModel:
    """prior and synthesis in whole numbers, and levels[scales, STORED, 2 reach + 1], a table for each context.

    Table [scale, i] is that of fraction i - FRACTIONS / 2, and, where i is neither end, mirrored that of the opposite
    fraction. synthesis: dense layers; the last takes the hidden numbers and the symbols, in this order.
    Raises MisfitNetwork or InexactNetwork when made.
    """

    image_shape: tuple[int, int, int]
    prior: Prior
    levels: Levels
    synthesis: tuple[IntegerLayer, ...]

    def __post_init__(self) -> None:
        _ = self.network  # proven now, not at the first block

    @property
    def units(self) -> int:
        return len(self.prior.limits)

    @property
    def reach(self) -> int:
        """The largest distance of a symbol from the whole number nearest to its centre."""
        return int(self.levels.shape[2]) // 2

    @cached_property
    def network(self) -> IntegerNetwork:
        """From symbols[n, units] to pixels."""
        height, width, channels = self.image_shape
        *hidden, output = self.synthesis
        layers: SkippingLayers = (*hidden, Skip(self.units), output, Reshape((channels, height, width)))
        return IntegerNetwork((self.units,), self.prior.limits, layers, self.image_shape)

    @cached_property
    def coder(self) -> ContextCoder:
        """What makes a stream of distances + reach, and these of a stream."""
        return ContextCoder(tables_of(self.levels))

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """[contexts, 2 reach + 1], what each distance + reach costs: for an encoder's choices."""
        return tables.bits_of(self.coder.tables)

    def _skip(self, layer: IntegerLayer) -> int:
        """How many times 2 divides all weights of a last layer's symbols, at most LARGEST_SHIFT times."""
        weights = layer.linear.weight[-self.units :].astype(np.int64)
        bits = int(np.bitwise_or.reduce(weights, axis=None)) | 1 << LARGEST_SHIFT
        return (bits & -bits).bit_length() - 1

    def emit(self) -> tuple[Config, bytes]:
        """The config and the model, of which `parse` makes an equal one."""
        prior = self.prior
        config: Config = {
            "image_shape": list(self.image_shape),
            "units": self.units,
            "reach": self.reach,
            "prior": [_settings(layer) for layer in prior.hidden],
            "centre": {"shift": prior.centre.shift, "high": prior.centre.high, "skip": self._skip(prior.centre)},
            "scale": {"shift": prior.scale.shift, "high": prior.scale.high, "skip": self._skip(prior.scale)},
            "synthesis": [_settings(layer) for layer in self.synthesis[:-1]],
            "pixels": {"shift": self.synthesis[-1].shift, "skip": self._skip(self.synthesis[-1])},
        }
        sequence: list[NDArray[Any]] = [prior.limits, np.diff(self.levels.astype(np.int32), prepend=0).ravel()]
        last = prior.centre, prior.scale, self.synthesis[-1]
        for layer in (*prior.hidden, *last[:2], *self.synthesis):
            weight = layer.linear.weight.astype(np.int64)
            if any(layer is end for end in last):
                weight[-self.units :] >>= self._skip(layer)
            sequence += [weight.ravel(), layer.linear.bias]
        return config, numbers.pack(np.concatenate(sequence).astype(np.int32))


def tables_of(levels: Levels) -> TableWeights:
    """int64[scales * FRACTIONS, 2 reach + 1], the weights of each context's table."""
    mirrored = levels[:, -2:0:-1, ::-1]
    every = np.concatenate([levels, mirrored], axis=1).reshape(-1, levels.shape[2])
    return np.stack([tables.weights_of(row) for row in every])


def parse(config: Config, model: bytes) -> TransformModel:
    """The model of a config and its bytes. Raises CorruptModel or another CorruptData."""
    check_keys(config, {"image_shape", "units", "reach", "prior", "centre", "scale", "synthesis", "pixels"})
    image_shape = image_shape_of(config)
    units, reach = whole(config, "units", 1, MOST_UNITS), whole(config, "reach", 1, LARGEST_REACH)
    prior = [_outline(settings) for settings in _layers(config, "prior")]
    synthesis = [_outline(settings) for settings in _layers(config, "synthesis")]
    centre = _ends(config, "centre", {"shift", "high", "skip"}) | {"outputs": units}
    scale = _ends(config, "scale", {"shift", "high", "skip"}) | {"outputs": units}
    pixels = _ends(config, "pixels", {"shift", "skip"}) | {"outputs": prod(image_shape), "high": 255}
    scales = whole(scale, "high", 0, MOST_SCALES - 1) + 1
    shapes = [*_shapes(units, prior), *2 * [(prior[-1]["outputs"] + units, units)]]
    shapes += [*_shapes(units, synthesis), (synthesis[-1]["outputs"] + units, pixels["outputs"])]
    table = scales * STORED * (2 * reach + 1)
    count = units + table + sum(inputs * outputs + outputs for inputs, outputs in shapes)
    if count > LARGEST_MODEL:
        raise CorruptModel(f"a model holds at most {LARGEST_MODEL} numbers, not {count}")
    sequence = np.split(numbers.unpack(model, count).astype(np.int64), [units, units + table])
    limits, levels, rest = sequence[0], np.cumsum(sequence[1].reshape(scales, STORED, -1), axis=2), sequence[2]
    if limits.min() < 0 or limits.max() > LARGEST_SYMBOL:
        raise CorruptModel(f"symbols reach 0 to {LARGEST_SYMBOL}, not {limits.min()} to {limits.max()}")
    if levels.min() < 0 or levels.max() > 255:
        raise CorruptModel(f"probability levels lie in 0 to 255, not {levels.min()} to {levels.max()}")
    layers = []
    for settings, (inputs, outputs) in zip([*prior, centre, scale, *synthesis, pixels], shapes, strict=True):
        weight, bias, rest = np.split(rest, [inputs * outputs, inputs * outputs + outputs])
        low = -settings["high"] if settings is centre else 0
        weight = weight.reshape(inputs, outputs).astype(np.float64)
        weight[-units:] *= 1 << settings.get("skip", 0)
        linear = Dense(weight, bias, "none")  # type: ignore[arg-type]
        layers.append(IntegerLayer(linear, settings["shift"], low, settings["high"]))
    of_prior, ends, of_synthesis = layers[: len(prior)], layers[len(prior) :][:2], layers[len(prior) + 2 :]
    return TransformModel(
        image_shape, Prior(limits, tuple(of_prior), *ends), levels.astype(np.uint8), tuple(of_synthesis)
    )


Settings = dict[str, int]


def _settings(layer: IntegerLayer) -> Settings:
    return {"outputs": len(layer.linear.bias), "shift": layer.shift, "high": layer.high}


def _layers(config: Config, key: str) -> list[Any]:
    found = config[key]
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_LAYERS:
        raise CorruptModel(f"{key} is a list of 1 to {MOST_LAYERS} layers, not {found!r}")
    return found


def _outline(settings: Any) -> Settings:
    if not isinstance(settings, dict):
        raise CorruptModel(f"a layer has outputs, a shift and a high, not {settings!r}")
    check_keys(settings, {"outputs", "shift", "high"})
    return {"outputs": whole(settings, "outputs", 1, 1 << 16)} | _checked(settings)


def _ends(config: Config, key: str, keys: set[str]) -> Settings:
    settings = config[key]
    if not isinstance(settings, dict):
        raise CorruptModel(f"{key} has a shift, not {settings!r}")
    check_keys(settings, keys)
    return _checked(settings)


def _checked(settings: Settings) -> Settings:
    most = {"shift": LARGEST_SHIFT, "skip": LARGEST_SHIFT, "high": LARGEST_ACTIVATION}
    return {key: whole(settings, key, 0, most[key]) for key in settings if key in most}


def _shapes(inputs: int, layers: Iterable[Settings]) -> list[tuple[int, int]]:
    """[inputs, outputs] of each layer."""
    found = []
    for layer in layers:
        found.append((inputs, layer["outputs"]))
        inputs = layer["outputs"]
    return found
