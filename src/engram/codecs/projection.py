"""The methods that are solved, not trained: principal components, linear discriminants, and Isomap's coordinates."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from engram.codecs.analysis import evaluate, floats_of
from engram.codecs.isomap import fit_isomap
from engram.codecs.lda import fit_lda
from engram.codecs.pca import fit_pca
from engram.errors import UsageError
from engram.images import ImageSet
from engram.models import Model

PROJECTIONS = "pca", "lda", "isomap"
UNITS = 32
"""Of pca and isomap, where no number is said; lda has one less than there are classes."""
_PART = 1000


def project(images: ImageSet, method: str, units: int | None = None, seed: int = 0) -> Model:
    """The model of one of PROJECTIONS; the seed draws what isomap learns from. Its one loss is that of the images.

    Of isomap the facts say in `explained` which share of the true coordinates' variance its code has. Raises UsageError
    for units that cannot be, or missing labels; MissingLibrary.
    """
    started = time.perf_counter()
    facts: dict[str, Any] = {}
    if method == "pca":
        network = fit_pca(images, UNITS if units is None else units)
    elif method == "lda":
        network = fit_lda(images, units)
    elif method == "isomap":
        network, facts["explained"] = fit_isomap(images, UNITS if units is None else units, seed)
    else:
        raise UsageError(f"there is no projection {method!r}; there are {', '.join(PROJECTIONS)}")
    seconds = time.perf_counter() - started
    squares = 0.0
    for first in range(0, len(images), _PART):
        x = floats_of(images.images[first : first + _PART])
        squares += float(np.square(evaluate(network.analysis + network.synthesis, x) - x).sum(dtype=np.float64))
    facts |= {
        "options": {"units": network.code_numbers},
        "seed": seed,
        "images": len(images),
        "images_sha256": images.fingerprint(),
        "class_names": list(images.class_names),
        "losses": [squares / images.images.size],
        "epoch_seconds": [seconds],
    }
    return Model(network, facts)
