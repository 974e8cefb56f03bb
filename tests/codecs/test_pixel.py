"""The pixel code beyond the laws: what it promises of errors and sizes, and that its arithmetic is what is written."""

import zlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import pictures, pixel

from engram.codecs.contract import CorruptModel
from engram.codecs.freeze import freeze
from engram.codecs.pixel import codec as module
from engram.codecs.pixel import rounding
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.network import LARGEST_ACTIVATION, CausalNetwork, ChannelNetworks, WholeDense
from engram.codecs.pixel.rounding import freeze_pixel
from engram.codecs.rounding import CannotFreeze
from engram.coding import mixture, numbers
from engram.coding.decisions import Encoder
from engram.coding.integer import EXACT32, InexactNetwork, MisfitNetwork
from engram.coding.neighbourhood import Neighbourhood
from engram.coding.rangecoder import CorruptStream
from engram.datasets import wardrobe
from engram.errors import CorruptData, UsageError
from engram.layers import Dense
from engram.models import Model

SHAPES = {"gray": (8, 8, 1), "rgb": (5, 7, 3), "one pixel": (1, 1, 1), "one row": (1, 9, 3), "one column": (9, 1, 1)}


def made(shape=(8, 8, 1), max_error=0, **options):
    return freeze(pixel(shape, max_error=max_error, **options), pictures(120, shape))


@pytest.fixture(scope="module")
def codecs():
    errors = (0, 1, 2, 31, 63)
    return {(name, error): made(shape, error) for name, shape in SHAPES.items() for error in errors}


def hostile_images(shape):
    """Images that no network expects, by name: uint8[4, *shape]."""
    random = np.random.default_rng(3)
    every = np.resize(np.arange(256, dtype=np.uint8), (4, *shape))
    return {
        "noise": random.integers(0, 256, (4, *shape), np.uint8),
        "inverted": 255 - pictures(4, shape, seed=8).images,
        "black": np.zeros((4, *shape), np.uint8),
        "white": np.full((4, *shape), 255, np.uint8),
        "every level": every,
        "levels from the top": 255 - every,
        "bits": 255 * random.integers(0, 2, (4, *shape), np.uint8),
    }


def coded_stream(codec, images):
    """The block with its decisions, were it shorter deflated or not."""
    encoder = Encoder()
    for bits, weights in codec._decisions(codec._symbols(images)):
        encoder.encode(bits, weights)
    return module.CODED + encoder.finish()


@pytest.mark.parametrize("error", [0, 1, 2, 31, 63])
@pytest.mark.parametrize("name", SHAPES)
def test_no_value_is_off_by_more_than_was_promised(codecs, name, error):
    codec = codecs[name, error]
    assert codec.max_error == error
    assert codec.lossless == (error == 0)
    for images in hostile_images(SHAPES[name]).values():
        for data in (codec.encode(images), coded_stream(codec, images)):
            decoded = codec.decode(data, 4)
            assert np.abs(decoded.astype(int) - images).max() <= error
            assert codec.encode(decoded) == codec.encode(images), "what was decoded is coded as it was"


def test_every_level_is_near_a_gray_level_that_is_coded(codecs):
    levels, network = np.arange(256), codecs["gray", 0].network
    for error in range(64):
        codec = Pixel(network, 2 * error + 1)
        symbols = (levels + error) // codec.step
        assert np.abs(codec.gray[symbols] - levels).max() == error
        assert set(symbols.tolist()) == set(range(len(codec.gray)))
        assert codec.gray.max() <= 255


def test_noise_costs_little_more_than_itself(codecs):
    noise = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), np.uint8)
    assert len(codecs["gray", 0].encode(noise)) <= 1.01 * noise.size
    assert coded_stream(codecs["gray", 0], noise)[:1] == module.CODED
    assert codecs["gray", 0].encode(noise)[:1] == module.DEFLATED


def test_the_shorter_of_the_two_is_taken(codecs):
    codec = codecs["gray", 0]
    for images in (pictures(20, (8, 8, 1), seed=4).images, *hostile_images((8, 8, 1)).values()):
        lengths = [len(coded_stream(codec, images)), 1 + len(zlib.compress(images.tobytes(), 9))]
        assert len(codec.encode(images)) == min(lengths)


def test_blocks_of_no_image_and_of_one(codecs):
    for (name, _), codec in codecs.items():
        none = np.zeros((0, *SHAPES[name]), np.uint8)
        assert codec.encode(none) == module.CODED
        assert codec.decode(module.CODED, 0).shape == none.shape
        assert codec.decode(module.DEFLATED + zlib.compress(b""), 0).shape == none.shape
        one = pictures(1, SHAPES[name], seed=5).images
        assert np.abs(codec.decode(codec.encode(one), 1).astype(int) - one).max() <= codec.max_error


@pytest.mark.parametrize("name", ["gray", "rgb"])
def test_chunks_change_no_byte(codecs, name, monkeypatch):
    """Neither the encoder's chunks of waves nor the network's of values."""
    codec, images = codecs[name, 0], pictures(6, SHAPES[name], seed=2).images
    expected = coded_stream(codec, images)
    monkeypatch.setattr(module, "library", lambda: None)
    for encoder_chunk, network_chunk in ((1, 5), (100, 1 << 12), (1 << 20, 1)):
        monkeypatch.setattr(module, "_CHUNK", encoder_chunk)
        monkeypatch.setattr("engram.codecs.pixel.network._CHUNK", network_chunk)
        again = Pixel.from_config(codec.config(), codec.model)
        assert coded_stream(again, images) == expected
        assert np.array_equal(again.decode(expected, 6), images)


@given(counts=st.lists(st.integers(0, 5), max_size=6), together=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_blocks_of_any_sizes_are_decoded_together(counts, together):
    """Coded and deflated ones, in any grouping, with NumPy."""
    codec, streams, wanted = _shared(), [], []
    plain = Pixel(codec.network, codec.step)
    for number, count in enumerate(counts):
        images = pictures(count, (5, 7, 3), seed=number).images
        streams.append((coded_stream(codec, images) if number % 3 else codec.encode(255 - images), count))
        wanted.append(images if number % 3 else 255 - images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TOGETHER", together)
        patch.setattr(module, "library", lambda: None)
        found = plain.decode_many(streams)
    assert len(found) == len(wanted)
    for left, right in zip(found, wanted, strict=True):
        assert np.array_equal(left, right)


_kept = {}


def _shared():
    if not _kept:
        _kept["rgb"] = made((5, 7, 3))
    return _kept["rgb"]


def plain_outputs(network, canvas, value):
    """The network of `network.py`'s head, in Python's and NumPy's whole numbers."""
    around = network.neighbourhood
    x = np.concatenate([canvas[around.taps[value]].astype(np.int64), around.positions[value]])
    h = x
    for layer in network.layers[:-1]:
        h = np.clip((h @ layer.weight + layer.bias + layer.half) >> layer.shift, 0, network.high)
    last = network.layers[-1]
    y = (np.concatenate([h, x]) @ last.weight + last.bias + last.half) >> last.shift
    return np.clip(y, *mixture.limits(network.components))


@pytest.mark.parametrize("error", [0, 2])
def test_what_comes_back_is_known_without_a_block(codecs, error):
    codec, images = codecs["gray", error], pictures(5, (8, 8, 1), seed=6).images
    assert np.array_equal(codec.recovered(images), codec.decode(codec.encode(images), 5))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_floats_compute_the_network_of_whole_numbers(seed):
    """Weights as large as their sums may be, shifts of any size, canvases that are empty here and there."""
    random = np.random.default_rng(seed)
    around = Neighbourhood((4, 5, int(random.choice([1, 3]))), int(random.integers(1, 4)), int(random.integers(2, 5)))
    taken = around.inputs + around.features
    widths = [taken, *random.integers(1, 9, random.integers(1, 4))]
    layers = []
    for i, o in [*pairwise(widths), (widths[-1] + taken, 1 + 3 * random.integers(1, 9))]:
        most = EXACT32 // (2 * LARGEST_ACTIVATION * i)
        size = int(most * random.choice([0.01, 0.1, 1]))
        shift = int(random.integers(0, 22))
        weight = random.integers(-size, size + 1, (i, o))
        layers.append(WholeDense(weight, random.integers(-(1 << 20), 1 << 20, o), shift))
    network = CausalNetwork(around, tuple(layers), int(random.choice([1, 255, LARGEST_ACTIVATION])))
    images = random.integers(0, 256, (3, *around.image_shape), np.uint8) * random.integers(0, 2, (3, 1, 1, 1), np.uint8)
    canvases, values = around.canvas(images), np.arange(len(around.places))
    starts = np.repeat(np.arange(3) * around.canvas_size, len(values))
    found = network.outputs(canvases.ravel(), starts, np.tile(values, 3))
    expected = [plain_outputs(network, canvas, value) for canvas in canvases for value in values]
    assert found.dtype == np.int32
    assert np.array_equal(found, expected)
    empty = np.zeros_like(canvases[0])
    alone = network.alone.repeat(around.image_shape[2], 0)
    assert np.array_equal(alone, [plain_outputs(network, empty, value) for value in values])


def test_an_estimate_is_what_is_written(codecs):
    images = pictures(30, (8, 8, 1), seed=6).images
    for error in (0, 2):
        bits = codecs["gray", error].estimated_bits(images)
        assert bits <= 8 * (len(coded_stream(codecs["gray", error], images)) - 1) <= bits * 1.001 + 16
        top = np.arange(64).reshape(8, 8) < 24
        parts = [codecs["gray", error].estimated_bits(images, within) for within in (top, ~top)]
        assert min(parts) > 0
        assert sum(parts) == pytest.approx(bits)
    assert codecs["gray", 0].estimated_bits(images[:0]) == 0


def test_the_networks_of_channels_must_be_alike():
    gray, rgb = made().network, made((5, 7, 3)).network
    assert isinstance(gray, CausalNetwork)
    assert isinstance(rgb, ChannelNetworks)
    for networks in (rgb.networks[:2], (*rgb.networks[:2], *made((5, 7, 3), radius=1).network.networks[:1])):
        with pytest.raises(MisfitNetwork, match="3 channels have as many networks, alike in what they take and give"):
            ChannelNetworks(networks)


# what is refused


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a byte of 0 or 1, not with nothing"),
        (b"\2" + zlib.compress(bytes(128)), "a byte of 0 or 1, not with 02"),
        (b"\1", "must inflate to 128 symbols below 256"),
        (b"\1" + zlib.compress(bytes(127)), "must inflate to 128 symbols below 256"),
        (b"\1" + zlib.compress(bytes(129)), "must inflate to 128 symbols below 256"),
        (b"\1" + zlib.compress(bytes(1 << 24)), "must inflate to 128 symbols below 256"),
        (b"\1" + zlib.compress(bytes(128)) + b"x", "must inflate to 128 symbols below 256"),
        (b"\1" + zlib.compress(bytes(128))[:-1], "must inflate to 128 symbols below 256"),
        (b"\1abc", "a block of 2 images is no zlib stream"),
        (b"\0abc\0", "a stream does not end with a byte of 0"),
        (b"\0" + b"\xff" * 9, "leaves the coder's range"),
    ],
)
def test_blocks_that_are_none_are_refused(codecs, data, message):
    with pytest.raises(CorruptData, match=message):
        codecs["gray", 0].decode(data, 2)


def test_symbols_that_stand_for_nothing_are_refused(codecs):
    codec = codecs["gray", 2]
    assert len(codec.gray) == 52
    with pytest.raises(CorruptData, match="must inflate to 64 symbols below 52"):
        codec.decode(b"\1" + zlib.compress(bytes([52] * 64)), 1)
    encoder = Encoder()
    encoder.encode(np.ones(1, np.int32), mixture.nonzero_weights()[codec.network.alone[:1, 0] + 1023])
    descent, bits = codec._mixture.descend(codec.network.alone[:1]), None
    for _ in range(codec._mixture.depth):  # not 0, then the largest of 2^6
        weights = next(descent) if bits is None else descent.send(bits)
        bits = np.ones(1, np.int32)
        encoder.encode(bits, weights)
    with pytest.raises(CorruptStream, match=r"^a value decodes to 64, beyond 51$"):
        codec.decode(b"\0" + encoder.finish(), 1)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"edges": "zero"}, CorruptModel, "edges are 'nearest' where they are named, not 'zero'"),
        ({"step": 2}, CorruptModel, "a pixel code's step is odd, not 2"),
        ({"step": 129}, CorruptModel, "step must be a whole number from 1 to 127, not 129"),
        ({"hidden": []}, CorruptModel, "a pixel code has 1 to 8 hidden layers, in a list, and a list of shifts"),
        ({"hidden": [1] * 9}, CorruptModel, "a pixel code has 1 to 8 hidden layers"),
        ({"hidden": [7, 1025]}, CorruptModel, "hidden must be a whole number from 1 to 1024, not 1025"),
        ({"shifts": [1, 2]}, CorruptModel, "3 layers have as many shifts, not 2"),
        ({"shifts": [1, 2, 24]}, CorruptModel, "shifts must be a whole number from 0 to 23, not 24"),
        ({"radius": 17}, CorruptModel, "radius must be a whole number from 1 to 16, not 17"),
        ({"high": 0}, CorruptModel, "high must be a whole number from 1 to 1023, not 0"),
        ({"high": 1024}, CorruptModel, "high must be a whole number from 1 to 1023, not 1024"),
        ({"knots": 1}, CorruptModel, "knots must be a whole number from 2 to 64, not 1"),
        ({"components": 9}, CorruptModel, "components must be a whole number from 1 to 8, not 9"),
        ({"components": 3}, numbers.CorruptNumbers, "the stream must hold"),
        ({"image_shape": [513, 512, 1]}, MisfitNetwork, r"a pixel code takes smaller images than \[513, 512, 1\]"),
        ({"image_shape": [65535, 65535, 1]}, MisfitNetwork, "a pixel code takes smaller images than"),
    ],
)
def test_configs_that_make_no_codec_are_refused(codecs, changes, error, message):
    codec = codecs["gray", 0]
    with pytest.raises(error, match=message):
        Pixel.from_config({**codec.config(), **changes}, codec.model)


def test_a_network_whose_sums_are_not_proven_is_refused():
    network = made().network
    largest = np.abs(network.layers[1].weight).sum(0).max() * network.high
    layers = list(network.layers)
    layers[1] = replace(layers[1], weight=layers[1].weight * (2 * EXACT32 // largest))
    with pytest.raises(InexactNetwork, match=r"^a layer's sums may reach \d+, beyond 16777215$"):
        CausalNetwork(network.neighbourhood, tuple(layers), network.high)


def test_the_bound_counts_weights_bias_and_half():
    bias = EXACT32 - 1 - (3 * 255 + 5 * 1023 + 8)
    WholeDense(np.array([[3], [-5]]), np.array([-bias]), 4).prove(np.array([255, 1023]))
    with pytest.raises(InexactNetwork, match=r"^a layer's sums may reach 16777216, beyond 16777215$"):
        WholeDense(np.array([[3], [-5]]), np.array([-bias - 1]), 4).prove(np.array([255, 1023]))


@pytest.mark.parametrize("cut", ["one layer", "narrow head", "five outputs"])
def test_layers_that_do_not_fit_are_refused(cut):
    network = made().network
    layers = list(network.layers)
    if cut == "one layer":
        layers = layers[:1]
    elif cut == "narrow head":
        layers[-1] = replace(layers[-1], weight=layers[-1].weight[:-1])
    else:
        layers[-1] = replace(layers[-1], weight=layers[-1].weight[:, :5], bias=layers[-1].bias[:5])
    with pytest.raises(
        MisfitNetwork, match=r"a hidden layer, at least|cannot take \d+ numbers|5 outputs are no mixture"
    ):
        CausalNetwork(network.neighbourhood, tuple(layers))


# freezing


def test_freezing_twice_gives_the_same_bytes():
    first, second = made(), made()
    assert first.config() == second.config()
    assert first.model == second.model


def test_freezing_asks_for_the_model_and_for_images_of_its_shape():
    model = pixel((8, 8, 1))
    with pytest.raises(UsageError, match="hand over the Model, not its network"):
        freeze(model.network, pictures(9, (8, 8, 1)))
    for count, shape in ((0, (8, 8, 1)), (9, (8, 9, 1))):
        with pytest.raises(UsageError, match=r"freezing pixel takes training images of \(8, 8, 1\), at least one, not"):
            freeze(model, pictures(count, shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (None, "a pixel model's options say radius, knots, max_error, edges, not None"),
        ({"radius": 2, "knots": 3}, "a pixel model's options say radius, knots, max_error, edges, not"),
        (
            {"radius": 10**9, "knots": 3, "max_error": 0, "edges": "zero"},
            "radius must be a whole number from 1 to 16, not 1000000000",
        ),
        (
            {"radius": 2, "knots": "3", "max_error": 0, "edges": "zero"},
            "knots must be a whole number from 2 to 64, not '3'",
        ),
        ({"radius": 2, "knots": 3, "max_error": 0, "edges": "far"}, "edges are 'zero' or 'nearest', not 'far'"),
        (
            {"radius": 2, "knots": 3, "max_error": 64, "edges": "zero"},
            "max_error must be a whole number from 0 to 63, not 64",
        ),
    ],
)
def test_a_model_file_of_wrong_options_is_refused(options, message):
    with pytest.raises(CorruptModel, match=message):
        freeze(Model(pixel((8, 8, 1)).network, {"options": options}), pictures(9, (8, 8, 1)))


def test_a_model_whose_layers_do_not_fit_its_options_is_refused():
    model = pixel((8, 8, 1))
    layers = model.network.prior
    for prior, options in ((layers, {"radius": 3}), (layers[1:], {}), (layers[-1:], {}), ((), {})):
        facts = {"options": model.facts["options"] | options}
        with pytest.raises(MisfitNetwork, match=r"^layers of .* cannot take \d+ numbers of neighbours and position$"):
            freeze(Model(replace(model.network, prior=prior), facts), pictures(9, (8, 8, 1)))


def test_weights_beyond_exact_sums_are_refused():
    model = pixel((8, 8, 1))
    layers = list(model.network.prior)
    layers[-1] = replace(layers[-1], weight=layers[-1].weight * np.float32(1e6))
    with pytest.raises(CannotFreeze, match="weights so large that its sums leave the range of exact floats"):
        freeze(Model(replace(model.network, prior=tuple(layers)), model.facts), pictures(9, (8, 8, 1)))


def test_a_network_that_says_nothing_can_be_frozen():
    """All weights 0, and one training image that is black."""
    model = pixel((8, 8, 1))
    layers = [
        Dense(0 * layer.weight, 0 * layer.bias, layer.activation)
        for layer in model.network.prior
        if isinstance(layer, Dense)
    ]
    black = pictures(1, (8, 8, 1))
    black = replace(black, images=0 * black.images)
    codec = freeze(Model(replace(model.network, prior=tuple(layers)), model.facts), black)
    images = pictures(3, (8, 8, 1)).images
    assert np.array_equal(codec.decode(coded_stream(codec, images), 3), images)


def test_what_a_trained_network_packs_is_worth_its_training():
    """One that only looks at the neighbours beats the general compressor on pictures like those it was fitted to."""
    images = pictures(100, (8, 8, 1), seed=9).images
    assert len(made().encode(images)) < 0.9 * len(zlib.compress(images.tobytes(), 9))
    clothes = wardrobe.draw(5, 0)
    codec = made(clothes.image_shape, hidden=(5,))
    assert np.array_equal(codec.decode(codec.encode(clothes.images), 5), clothes.images)


def test_rounding_one_weight_is_made_up_by_those_after_it():
    """Sums over inputs that go together change less than where each weight is rounded by itself."""
    random = np.random.default_rng(0)
    seen = random.normal(size=(500, 3)) @ random.normal(size=(3, 20)) + 0.1 * random.normal(size=(500, 20))
    weight = random.normal(size=(20, 8))
    whole = rounding._compensated(weight, seen)
    assert np.array_equal(whole, np.rint(whole))
    lost, plain = (float(np.square(seen @ (weight - other)).mean()) for other in (whole, np.rint(weight)))
    assert lost < 0.2 * plain


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3)])
def test_a_model_for_few_images_is_coarser(shape):
    model, training = pixel(shape), pictures(60, shape)
    few, many, any_number = (freeze_pixel(model, training, count) for count in (1, 10**9, None))
    assert len(few.model) < len(many.model) <= len(any_number.model)
    assert few.estimated_bits(training.images) >= many.estimated_bits(training.images)
