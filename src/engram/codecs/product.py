"""Product quantisation of a frozen network's fully connected layers (paper 4.2).

Each row of a matrix is cut into pieces of equal length, and every piece becomes the nearest of a few codewords, found
by k-means; a model holds the codewords once, and which of them stands where. Decoding multiplies by the matrix that
these make, so it takes as long as before.

A row counts in k-means as much as its input varies. Rows are then given codewords one after another, each with what the
errors of those before call for. Then the codewords are tuned, in closed form: with the choices as they are, the sums
over the training images come as near to what they were as they can, by least squares,

    E |x (W - W')|^2,   W'[i, piece b] = codebook[chosen[i, b]],

which is linear in the codebook. What this leaves of the mean goes into the biases.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engram.codecs.frozen import Frozen
from engram.coding.integer import IntegerLayer, Products, with_numbers
from engram.coding.linear import Floats
from engram.errors import MissingLibrary, UsageError
from engram.images import ImageSet
from engram.layers import Crop, Dense, Reshape

MEASURED = 2000
"""How many training images say how much a layer's inputs vary."""
RIDGE = 1e-3
LARGEST_CODEBOOK = 1 << 16


def quantise_products(
    codec: Frozen, training: ImageSet, codewords: int = 256, length: int = 8, seed: int = 0
) -> Frozen:
    """The codec with the dense matrices of its synthesis made of so many codewords of `length` numbers of a row.

    A matrix stays as it is where its rows are no multiple of the length, or where codebook and choices would be as many
    numbers as it has. The seed says where k-means starts. Raises UsageError for figures that cannot be, a codec that
    does not encode, or where no matrix would change; MissingLibrary.
    """
    if not 1 <= codewords <= LARGEST_CODEBOOK or length < 1:
        raise UsageError(f"1 to {LARGEST_CODEBOOK} codewords have a length of at least 1, not {codewords} of {length}")
    if codec.encoder is None or not len(training):
        raise UsageError("product quantisation takes images, and a codec that encodes: freeze the model file again")
    synthesis = codec.synthesis
    symbols = codec.encoder.symbols([training.images[:: -(-len(training) // MEASURED)]])
    x = (symbols.T * synthesis.multiplier + synthesis.base).astype(np.float32).reshape(-1, *synthesis.code_shape)
    layers: list[IntegerLayer | Crop | Reshape] = []
    for layer, computing in zip(synthesis.layers, synthesis.network.layers, strict=True):
        if isinstance(layer, IntegerLayer) and isinstance(computing, IntegerLayer):
            layers.append(_of_codewords(layer, x, codewords, length, seed))
            x = computing(x)
        elif isinstance(layer, Crop):
            layers.append(layer)
            x = x[:, :, : layer.height, : layer.width]
        elif isinstance(layer, Reshape):
            layers.append(layer)
            x = x.reshape(len(x), *layer.shape)
    if all(new is old for new, old in zip(layers, synthesis.layers, strict=True)):
        raise UsageError(f"no matrix of this codec is made smaller by {codewords} codewords of {length} numbers")
    return replace(codec, synthesis=replace(synthesis, layers=tuple(layers)))


def _of_codewords(layer: IntegerLayer, x: Floats, codewords: int, length: int, seed: int) -> IntegerLayer:
    """The layer for inputs like x[n, ...], with a matrix of codewords where that is smaller."""
    weight, x = layer.linear.weight.astype(np.float64), x.reshape(len(x), -1)
    if not isinstance(layer.linear, Dense) or weight.shape[1] % length:
        return layer
    pieces = weight.reshape(-1, length)
    if codewords * length + len(pieces) >= weight.size or codewords > len(pieces):
        return layer
    worth = np.repeat(x.var(axis=0, dtype=np.float64), weight.shape[1] // length) + 1e-9
    codebook = _clustered(pieces, worth / worth.max(), codewords, seed)
    centred = (x - x.mean(axis=0)).astype(np.float64)
    square = centred.T @ centred
    chosen = _chosen(codebook, weight, square)
    products = Products(_tuned(codebook, chosen, weight, square), chosen)
    bias = layer.linear.bias + np.rint(x.mean(axis=0, dtype=np.float64) @ (weight - products.weight))
    return replace(layer, linear=with_numbers(layer.linear, products.weight, bias), products=products)


def _clustered(
    pieces: NDArray[np.float64], worth: NDArray[np.float64], codewords: int, seed: int
) -> NDArray[np.float64]:
    """Codewords, [codewords, length]."""
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise MissingLibrary(
            "product quantisation needs scikit-learn; `pip install 'engram-images[compare]'` installs it"
        ) from error

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer distinct pieces than codewords, which is no harm
        found = KMeans(codewords, n_init=1, max_iter=25, random_state=seed).fit(pieces, sample_weight=worth)
    centres: NDArray[np.float64] = found.cluster_centers_.astype(np.float64)
    return centres


def _chosen(
    codebook: NDArray[np.float64], weight: NDArray[np.float64], square: NDArray[np.float64]
) -> NDArray[np.int64]:
    """int64[inputs, pieces]: the codewords nearest to each row, and to what the errors of the rows before call for.

    square: x'x of the inputs around their mean. As the encoder shapes the noise of a code, here that of weights.
    """
    damped = square + RIDGE * (np.trace(square) or 1.0) / len(square) * np.eye(len(square))
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, sizes = weight.copy(), np.square(codebook).sum(axis=1)
    chosen = np.empty((len(weight), weight.shape[1] // codebook.shape[1]), np.int64)
    for row in range(len(weight)):
        pieces = left[row].reshape(-1, codebook.shape[1])
        chosen[row] = (sizes - 2 * pieces @ codebook.T).argmin(axis=1)
        error = (left[row] - codebook[chosen[row]].ravel()) / upper[row, row]
        left[row + 1 :] -= np.outer(upper[row, row + 1 :], error)
    return chosen


def _tuned(
    codebook: NDArray[np.float64],
    chosen: NDArray[np.int64],
    weight: NDArray[np.float64],
    square: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The codebook, whole, with which x @ weight changes least around its mean; the choices stay. square: as before."""
    codewords, length = codebook.shape
    left, right = np.zeros((codewords, codewords)), np.zeros(codebook.shape)
    for piece, choices in enumerate(chosen.T):
        uses = np.zeros((len(choices), codewords))
        uses[np.arange(len(choices)), choices] = 1
        reach = uses.T @ square
        left += reach @ uses
        right += reach @ weight[:, piece * length : (piece + 1) * length]
    ridge = RIDGE * (np.trace(left) or 1.0) / codewords * np.eye(codewords)  # towards what k-means found
    return np.rint(np.linalg.solve(left + ridge, right + ridge @ codebook)).astype(np.int64)
