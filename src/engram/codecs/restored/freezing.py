"""From a trained restoration and a pixel codec to the codec of both, in whole numbers."""

from __future__ import annotations

import numpy as np

from engram.codecs.analysis import activate, floats_of
from engram.codecs.dial import rounded as as_coded
from engram.codecs.pixel.codec import Pixel
from engram.codecs.restored.codec import Restored
from engram.codecs.restored.form import LEAST_LAYERS
from engram.codecs.restored.network import Restoration
from engram.codecs.rounding import CannotFreeze, TooFine
from engram.codecs.spatial import rounding
from engram.coding import linear
from engram.coding.convolution import KERNEL
from engram.coding.integer import InexactNetwork
from engram.coding.linear import Floats
from engram.errors import UsageError
from engram.images import ImageSet, Pixels
from engram.layers import Convolution, Network
from engram.models import Model

MEASURED = 1 << 16
"""How many pixels of images fit the units and measure the loss of whole numbers."""
NEGLIGIBLE = 1e-3
"""A mean squared error in gray levels that no loss is measured below."""


def with_restoration(pixel: Pixel, trained: Model | Network, sample: ImageSet, *, loss_db: float = 0.01) -> Restored:
    """The codec that restores what a pixel codec gives back. It needs no torch.

    loss_db: by how much whole numbers may lower the PSNR on the sample. Raises UsageError where the parts do not fit
    each other, CannotFreeze for another network.
    """
    network = trained.network if isinstance(trained, Model) else trained
    _convolutions(network)
    if pixel.lossless:
        raise UsageError("a lossless pixel code leaves nothing to restore")
    if isinstance(trained, Model) and trained.facts.get("options", {}).get("max_error") != pixel.max_error:
        raise UsageError(
            f"this restoration was trained for another largest error than the pixel code's {pixel.max_error}; "
            f"train one with --max-error {pixel.max_error}"
        )
    if sample.image_shape != pixel.image_shape or not len(sample) or network.image_shape[2] != pixel.image_shape[2]:
        raise UsageError(
            f"a restoration of {network.image_shape[2]} channels, a pixel code of {pixel.image_shape} and "
            f"{len(sample)} sample images of {sample.image_shape} do not fit together"
        )
    return Restored(pixel, freeze_restoration(network, sample, pixel.max_error, loss_db=loss_db))


def freeze_restoration(network: Network, sample: ImageSet, max_error: int, *, loss_db: float = 0.01) -> Restoration:
    """The network in whole numbers, after any pixel code of this largest error. It needs no torch.

    sample: at least one image. Raises CannotFreeze for another network than a restoration.
    """
    height, width, _ = sample.image_shape
    count = max(1, MEASURED // (height * width))
    images = sample.images[:: -(-len(sample) // count)]
    return _whole(_convolutions(network), images, max_error, loss_db)


def _convolutions(network: Network) -> list[Convolution]:
    layers = [layer for layer in network.synthesis if isinstance(layer, Convolution)]
    fits = network.method == "restoration" and LEAST_LAYERS <= len(layers) == len(network.synthesis)
    if not fits or any(layer.weight.shape[2:] != (KERNEL, KERNEL) for layer in layers):
        raise CannotFreeze(f"{network.method} has no layers of the form that a restoration takes")
    return layers


def _whole(layers: list[Convolution], images: Pixels, max_error: int, loss_db: float) -> Restoration:
    """The restoration, as coarse as loss_db allows, or else as fine as can be."""
    coded = as_coded(images, max_error)
    x = taken = floats_of(coded)
    sums = []
    for layer in layers:
        sums.append(linear.apply(layer, x))
        x = activate(sums[-1].copy(), layer.activation)
    change = np.rint(x * 255).clip(-max_error, max_error).transpose(0, 2, 3, 1)
    allowed = (_error((coded + change).clip(0, 255), images) + NEGLIGIBLE) * 10 ** (loss_db / 10)
    first = rounding.Part(_rows(taken), 1 / 255)

    def rounded(half_octaves: int) -> Restoration | None:
        coarseness, part, made = 2 ** (-half_octaves / 2), first, []
        try:
            for layer, own in zip(layers[:-1], sums[:-1], strict=True):
                whole, part = rounding.hidden(layer, [part], _rows(own), coarseness)
                made.append(whole.layer)
            last = rounding.last(layers[-1], [part], 1 / 255, (-max_error, max_error), coarseness)
            return Restoration(images.shape[3], (*made, last))
        except (TooFine, InexactNetwork):
            return None

    return rounding.coarsest(rounded, lambda tried: _error(tried.restored(coded), images) <= allowed)


def _rows(x: Floats) -> Floats:
    """[n * rows * columns, channels] of [n, channels, rows, columns]."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def _error(made: Pixels | Floats, images: Pixels) -> float:
    """The mean squared error in gray levels."""
    return float(np.square(made.astype(np.float32) - images).mean(dtype=np.float64))
