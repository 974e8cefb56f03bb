import numpy as np
import pytest
from sample_networks import convolutional, deep, dense, pictures, tied

from engram.codecs.analysis import evaluate, floats_of, pixels_of
from engram.codecs.freeze import fit_quantiser, freeze
from engram.codecs.pca import fit_pca
from engram.codecs.rounding import CannotFreeze
from engram.errors import UsageError
from engram.layers import Crop, Dense, MaxPooling, Network, Reshape

NETWORKS = {
    "ann": lambda: dense((8, 8, 1), 6),
    "tied": lambda: tied((8, 10, 1), 7),
    "deep": lambda: deep((8, 8, 1), 5),
    "cnn": lambda: convolutional((12, 12, 1)),
    "cnn rgb": lambda: convolutional((9, 13, 3)),
    "pca": lambda: fit_pca(pictures(300, (8, 8, 1)), 12),
}
every_network = pytest.mark.parametrize("network", [make() for make in NETWORKS.values()], ids=NETWORKS)


def psnr_db(decoded, images):
    return 10 * np.log10(255**2 / np.square(decoded.astype(float) - images).mean())


def of_floats(network, codec, images):
    """What the float network makes of the codec's symbols."""
    codes = evaluate(network.analysis, floats_of(images)).reshape(len(images), -1)
    quantiser = codec.encoder.quantiser
    values = quantiser.values(quantiser.symbols(codes)).reshape(-1, *network.code_shape)
    return pixels_of(evaluate(network.synthesis, values))


@every_network
@pytest.mark.parametrize("bits", [1, 4, 7])
def test_whole_numbers_cost_at_most_a_twentieth_of_a_decibel(network, bits):
    """On images that freezing did not see, against the float network at equal symbols."""
    codec = freeze(network, pictures(300, network.image_shape), bits=bits)
    images = pictures(100, network.image_shape, seed=1).images
    decoded = codec.decode(codec.encode(images), len(images))
    assert psnr_db(decoded, images) >= psnr_db(of_floats(network, codec, images), images) - 0.05


@every_network
def test_the_dial_sets_the_size(network):
    training = pictures(300, network.image_shape)
    sizes = []
    for bits in (1, 2, 4):
        data = freeze(network, training, bits=bits).encode(training.images)
        sizes.append(8 * len(data) / 300 / np.prod(network.code_shape))
    assert sizes == pytest.approx([1, 2, 4], abs=0.02)


def test_more_bits_come_nearer_to_the_unquantised_network():
    network = dense((8, 8, 1), 6)
    training = pictures(300, (8, 8, 1))
    codecs = [freeze(network, training, bits=bits) for bits in (1, 2, 3, 5)]
    quality = [psnr_db(codec.decode(codec.encode(training.images), 300), training.images) for codec in codecs]
    assert (np.diff(quality) > 0).all()
    unquantised = pixels_of(evaluate(network.synthesis, evaluate(network.analysis, floats_of(training.images))))
    assert quality[-1] == pytest.approx(psnr_db(unquantised, training.images), abs=0.1)


def test_less_loss_takes_a_larger_model():
    training = pictures(100, (8, 8, 1))
    network = fit_pca(training, 12)
    sizes = [len(freeze(network, training, loss_db=loss_db).model) for loss_db in (1, 0.1, 0.001)]
    assert sizes == sorted(set(sizes))


def test_freezing_twice_gives_the_same_bytes():
    network, training = convolutional((12, 12, 1)), pictures(60, (12, 12, 1))
    first, second = freeze(network, training), freeze(network, training)
    assert first.config() == second.config()
    assert first.model == second.model
    assert first.encode(training.images) == second.encode(training.images)


def test_units_that_say_nothing_are_left_out_of_a_dense_model():
    network, training = fit_pca(pictures(200, (8, 8, 1)), 64), pictures(200, (8, 8, 1))
    codec = freeze(network, training, bits=0.05)
    assert 1 <= len(codec.encoder.units) < 32
    assert codec.config()["code_shape"] == [len(codec.encoder.units)]
    decoded = codec.decode(codec.encode(training.images), 200)
    assert psnr_db(decoded, training.images) == pytest.approx(
        psnr_db(of_floats(network, codec, training.images), training.images), abs=0.05
    )


@every_network
def test_one_training_image_is_enough_to_be_a_codec(network):
    training = pictures(1, network.image_shape)
    codec = freeze(network, training)
    assert codec.encode(training.images) == b""
    expected = psnr_db(of_floats(network, codec, training.images), training.images)
    assert psnr_db(codec.decode(b"", 1), training.images) >= expected - 0.05


def test_a_quantiser_is_the_one_that_freezing_uses():
    network, training = tied((8, 10, 1), 7), pictures(100, (8, 10, 1))
    alone, used = fit_quantiser(network, training, bits=2), freeze(network, training, bits=2).encoder.quantiser
    assert np.array_equal(alone.steps, used.steps)
    assert np.array_equal(alone.offsets, used.offsets)
    assert np.array_equal(alone.low, used.low)


def test_a_rectified_codes_zero_is_a_value_of_its_own():
    network = deep((8, 8, 1), 5)
    quantiser = fit_quantiser(network, pictures(100, (8, 8, 1)), bits=3)
    codes = evaluate(network.analysis, floats_of(pictures(100, (8, 8, 1)).images))
    rectified = (codes == 0).any(axis=0)
    assert rectified.any()
    assert not rectified.all()
    assert (quantiser.offsets[rectified] == 0).all()
    assert (quantiser.offsets[~rectified] == codes[:, ~rectified].mean(axis=0, dtype=np.float64)).all()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"bits": 0}, "bits a unit must be above 0 and at most 8, not 0"),
        ({"bits": 9}, "bits a unit must be above 0 and at most 8, not 9"),
        ({"bits": float("nan")}, "bits a unit must be above 0 and at most 8, not nan"),
        ({"loss_db": 0}, "loss_db must be above 0, not 0"),
    ],
)
def test_figures_that_cannot_be_are_refused(keywords, message):
    with pytest.raises(UsageError, match=message):
        freeze(dense((8, 8, 1), 2), pictures(9, (8, 8, 1)), **keywords)


@pytest.mark.parametrize(("count", "shape"), [(0, (8, 8, 1)), (9, (8, 9, 1)), (9, (8, 8, 3))])
def test_training_images_of_another_shape_or_none_are_refused(count, shape):
    with pytest.raises(UsageError, match=r"freezing ann takes training images of \(8, 8, 1\), at least one, not"):
        freeze(dense((8, 8, 1), 2), pictures(count, shape))


def test_a_synthesis_without_an_integer_form_is_refused():
    zeros = np.zeros
    flat = Dense(zeros((64, 4), np.float32), zeros(4, np.float32), "none")
    back = Dense(zeros((4, 256), np.float32), zeros(256, np.float32), "none")
    pooled = (back, Reshape((1, 16, 16)), MaxPooling(2, 2))
    with pytest.raises(CannotFreeze, match=r"^a synthesis with max pooling has no integer form yet$"):
        freeze(Network("a", (8, 8, 1), (flat,), pooled), pictures(9, (8, 8, 1)))
    first = (Reshape((1, 2, 2)), Crop(2, 1), Dense(zeros((2, 64), np.float32), zeros(64, np.float32), "none"))
    with pytest.raises(CannotFreeze, match="must begin with a dense layer or a convolution"):
        freeze(Network("b", (8, 8, 1), (flat,), (*first, Reshape((1, 8, 8)))), pictures(9, (8, 8, 1)))
