"""From a trained spatial network to its codec: prior and synthesis in whole numbers, tables from what is seen.

A layer's weights come in a unit, as coarse as the loss allows; the sums of a last layer in what they mean, a gray level
or a fraction of a step, divided by a power of two. What a layer takes comes in parts (hidden numbers, symbols), each in
a unit of its own. All of it is fitted over many quantisation steps at once, for the codec is to serve them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import activate
from engram.codecs.rounding import CannotFreeze, TooFine
from engram.codecs.settings import LARGEST_ACTIVATION
from engram.codecs.spatial import rounding
from engram.codecs.spatial.codec import Spatial, codes_of
from engram.codecs.spatial.contexts import FRACTIONS, LOWEST_SCALE, SCALES, SCALES_A_UNIT, fitted_tables
from engram.codecs.spatial.model import LARGEST_LIMIT, SpatialModel
from engram.codecs.spatial.prior import Prior
from engram.codecs.spatial.synthesis import Synthesis, images_of
from engram.coding import grid as grids
from engram.coding import linear
from engram.coding.grid import Grid
from engram.coding.integer import InexactNetwork, Integers
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols
from engram.coding.tables import Levels
from engram.images import ImageSet, Pixels
from engram.layers import Convolution, Crop, Dense, Features, Network, Shuffle, Unshuffle

STEPS = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)
"""The quantisation steps, in half gray levels, that tables and units are fitted at."""
FITTED, MEASURED = 30_000, 5000
"""How many cells of training images fit the tables at each step, and measure the loss of whole numbers."""
STEP = 64
"""The step that a codec is given first."""
LOSS_RATE = 0.005
"""The share of the rate that whole numbers in the prior may cost."""
ROOM = 1.25
"""Symbols may go so much beyond the largest seen."""


@dataclass(frozen=True)
class _Seen:
    """Some images at a step, with the symbols of their grids: int32[n, rows, columns, units]."""

    step: int
    images: Pixels
    symbols: Symbols


def freeze_spatial(network: Network, training: ImageSet, loss_db: float) -> Spatial:
    """The codec of a spatial network; `freeze` has the promises. Raises CannotFreeze for another network."""
    _check(network)
    grid = Grid(network.image_shape)
    codes, pictures = [], []
    count = min(len(training), max(1, FITTED // (grid.rows * grid.columns)))
    rows = np.arange(count) * (len(training) // count)
    for index, step in enumerate(STEPS):
        pictures.append(training.images[(rows + index) % len(training)])
        codes.append(codes_of(network.analysis, grid, pictures[-1], step))
    largest = np.max([np.abs(code).max(axis=(0, 1, 2)) * step for code, step in zip(codes, STEPS, strict=True)], axis=0)
    limits = np.ceil(largest * ROOM / grids.FINEST).clip(1, LARGEST_LIMIT).astype(np.int64)
    seen = []
    for step, images, code in zip(STEPS, pictures, codes, strict=True):
        most = np.maximum(1, limits * grids.FINEST // step)
        seen.append(_Seen(step, images, np.rint(code.clip(-most, most)).astype(np.int32)))
    prior, levels = _round_prior(network, grid, limits, seen)
    synthesis = _round_synthesis(network, grid, limits, _few(seen), loss_db)
    return Spatial(SpatialModel(prior, levels, synthesis), STEP, network.analysis)


def _check(network: Network) -> None:
    """Raises CannotFreeze unless the layers are those that a spatial network describes."""
    half, grid = [Features, *3 * [Convolution]], (Unshuffle, Shuffle, Crop)
    found = [[type(layer) for layer in layers] for layers in (network.analysis, network.synthesis, network.prior)]
    if found != [[grid[0], *half], [*half, *grid[1:]], [Features, *5 * [Dense]]]:
        raise CannotFreeze(f"{network.method} has no layers of the form that the spatial codec takes")


def _round_prior(network: Network, grid: Grid, limits: Integers, seen: list[_Seen]) -> tuple[Prior, Levels]:
    """The prior in whole numbers, as coarse as LOSS_RATE allows, and its tables."""
    features = network.prior[0]
    assert isinstance(features, Features)
    first, second, third, fourth, output = (layer for layer in network.prior if isinstance(layer, Dense))
    units = grid.units
    few = _few(seen)
    examples = [_examples(grid, some.symbols, some.step) for some in few]
    around, own, where = (np.concatenate(part).astype(np.float32) for part in zip(*examples, strict=True))
    c1 = around @ first.weight + where @ features.weight + first.bias
    c2 = activate(c1.copy(), "relu") @ second.weight + second.bias
    h1 = np.concatenate([activate(c2.copy(), "relu"), own], axis=1) @ third.weight + third.bias
    h2 = activate(h1.copy(), "relu") @ fourth.weight + fourth.bias
    near, mine = rounding.Part(around), rounding.Part(own)
    ends = [
        (Dense(output.weight[:, :units], output.bias[:units], "none"), 1 / FRACTIONS),
        (Dense(output.weight[:, units:], output.bias[units:] - np.float32(LOWEST_SCALE), "none"), 1 / SCALES_A_UNIT),
    ]
    furthest = min(int(FRACTIONS * limits.max()), LARGEST_ACTIVATION)
    limited = (-furthest, furthest), (0, SCALES - 1)

    def rounded(half_octaves: int) -> Prior | None:
        coarseness = 2 ** (-half_octaves / 2)
        try:
            made1, part1 = rounding.hidden(first, [near], c1, coarseness)
            made2, part2 = rounding.hidden(second, [part1], c2, coarseness)
            made3, part3 = rounding.hidden(third, [part2, mine], h1, coarseness)
            made4, part4 = rounding.hidden(fourth, [part3], h2, coarseness)
            lasts = [
                rounding.last(dense, [part4, part2, near, mine], meaning, limit, coarseness)
                for (dense, meaning), limit in zip(ends, limited, strict=True)
            ]
            layers = *(made.layer for made in (made1, made2, made3, made4)), *lasts
            return Prior(grid, limits, made1.added(features.weight), layers)
        except (TooFine, InexactNetwork):
            return None

    most = np.inf

    def fits(prior: Prior) -> bool:
        nonlocal most
        bits = _tables(prior, few)[1]
        most = min(most, bits * (1 + LOSS_RATE))
        return bits <= most

    prior = rounding.coarsest(rounded, fits)
    return prior, _tables(prior, seen)[0]


def _few(seen: list[_Seen]) -> list[_Seen]:
    _, rows, columns, _ = seen[0].symbols.shape
    count = max(1, MEASURED // (rows * columns))
    return [_Seen(some.step, some.images[:count], some.symbols[:count]) for some in seen]


def _examples(grid: Grid, symbols: Symbols, step: int) -> tuple[Symbols, Symbols, Integers]:
    """(around, own, features), a row for each cell of each image."""
    margin = grids.MARGIN
    canvas = np.pad(symbols, ((0, 0), (margin, 0), (margin, margin), (0, 0)))
    y, x = np.indices((grid.rows, grid.columns)).reshape(2, -1)
    near = np.concatenate([canvas[:, margin + y + dy, margin + x + dx] for dy, dx in grids.OFFSETS], axis=2)
    where = grid.features_at(step).reshape(grid.features, -1).T
    return near.reshape(-1, near.shape[2]), symbols.reshape(-1, grid.units), np.tile(where, (len(symbols), 1))


def _tables(prior: Prior, seen: list[_Seen]) -> tuple[Levels, float]:
    """The tables fitted to all distances in their contexts, and their mean bits an image."""
    distances, contexts = [], []
    for some in seen:
        nearest, found = prior.contexts(some.symbols, some.step)
        distances.append((some.symbols - nearest).reshape(len(nearest), -1))
        contexts.append(found.reshape(len(nearest), -1))
    return fitted_tables(np.concatenate(distances), np.concatenate(contexts))


def _round_synthesis(network: Network, grid: Grid, limits: Integers, seen: list[_Seen], loss_db: float) -> Synthesis:
    """The synthesis, as coarse as loss_db in the mean over the steps allows, or else as fine as can be."""
    features = network.synthesis[0]
    assert isinstance(features, Features)
    first, second, output = (layer for layer in network.synthesis if isinstance(layer, Convolution))
    codes = np.concatenate([some.symbols * np.float32(some.step / 510) for some in seen]).transpose(0, 3, 1, 2)
    where = [features.weight.T @ grid.features_at(some.step).reshape(grid.features, -1) for some in seen]
    added = np.concatenate([np.tile(one, (len(some.images), 1, 1)) for one, some in zip(where, seen, strict=True)])
    h1 = linear.apply(first, codes)
    h1 += added.reshape(h1.shape).astype(np.float32)
    h2 = linear.apply(second, activate(h1.copy(), "relu"))
    pixels = linear.apply(output, np.concatenate([activate(h2.copy(), "relu"), codes], axis=1))
    images = np.concatenate([some.images for some in seen])
    cells = np.rint(pixels * 255).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    allowed = _errors(images_of(cells, grid), images) * 10 ** (loss_db / 10) + 1e-3
    mine = rounding.Part(_rows(codes), 1 / 510)

    def rounded(half_octaves: int) -> Synthesis | None:
        coarseness = 2 ** (-half_octaves / 2)
        try:
            made1, part1 = rounding.hidden(first, [mine], _rows(h1), coarseness)
            made2, part2 = rounding.hidden(second, [part1], _rows(h2), coarseness)
            end = rounding.last(output, [part2, mine], 1 / 255, (0, 255), coarseness)
            return Synthesis(grid, limits, made1.added(features.weight), (made1.layer, made2.layer, end))
        except (TooFine, InexactNetwork):
            return None

    def fits(synthesis: Synthesis) -> bool:
        made = np.concatenate([synthesis.pixels(some.symbols, some.step) for some in seen])
        return float(np.log(_errors(made, images) / allowed).mean()) <= 0

    return rounding.coarsest(rounded, fits)


def _rows(x: Floats) -> Floats:
    """[n * rows * columns, channels] of [n, channels, rows, columns]."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def _errors(made: Pixels, images: Pixels) -> NDArray[np.float64]:
    """The mean squared error at each of STEPS, in gray levels; there are as many images of each."""
    squares = np.square(made.astype(np.float32) - images).reshape(len(STEPS), -1)
    means: NDArray[np.float64] = squares.mean(axis=1, dtype=np.float64)
    return means
