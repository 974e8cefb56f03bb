"""freeze: the one door from floats to integers. A trained network goes in, a codec comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engram.codecs import quantiser as quantising
from engram.codecs.analysis import evaluate, floats_of, pixels_of
from engram.codecs.frozen import Encoder, Frozen
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.rounding import freeze_pixel
from engram.codecs.quantiser import Quantiser
from engram.codecs.rounding import CannotFreeze, TooFine, round_layers
from engram.codecs.shaping import shape_noise
from engram.codecs.spatial.codec import Spatial
from engram.codecs.spatial.freezing import freeze_spatial
from engram.codecs.synthesis import Synthesis
from engram.coding.integer import Integers
from engram.coding.linear import Floats
from engram.errors import CorruptData, UsageError
from engram.images import ImageSet, Pixels
from engram.layers import Convolution, Dense, Layer, Network, Reshape, Shape, TransposedConvolution
from engram.models import Model

BITS = 3.0
"""A code unit's mean rate where none is asked for."""
FITTED, MEASURED = 5000, 500
"""How many training images fit steps and tables, and measure the loss of whole numbers."""
COARSEST, FINEST = 2, 24
"""Units of weights that are tried: their root mean square over 2^(half octaves / 2)."""
NEGLIGIBLE = 1e-3
"""A mean squared error in gray levels that no loss is measured below."""
WIDEST = 1 << 12
"""The largest multiplier: a unit whose steps would be coarser still is not worth its bits anyway."""


def freeze(
    trained: Model | Network, training: ImageSet, *, bits: float | None = None, loss_db: float = 0.03
) -> Frozen | Spatial | Pixel:
    """The codec of a trained network, its steps and tables fitted on training images. It needs no torch.

    bits: the mean rate of a code unit on these images, so an image takes about units * bits / 8 bytes; 3 if it is not
    said, and nothing to be said for a network with a prior, whose rate follows from a step that is chosen later.
    loss_db: by how much whole numbers in the synthesis may lower the PSNR, against the float network at equal symbols;
    a smaller loss makes a larger model. Raises UsageError where images or figures do not fit, CannotFreeze for a
    network without an integer form.
    """
    if not loss_db > 0:
        raise UsageError(f"loss_db must be above 0, not {loss_db}: whole numbers always lose a little")
    network = trained.network if isinstance(trained, Model) else trained
    if network.method == "pixel":
        if bits is not None:
            raise UsageError("a pixel network has no code whose bits could be asked for; train it with --max-error")
        return freeze_pixel(trained, training)
    if network.method == "restoration":
        raise CannotFreeze("a restoration is no codec by itself; with_restoration puts it after a pixel codec")
    if network.prior:
        return _with_prior(network, training, bits, loss_db)
    return _without_prior(network, training, BITS if bits is None else bits, loss_db)


def _with_prior(network: Network, training: ImageSet, bits: float | None, loss_db: float) -> Spatial:
    if bits is not None:
        raise UsageError(f"no bits a unit can be asked of {network.method}; ask for bytes an image, or for a PSNR")
    _check_images(network, training)
    codec = freeze_spatial(network, training, loss_db)
    _check_readable(network, codec)
    return codec


def _without_prior(network: Network, training: ImageSet, bits: float, loss_db: float) -> Frozen:
    images = _sample(network, training, bits)
    plan = _plan(network, images, bits)
    synthesis = _rounded(network, plan, images[:: -(-len(images) // MEASURED)], loss_db)
    codec = Frozen(synthesis, Encoder(network.analysis, plan.units, plan.quantiser))
    _check_readable(network, codec)
    return codec


def _check_readable(network: Network, codec: Frozen | Spatial) -> None:
    """Raises CannotFreeze where a reader would refuse the codec's model."""
    try:
        codec.from_config(codec.config(), codec.model)
    except CorruptData as error:
        raise CannotFreeze(f"{network.method} is beyond what a frozen model may be: {error}") from None


def fit_quantiser(network: Network, training: ImageSet, *, bits: float = 3.0) -> Quantiser:
    """The quantiser that `freeze` gives the network: what training with quantisation in the loop has to simulate."""
    return _plan(network, _sample(network, training, bits), bits).quantiser


@dataclass(frozen=True, eq=False)
class _Plan:
    """How the code becomes whole numbers: unit u is offset + spread[u] * scale * a, a being what the decoder has.

    The finest step changes a by at least 1; the others' steps are rounded to whole changes of a, and nothing else is.
    units: those that are coded; multiplier: by how much a grows for one step, [units of the network].
    layers: the synthesis that takes scale * a of the coded units, with offsets and spreads taken in.
    """

    quantiser: Quantiser
    units: NDArray[np.int64]
    base: Integers
    multiplier: Integers
    scale: float
    code_shape: Shape
    layers: tuple[Layer, ...]


def _plan(network: Network, images: Pixels, bits: float) -> _Plan:
    codes = _codes(network, images)
    shape, first, rest = _entrance(network)
    offsets = np.where(codes.min(axis=0) == 0, 0, codes.mean(axis=0, dtype=np.float64))  # a rectifier's 0 stays a 0
    square = np.square(codes - offsets).mean(axis=0)
    if not isinstance(first, Dense):  # one weight serves all places of a channel
        square = np.repeat(square.reshape(shape[0], -1).mean(axis=1), square.size // shape[0])
    spread = np.sqrt(square)
    spread[spread == 0] = 1
    shaping = shape_noise(network, codes, spread)
    worth = spread * shaping.effects
    multiplier = np.rint(2.0 ** np.clip(8 - bits, 0, 4) * worth.max() / worth).clip(1, WIDEST).astype(np.int64)
    quantiser = quantising.fit(codes, multiplier * spread, offsets, shaping, bits)
    scale = float(quantiser.steps[0] / (multiplier * spread)[0])
    base = multiplier * quantiser.low
    if isinstance(first, Dense):
        units, first = _dense_entrance(first, quantiser, spread)
        shape = (len(units),)
    else:
        units, first = np.arange(len(spread)), _convolution_entrance(first, spread.reshape(shape[0], -1)[:, 0])
        base += np.rint(offsets / (scale * spread)).astype(np.int64)
    return _Plan(quantiser, units, base[units], multiplier[units], scale, shape, (first, *rest))


def _dense_entrance(first: Dense, quantiser: Quantiser, spread: NDArray[np.float64]) -> tuple[NDArray[np.int64], Dense]:
    """The units that say something, and the layer that takes these alone: offsets and silent units are in its bias."""
    silent = quantiser.sizes == 1
    silent[0] &= not silent.all()
    units = np.flatnonzero(~silent)
    constant = quantiser.offsets + np.where(silent, quantiser.steps * quantiser.low, 0)
    bias = first.bias + constant @ first.weight.astype(np.float64)
    weight = first.weight[units] * spread[units, None]
    return units, replace(first, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def _convolution_entrance(
    first: Convolution | TransposedConvolution, spread: NDArray[np.float64]
) -> Convolution | TransposedConvolution:
    """The layer whose input channels come in units of their spread."""
    places = (None, slice(None)) if isinstance(first, Convolution) else (slice(None), None)
    weight = first.weight * spread[(*places, None, None)]
    return replace(first, weight=weight.astype(np.float32))


def _rounded(network: Network, plan: _Plan, images: Pixels, loss_db: float) -> Synthesis:
    """The plan in whole numbers, weights as coarse as loss_db on these images allows, or else as fine as can be."""
    symbols = plan.quantiser.symbols(_codes(network, images))
    values = plan.quantiser.values(symbols).reshape(-1, *network.code_shape)
    allowed = (_error(pixels_of(evaluate(network.synthesis, values)), images) + NEGLIGIBLE) * 10 ** (loss_db / 10)
    symbols = symbols[plan.units]
    codes = ((plan.base + plan.multiplier * symbols.T) * plan.scale).astype(np.float32).reshape(-1, *plan.code_shape)
    levels = tuple(plan.quantiser.levels[unit] for unit in plan.units)
    for half_octaves in range(COARSEST, FINEST + 1):
        try:
            layers = round_layers(plan.layers, codes, plan.scale, 2 ** (-half_octaves / 2))
        except TooFine:
            if half_octaves == COARSEST:
                raise
            break
        synthesis = Synthesis(network.image_shape, plan.code_shape, plan.base, plan.multiplier, levels, layers)
        if _error(synthesis.pixels(symbols), images) <= allowed:
            break
    return synthesis


def _entrance(network: Network) -> tuple[Shape, Dense | Convolution | TransposedConvolution, tuple[Layer, ...]]:
    """The synthesis as (shape that comes to its first map, that map, the rest). Raises CannotFreeze."""
    shape = network.code_shape
    for index, layer in enumerate(network.synthesis):
        if isinstance(layer, Dense | Convolution | TransposedConvolution):
            return shape, layer, network.synthesis[index + 1 :]
        if not isinstance(layer, Reshape):
            break
        shape = layer.shape_after(shape)
    raise CannotFreeze(f"the synthesis of {network.method} must begin with a dense layer or a convolution")


def _sample(network: Network, training: ImageSet, bits: float) -> Pixels:
    """Training images spread over the whole set, at most FITTED. Raises UsageError where something does not fit."""
    _check_images(network, training)
    if not 0 < bits <= 8:
        raise UsageError(f"bits a unit must be above 0 and at most 8, not {bits}")
    return training.images[:: -(-len(training) // FITTED)]


def _check_images(network: Network, training: ImageSet) -> None:
    if training.image_shape != network.image_shape or not len(training):
        raise UsageError(
            f"freezing {network.method} takes training images of {network.image_shape}, at least one, "
            f"not {len(training)} of {training.image_shape}"
        )


def _codes(network: Network, images: Pixels) -> Floats:
    """float32[n, units]."""
    return evaluate(network.analysis, floats_of(images)).reshape(len(images), -1)


def _error(decoded: Pixels, images: Pixels) -> float:
    """The mean squared error in gray levels."""
    return float(np.square(decoded.astype(np.float32) - images).mean(dtype=np.float64))
