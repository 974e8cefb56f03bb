"""A spatial codec's decoder, and how it becomes a config and a model and comes back.

The config (JSON) says how the layers lie, and so how many numbers there are; the model is those numbers in the order
of FORMAT.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.codecs.contract import Config, CorruptModel, image_shape_of
from engram.codecs.settings import LARGEST_ACTIVATION, LARGEST_SHIFT, check_keys, whole
from engram.codecs.spatial.contexts import LARGEST_REACH, STORED, tables_of
from engram.codecs.spatial.prior import Prior
from engram.codecs.spatial.synthesis import Synthesis
from engram.codecs.synthesis import LARGEST_MODEL
from engram.coding import numbers
from engram.coding.convolution import KERNEL
from engram.coding.grid import COARSEST, FINEST, OFFSETS, Grid
from engram.coding.integer import IntegerLayer
from engram.coding.linear import Linear
from engram.coding.rangecoder import ContextCoder
from engram.coding.tables import Levels
from engram.layers import Convolution, Dense

LARGEST_LIMIT = 1 << 12
LARGEST_GRID = 1 << 12
"""How many cells an image may have: 256 x 256 pixels."""
LARGEST_WIDTH = 1 << 12
MOST_SCALES = 256


@dataclass(frozen=True, eq=False)
class SpatialModel:
    """prior and synthesis in whole numbers, and the levels[scales, STORED, 2 reach + 1] that `tables_of` takes."""

    prior: Prior
    levels: Levels
    synthesis: Synthesis

    @property
    def grid(self) -> Grid:
        return self.prior.grid

    @property
    def reach(self) -> int:
        """The largest distance of a symbol from the whole number nearest to its centre."""
        return int(self.levels.shape[2]) // 2

    @cached_property
    def coder(self) -> ContextCoder:
        """What makes a stream of distances + reach, and these of a stream."""
        return ContextCoder(tables_of(self.levels))


def emit(model: SpatialModel, step: int) -> tuple[Config, bytes]:
    """The config and the model's bytes, of which `parse` makes an equal model and the step."""
    prior, synthesis = model.prior, model.synthesis
    *hidden, centre, scale = prior.layers
    config: Config = {
        "image_shape": list(model.grid.image_shape),
        "step": step,
        "reach": model.reach,
        "prior": [_settings(layer) for layer in hidden],
        "centre": {"shift": centre.shift, "high": centre.high},
        "scale": {"shift": scale.shift, "high": scale.high},
        "synthesis": [_settings(layer) for layer in synthesis.layers[:2]],
        "pixels": {"shift": synthesis.layers[2].shift},
    }
    sequence: list[NDArray[Any]] = [prior.limits, np.diff(model.levels.astype(np.int32), prepend=0).ravel()]
    for part in (prior, synthesis):
        sequence.append(part.features.ravel())
        for layer in part.layers:
            sequence += [layer.linear.weight.ravel(), layer.linear.bias]
    return config, numbers.pack(np.concatenate(sequence).astype(np.int32))


def parse(config: Config, model: bytes) -> tuple[SpatialModel, int]:
    """(the model, the step) of a config and bytes. Raises CorruptModel or another CorruptData."""
    check_keys(config, {"image_shape", "step", "reach", "prior", "centre", "scale", "synthesis", "pixels"})
    grid = Grid(image_shape_of(config))
    if grid.rows * grid.columns > LARGEST_GRID:
        raise CorruptModel(f"a spatial code takes smaller images than {list(grid.image_shape)}")
    step, reach = whole(config, "step", FINEST, COARSEST), whole(config, "reach", 1, LARGEST_REACH)
    hidden, convolutions = _hidden(config, "prior", 4), _hidden(config, "synthesis", 2)
    centre, scale, pixels = _end(config, "centre"), _end(config, "scale"), _end(config, "pixels", most=255)
    scales = whole(scale, "high", 0, MOST_SCALES - 1) + 1
    units, around = grid.units, len(OFFSETS) * grid.units
    c1, c2, h1, h2 = (layer["outputs"] for layer in hidden)
    wide, wider = (layer["outputs"] for layer in convolutions)
    last = h2 + c2 + around + units
    matrices = [(around, c1), (c1, c2), (c2 + units, h1), (h1, h2), (last, units), (last, units)]
    kernels = [(made, taken, KERNEL, KERNEL) for made, taken in ((wide, units), (wider, wide), (units, wider + units))]
    numbers_of_prior = [(grid.features, c1), *(shape for i, o in matrices for shape in ((i, o), (o,)))]
    numbers_of_synthesis = [(grid.features, wide), *(shape for k in kernels for shape in (k, k[:1]))]
    table = scales, STORED, 2 * reach + 1
    limits, levels, *rest = _split(model, [(units,), table, *numbers_of_prior, *numbers_of_synthesis])
    levels = np.cumsum(levels, axis=2)
    if limits.min() < 1 or limits.max() > LARGEST_LIMIT:
        raise CorruptModel(f"symbols reach 1 to {LARGEST_LIMIT}, not {limits.min()} to {limits.max()}")
    if levels.min() < 0 or levels.max() > 255:
        raise CorruptModel(f"probability levels lie in 0 to 255, not {levels.min()} to {levels.max()}")
    of_prior, of_synthesis = rest[: len(numbers_of_prior)], rest[len(numbers_of_prior) :]
    dense = [
        _layer(Dense(weight, bias, "none"), settings, -settings["high"] if settings is centre else 0)
        for weight, bias, settings in zip(of_prior[1::2], of_prior[2::2], [*hidden, centre, scale], strict=True)
    ]
    prior = Prior(grid, limits, of_prior[0], tuple(dense))
    made = [
        _layer(Convolution(weight, bias, 1, KERNEL // 2, "none"), settings, 0)
        for weight, bias, settings in zip(of_synthesis[1::2], of_synthesis[2::2], [*convolutions, pixels], strict=True)
    ]
    return SpatialModel(prior, levels.astype(np.uint8), Synthesis(grid, limits, of_synthesis[0], tuple(made))), step


Settings = dict[str, int]


def _settings(layer: IntegerLayer) -> Settings:
    return {"outputs": len(layer.linear.bias), "shift": layer.shift, "high": layer.high}


def _layer(linear: Linear, settings: Settings, low: int) -> IntegerLayer:
    return IntegerLayer(linear, settings["shift"], low, settings["high"])


def _hidden(config: Config, key: str, count: int) -> list[Settings]:
    """The settings of the hidden layers of a half. Raises CorruptModel."""
    found = config[key]
    if not isinstance(found, list) or len(found) != count:
        raise CorruptModel(f"{key} is a list of {count} layers, not {found!r}")
    return [_whole(settings, {"outputs": LARGEST_WIDTH, **_ROUNDING}) for settings in found]


def _end(config: Config, key: str, most: int | None = None) -> Settings:
    """The settings of a last layer; `most` where its results need not be said. Raises CorruptModel."""
    if most is None:
        return _whole(config[key], _ROUNDING)
    return _whole(config[key], {"shift": LARGEST_SHIFT}) | {"high": most}


_ROUNDING = {"shift": LARGEST_SHIFT, "high": LARGEST_ACTIVATION}


def _whole(settings: Any, most: Settings) -> Settings:
    if not isinstance(settings, dict):
        raise CorruptModel(f"a layer has {', '.join(most)}, not {settings!r}")
    check_keys(settings, set(most))
    return {key: whole(settings, key, 1 if key == "outputs" else 0, limit) for key, limit in most.items()}


def _split(model: bytes, shapes: list[tuple[int, ...]]) -> list[Any]:
    """The model's numbers as int64 arrays of these shapes. Raises CorruptModel or CorruptNumbers."""
    sizes = [prod(shape) for shape in shapes]
    if sum(sizes) > LARGEST_MODEL:
        raise CorruptModel(f"a model holds at most {LARGEST_MODEL} numbers, not {sum(sizes)}")
    parts = np.split(numbers.unpack(model, sum(sizes)).astype(np.int64), np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
