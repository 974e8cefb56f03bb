"""pca: principal components as a network of two dense layers without activations; the linear rival of the others."""

from __future__ import annotations

import numpy as np

from engram.codecs.analysis import floats_of
from engram.errors import UsageError
from engram.images import ImageSet
from engram.layers import Dense, Network, Reshape


def fit_pca(training: ImageSet, units: int) -> Network:
    """The network whose code is the first `units` principal components, those of most variance first.

    Of a component the largest number is positive, so equal images give equal networks. Raises UsageError unless
    1 <= units <= pixels of an image, and for no images.
    """
    height, width, channels = training.image_shape
    pixels = height * width * channels
    if not 1 <= units <= pixels or not len(training):
        raise UsageError(f"pca takes 1 to {pixels} units and at least one image, not {units} and {len(training)}")
    x = floats_of(training.images).reshape(len(training), pixels)
    mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
    x -= mean
    covariance = (x.T @ x).astype(np.float64) / len(x)
    components = np.linalg.eigh(covariance).eigenvectors[:, ::-1][:, :units]
    largest = components[np.abs(components).argmax(axis=0), np.arange(units)]
    weight = np.ascontiguousarray(components * np.sign(largest), np.float32)
    return Network(
        "pca",
        training.image_shape,
        analysis=(Reshape((pixels,)), Dense(weight, -(mean @ weight), "none")),
        synthesis=(
            Dense(np.ascontiguousarray(weight.T), mean, "none", shares_weight=True),
            Reshape((channels, height, width)),
        ),
    )
