"""At least one configured codec of every registered id: what the laws are asked of, and golden files are made of."""

from collections.abc import Callable

import numpy as np
from sample_networks import convolutional, deep, dense, pictures, pixel, restoration, spatial, tied

from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.frozen import Frozen
from engram.codecs.jpeg.codec import JpegCoefficients
from engram.codecs.jpeg.fitting import fit_jpeg
from engram.codecs.jpeg.recovery import Grid
from engram.codecs.pca import fit_pca
from engram.codecs.picture_files import PictureFiles
from engram.codecs.pixel.codec import Pixel
from engram.codecs.product import quantise_products
from engram.codecs.raw import Raw
from engram.codecs.restored.codec import Restored
from engram.codecs.restored.freezing import with_restoration
from engram.codecs.spatial.codec import Spatial
from engram.coding.jpeg import Form, steps_of
from engram.datasets.pictures import encode_picture
from engram.kinds import KINDS
from engram.layers import Network
from engram.models import Model


def _frozen(network: Network, bits: float) -> Frozen:
    return freeze(network, pictures(120, network.image_shape), bits=bits)


def _products(network: Network, codewords: int, length: int) -> Frozen:
    return quantise_products(_frozen(network, 3), pictures(120, network.image_shape), codewords, length)


def _spatial(network: Network, step: int) -> Spatial:
    return freeze(network, pictures(120, network.image_shape)).at(step)


def _pixel(model: Model) -> Pixel:
    return freeze(model, pictures(120, model.network.image_shape))


def _restored(shape: tuple[int, int, int], max_error: int, **options: int) -> Restored:
    code = _pixel(pixel(shape, max_error=max_error))
    network = restoration(shape[2], max_error=max_error, **options)
    return with_restoration(code, network, pictures(120, shape))


def _jpeg(shape: tuple[int, int, int], quality: int, halved: bool = False) -> JpegCoefficients:
    luma, chroma = steps_of(quality)
    codec = fit_jpeg(
        pictures(120, shape).images, Grid(Form(shape, halved), np.stack([luma, chroma, chroma][: shape[2]]))
    )
    assert codec is not None
    return codec


def _files() -> PictureFiles:
    """With a model of JPEG files."""
    files = [encode_picture(image, ".jpg", 80) for image in pictures(400, (9, 21, 3)).images]
    codec = PictureFiles.learn(KINDS["rgb"], (9, 21), files, 4000)
    assert codec.coefficients.model
    assert codec.skeletons
    return codec


INSTANCES: dict[str, Callable[[], Codec]] = {
    "raw-gray": lambda: Raw((8, 8, 1)),
    "raw-rgb-odd": lambda: Raw((9, 13, 3)),
    "frozen-ann-gray": lambda: _frozen(dense((8, 8, 1), 6), 3),
    "frozen-ann-rgb-odd": lambda: _frozen(dense((9, 11, 3), 10), 4),
    "frozen-tied": lambda: _frozen(tied((8, 10, 1), 7), 2),
    "frozen-deep": lambda: _frozen(deep((8, 8, 1), 5), 3),
    "frozen-cnn-gray": lambda: _frozen(convolutional((12, 12, 1)), 2),
    "frozen-cnn-rgb-odd": lambda: _frozen(convolutional((9, 13, 3)), 3),
    "frozen-products": lambda: _products(dense((8, 8, 1), 12), 15, 4),
    "frozen-products-deep": lambda: _products(deep((8, 8, 1), 5), 20, 2),
    "frozen-pca": lambda: _frozen(fit_pca(pictures(120, (8, 8, 1)), 12), 2),
    "frozen-pca-fine": lambda: _frozen(fit_pca(pictures(120, (8, 8, 3)), 30), 8),
    "frozen-pca-coarse": lambda: _frozen(fit_pca(pictures(120, (8, 8, 1)), 12), 0.1),
    "jpeg-gray": lambda: _jpeg((8, 8, 1), 60),
    "jpeg-rgb": lambda: _jpeg((8, 16, 3), 90),
    "jpeg-rgb-halved": lambda: _jpeg((16, 16, 3), 75, halved=True),
    "files-gray": lambda: PictureFiles(KINDS["gray"], (8, 8)),
    "files-rgb-learned": _files,
    "pixel-gray": lambda: _pixel(pixel((8, 8, 1))),
    "pixel-rgb-odd": lambda: _pixel(pixel((9, 11, 3), (16,), components=3, radius=1)),
    "pixel-near-lossless": lambda: _pixel(pixel((8, 8, 1), max_error=2)),
    "restored-gray": lambda: _restored((8, 8, 1), 5),
    "restored-rgb-odd": lambda: _restored((9, 11, 3), 12, width=4, depth=2),
    "spatial-gray": lambda: _spatial(spatial((8, 8, 1)), 64),
    "spatial-rgb-odd": lambda: _spatial(spatial((9, 11, 3), width=3, context=4, hidden=11), 65),
    "spatial-one-cell": lambda: _spatial(spatial((3, 2, 1), width=1, context=1, hidden=3), 16),
}
