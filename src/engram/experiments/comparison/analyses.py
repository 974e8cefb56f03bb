"""Analyses that find a code without gradients, by name: images and a number of units in, a network out."""

from __future__ import annotations

from collections.abc import Callable

from engram.codecs.pca import fit_pca
from engram.images import ImageSet
from engram.layers import Network

ANALYSES: dict[str, Callable[[ImageSet, int], Network]] = {"pca": fit_pca}
