"""isomap: coordinates on the manifold that images lie on (paper 4.2), by distances along their nearest neighbours.

Isomap knows coordinates for its own images only; those of another follow from its distances to them all, which no
archive could hold. So both ways are regressions, and say what they lose:

    pixels -> 1,024 ramps -> coordinates        learned from true coordinates, of LEARNED images out of the sample
    coordinates -> 256 ramps -> pixels          learned from the coordinates that the first regression gives
"""

from __future__ import annotations

import warnings

import numpy as np

from engram.codecs.analysis import evaluate
from engram.codecs.regression import ramps, regression, rows_of
from engram.errors import MissingLibrary, UsageError
from engram.images import ImageSet
from engram.layers import Network, Reshape

LANDMARKS = 3000
"""How many images the neighbourhood graph spans: its distances take the square of these in memory."""
NEIGHBOURS = 10
LEARNED, CHECKED = 13_000, 2000
"""How many images' true coordinates the analysis is learned from, and checked on."""
FEWEST = 20
ANALYSIS_RAMPS, SYNTHESIS_RAMPS = 1024, 256
RIDGE = 1e-5


def fit_isomap(training: ImageSet, units: int, seed: int = 0) -> tuple[Network, float]:
    """The network of `units` coordinates, and which share of the true coordinates' variance its analysis explains.

    The share is of images that neither graph nor regression saw. Raises UsageError for fewer than FEWEST images, or
    other units than 1 to one less than the landmarks; MissingLibrary.
    """
    try:
        from sklearn.manifold import Isomap
    except ImportError as error:
        raise MissingLibrary("isomap needs scikit-learn; `pip install 'engram-images[compare]'` installs it") from error

    height, width, channels = training.image_shape
    count, landmarks = len(training), min(LANDMARKS, len(training) * 3 // 4)
    if count < FEWEST or not 1 <= units < landmarks:
        raise UsageError(
            f"isomap takes at least {FEWEST} images and 1 to {landmarks - 1} units of these, not {count} and {units}"
        )
    random = np.random.default_rng(seed)
    order = random.permutation(count)
    x = rows_of(training)
    isomap = Isomap(n_neighbors=min(NEIGHBOURS, landmarks - 1), n_components=units, eigen_solver="dense")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a graph in pieces is joined, with a warning
        isomap.fit(x[order[:landmarks]])
    seen = order[landmarks:][: LEARNED + CHECKED]
    learned, checked = np.split(seen, [min(LEARNED, len(seen) * 3 // 4)])
    hidden = ramps(x[order[:landmarks]], ANALYSIS_RAMPS, random)
    coordinates = regression(evaluate((hidden,), x[learned]), isomap.transform(x[learned]), RIDGE)
    codes = evaluate((hidden, coordinates), x)
    true = isomap.transform(x[checked]).astype(np.float64)
    explained = 1 - np.square(codes[checked] - true).sum() / (np.square(true - true.mean(axis=0)).sum() or 1)
    back = ramps(codes, SYNTHESIS_RAMPS, random)
    network = Network(
        "isomap",
        training.image_shape,
        analysis=(Reshape((x.shape[1],)), hidden, coordinates),
        synthesis=(back, regression(evaluate((back,), codes), x, RIDGE), Reshape((channels, height, width))),
    )
    return network, float(explained)
