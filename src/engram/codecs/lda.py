"""lda: linear discriminants as a network (paper 1), the linear map that best tells the classes apart.

It has no inverse: pixels come back by the least-squares regression of all training pixels on the code.
"""

from __future__ import annotations

import numpy as np

from engram.codecs.regression import regression, rows_of
from engram.errors import MissingLibrary, UsageError
from engram.images import ImageSet
from engram.layers import Dense, Network, Reshape


def fit_lda(training: ImageSet, units: int | None = None) -> Network:
    """The network whose code is the first `units` discriminants, all of them unless said: one less than classes.

    Raises UsageError without labels of at least two classes, or for another number of units; MissingLibrary.
    """
    try:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    except ImportError as error:
        raise MissingLibrary("lda needs scikit-learn; `pip install 'engram-images[compare]'` installs it") from error

    height, width, channels = training.image_shape
    pixels = height * width * channels
    classes = 0 if training.labels is None else len(np.unique(training.labels))
    if training.labels is None or classes < 2 or len(training) <= classes:
        raise UsageError(f"lda takes labels of at least 2 classes, and more images than these, not {training!r}")
    largest = min(classes - 1, pixels)
    if units is not None and not 1 <= units <= largest:
        raise UsageError(f"lda of {classes} classes takes 1 to {largest} units, not {units}")
    x = rows_of(training)
    found = LinearDiscriminantAnalysis().fit(x, training.labels)
    weight = np.ascontiguousarray(found.scalings_[:, :units], np.float32)
    analysis = Dense(weight, -(found.xbar_.astype(np.float32) @ weight), "none")
    return Network(
        "lda",
        training.image_shape,
        analysis=(Reshape((pixels,)), analysis),
        synthesis=(regression(x @ weight + analysis.bias, x), Reshape((channels, height, width))),
    )
