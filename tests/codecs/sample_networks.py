"""Small networks and images from a seed, for the tests of codecs and of their laws."""

from itertools import pairwise
from typing import Any

import numpy as np

from engram.codecs.pca import fit_pca
from engram.coding.grid import Grid
from engram.coding.neighbourhood import Neighbourhood, ordered
from engram.images import ImageSet
from engram.layers import (
    Activation,
    Convolution,
    Crop,
    Dense,
    Features,
    MaxPooling,
    Network,
    Pad,
    Reshape,
    Shuffle,
    TransposedConvolution,
    Unshuffle,
)
from engram.models import Model


def pictures(count: int, shape: tuple[int, int, int], seed: int = 0) -> ImageSet:
    """Soft blobs of random places, sizes and colours on a dark ground: uint8[count, *shape]."""
    random = np.random.default_rng(seed)
    height, width, channels = shape
    y, x = np.mgrid[:height, :width][:, None, :, :, None] / np.array([height, width]).reshape(2, 1, 1, 1, 1)
    place = random.uniform(0.2, 0.8, (2, count, 1, 1, 1))
    size = random.uniform(0.1, 0.4, (count, 1, 1, 1))
    colour = random.uniform(60, 255, (count, 1, 1, channels))
    blobs = colour * np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / size**2)
    return ImageSet(np.rint(blobs + random.uniform(0, 4, blobs.shape)).clip(0, 255).astype(np.uint8))


def _normal(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng([seed, *shape]).normal(0, scale, shape)).astype(np.float32)


def dense(shape: tuple[int, int, int], units: int, seed: int = 0) -> Network:
    """pixels - units - pixels, sigmoids; the weights are principal components, so that pictures come out."""
    height, width, channels = shape
    pixels = height * width * channels
    components = fit_pca(pictures(100, shape, seed), units)
    analysis, synthesis = components.analysis[1], components.synthesis[0]
    return Network(
        "ann",
        shape,
        (Reshape((pixels,)), Dense(analysis.weight, analysis.bias, "sigmoid")),
        (
            Dense(8 * synthesis.weight, 6 * synthesis.bias - 3 - 4 * synthesis.weight.sum(axis=0), "sigmoid"),
            Reshape((channels, height, width)),
        ),
    )


def tied(shape: tuple[int, int, int], units: int) -> Network:
    """The same with one matrix."""
    height, width, channels = shape
    weight = _normal(1, height * width * channels, units, scale=0.1)
    return Network(
        "tied",
        shape,
        (Dense(weight, _normal(2, units), "sigmoid"),),
        (
            Dense(np.ascontiguousarray(weight.T), _normal(3, len(weight)), "sigmoid", shares_weight=True),
            Reshape((channels, height, width)),
        ),
    )


def deep(shape: tuple[int, int, int], units: int) -> Network:
    """Hidden layers of each activation, a rectified code, and linear pixels."""
    height, width, channels = shape
    pixels = height * width * channels
    return Network(
        "deep",
        shape,
        (
            Reshape((pixels,)),
            Dense(_normal(1, pixels, 20, scale=0.2), _normal(2, 20), "sigmoid"),
            Dense(_normal(3, 20, units), _normal(4, units), "relu"),
        ),
        (
            Dense(_normal(5, units, 18, scale=0.5), _normal(6, 18), "sigmoid"),
            Dense(_normal(7, 18, 16, scale=0.5), _normal(8, 16), "none"),
            Dense(_normal(9, 16, 20, scale=0.5), _normal(10, 20), "relu"),
            Dense(_normal(11, 20, pixels, scale=0.1), _normal(12, pixels, scale=0.1) + 0.3, "none"),
            Reshape((channels, height, width)),
        ),
    )


def convolutional(shape: tuple[int, int, int]) -> Network:
    """Every layer that there is; any size from 8 x 8, by padding before and cropping after."""
    height, width, channels = shape
    even = height + -height % 4, width + -width % 4
    return Network(
        "cnn",
        shape,
        (
            Pad(*even),
            Convolution(_normal(1, 6, channels, 3, 3, scale=0.6), _normal(2, 6), 2, 1, "relu"),
            MaxPooling(2, 2),
            Convolution(_normal(3, 3, 6, 1, 1, scale=0.6), _normal(4, 3), 1, 0, "relu"),
        ),
        (
            TransposedConvolution(_normal(5, 3, 8, 2, 2, scale=0.6), _normal(6, 8), 2, 0, "relu"),
            Convolution(_normal(7, 7, 8, 3, 3, scale=0.3), _normal(8, 7), 1, 1, "sigmoid"),
            TransposedConvolution(_normal(9, 7, channels, 4, 4, scale=0.6), _normal(10, channels), 2, 1, "sigmoid"),
            Crop(height, width),
        ),
    )


def spatial(shape: tuple[int, int, int], width: int = 6, context: int = 9, hidden: int = 20) -> Network:
    """The cosines of each cell, with small convolutions beside them, and a prior that looks back."""
    grid = Grid(shape)
    units, cosines = grid.units, grid.cosines().astype(np.float32)
    own, sees = np.arange(units), np.arange(hidden) * units // hidden
    third = np.concatenate([np.ones((context, hidden)), own[:, None] < sees]).astype(np.float32)
    rest = np.ones((context + grid.neighbours, units))
    causal = np.concatenate([sees[:, None] <= own, rest, own[:, None] < own]).astype(np.float32)
    last = len(causal)
    centre, scale = _normal(1, last, units, scale=0.02), _normal(2, last, units, scale=0.02)
    return Network(
        "spatial",
        shape,
        (Unshuffle(4), *_convolutions(grid, cosines, width, 1)),
        (*_convolutions(grid, cosines.T, width, 3), Shuffle(4), Crop(*shape[:2])),
        (
            Features(_normal(3, grid.features, context, scale=0.02)),
            Dense(_normal(4, grid.neighbours, context, scale=0.03), _normal(5, context), "relu"),
            Dense(_normal(6, context, context, scale=0.3), _normal(7, context), "relu"),
            Dense(third * _normal(8, *third.shape, scale=0.1), _normal(9, hidden), "relu"),
            Dense((sees[:, None] <= sees) * _normal(10, hidden, hidden, scale=0.3), _normal(11, hidden), "relu"),
            Dense(np.hstack([centre * causal, scale * causal]), _normal(12, 2 * units, scale=0.5), "none"),
        ),
    )


def _convolutions(grid: Grid, matrix: np.ndarray, width: int, last: int) -> tuple[Features | Convolution, ...]:
    """A half of a spatial network, near a matrix[outputs, inputs] of each cell."""
    units = grid.units
    output = np.concatenate([_normal(1, units, width, last, last, scale=0.01), np.zeros((units, units, last, last))], 1)
    output[:, width:, last // 2, last // 2] = matrix
    return (
        Features(_normal(2, grid.features, width, scale=0.02)),
        Convolution(_normal(3, width, units, 3, 3, scale=0.1), _normal(4, width), 1, 1, "relu"),
        Convolution(_normal(5, width, width, 3, 3, scale=0.1), _normal(6, width), 1, 1, "relu"),
        Convolution(output.astype(np.float32), _normal(7, units, scale=0.01), 1, last // 2, "none"),
    )


def pixel(shape: tuple[int, int, int], hidden: tuple[int, ...] = (7, 6), components: int = 2, **options: Any) -> Model:
    """Hidden layers from a seed, and outputs that expect of a value what least squares over pictures do."""
    options = {"radius": 2, "knots": 3, "max_error": 0, "edges": "nearest"} | options
    around = Neighbourhood(shape, options["radius"], options["knots"], options["edges"])
    images = pictures(60, shape, seed=3).images
    x = np.concatenate([around.canvas(ordered(images))[:, around.taps], np.tile(around.positions, (60, 1, 1))], 2)
    x = x.reshape(-1, shape[2], around.inputs + around.features).astype(np.float64)
    wanted = ordered(images).reshape(-1, shape[2])
    layers = [layer for c in range(shape[2]) for layer in _channel(x[:, c], wanted[:, c], hidden, components, c)]
    options = {"hidden": list(hidden), "components": components} | options
    return Model(Network("pixel", shape, (), (), tuple(layers)), {"options": options})


def restoration(channels: int, width: int = 5, depth: int = 3, max_error: int = 2, seed: int = 0) -> Model:
    """A network that moves each value towards the mean of those around it, with some noise; made for 8 x 8 images."""
    widths = [channels, *[width] * (depth - 1), channels]
    convolutions = []
    for number, (taken, made) in enumerate(pairwise(widths)):
        weight = _normal(seed + number, made, taken, 3, 3, scale=0.05)
        for output in range(made):
            weight[output, output % taken] += 1 / 9 if number == 0 else 0
            weight[output, output % taken, 1, 1] += 0.3 if number == 1 else 0
        activation: Activation = "none" if number == depth - 1 else "relu"
        convolutions.append(Convolution(weight, _normal(seed, made, scale=0.01), 1, 1, activation))
    network = Network("restoration", (8, 8, channels), (), tuple(convolutions))
    return Model(network, {"options": {"width": width, "depth": depth, "max_error": max_error}})


def _channel(x: np.ndarray, values: np.ndarray, hidden: tuple[int, ...], components: int, seed: int) -> list[Dense]:
    layers, made = [], x
    for number, units in enumerate(hidden):
        weight = _normal(number + 10 * seed, made.shape[1], units, scale=1 / np.sqrt(np.square(made).sum(1).mean()))
        layers.append(Dense(weight, _normal(number, units, scale=0.3), "relu"))
        made = np.maximum(made @ weight + layers[-1].bias, 0)
    seen = np.concatenate([made, x, np.ones((len(x), 1))], 1)
    wanted = np.stack([(values > 0) * 8.0 - 3, values / 128 - 1], -1)
    flag, mean = np.linalg.solve(seen.T @ seen + 0.1 * np.eye(seen.shape[1]), seen.T @ wanted).T
    width = np.log(np.abs(seen @ mean - wanted[:, 1]).mean() / 2)
    zero, one = 0 * mean, np.eye(len(mean))[-1]
    logits, means, widths = (np.linspace(-side, side, components) for side in (0.5, 0.01, 1.0))
    head = np.stack(
        [flag, *(zero + one * logit for logit in logits), *(mean + one * side for side in means)]
        + [zero + one * (width - side) for side in widths],
        axis=1,
    ).astype(np.float32)
    layers.append(Dense(head[:-1].copy(), head[-1].copy(), "none"))
    return layers
