"""The transform codec: its prior, its freezing, its encoder."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import dense, pictures, transform

from engram.codecs import dial
from engram.codecs.analysis import evaluate, floats_of, pixels_of
from engram.codecs.contract import CorruptModel
from engram.codecs.freeze import freeze
from engram.codecs.rounding import CannotFreeze
from engram.codecs.transform.codec import Transform, coded_symbols
from engram.codecs.transform.model import TransformModel, parse, tables_of
from engram.codecs.transform.prior import FRACTIONS, Prior, seen
from engram.coding.integer import InexactNetwork, IntegerLayer, MisfitNetwork
from engram.errors import UsageError
from engram.layers import Dense, Network


def layer(weight: np.ndarray, low: int, high: int, shift: int = 0, bias: float = 0) -> IntegerLayer:
    return IntegerLayer(Dense(weight, np.full(weight.shape[1], bias), "none"), shift, low, high)


def random_prior(units: int, hidden: list[int], seed: int = 0) -> Prior:
    random = np.random.default_rng(seed)
    layers, sees = [], np.arange(units)
    for outputs in hidden:
        last = np.arange(outputs) * units // outputs
        weight = random.integers(-9, 10, (len(sees), outputs)) * (sees[:, None] <= last)
        layers.append(layer(weight.astype(float), 0, 255, 3, 20))
        sees = last
    sees = np.concatenate([sees, np.arange(units)])
    ends = [random.integers(-9, 10, (len(sees), units)) * (sees[:, None] < np.arange(units)) for _ in range(2)]
    limits = random.integers(1, 20, units)
    return Prior(limits, tuple(layers), layer(ends[0] * 1.0, -300, 300, 4), layer(ends[1] * 1.0, 0, 9, 5, 100))


@given(st.integers(1, 9), st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(0, 5), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_walking_from_unit_to_unit_is_the_whole_product(units: int, hidden: list[int], count: int, seed: int) -> None:
    prior = random_prior(units, hidden, seed)
    random = np.random.default_rng(seed)
    symbols = random.integers(-prior.limits, prior.limits + 1, (count, units)).astype(np.int32)
    nearest, contexts = prior.contexts(symbols)

    def choose(unit: int, expected: np.ndarray, found: np.ndarray) -> np.ndarray:
        assert np.array_equal(expected, nearest[:, unit])
        assert np.array_equal(found, contexts[:, unit])
        return symbols[:, unit]

    assert np.array_equal(prior.walk(count, choose), symbols)
    assert contexts.size == 0 or 0 <= contexts.min() <= contexts.max() < prior.scales * FRACTIONS


def test_what_a_layer_has_seen() -> None:
    assert [seen(unit, 5, 3) for unit in range(4)] == [0, 2, 4, 5]
    assert [seen(unit, 2, 3) for unit in range(4)] == [0, 1, 2, 2]


def test_a_prior_that_looks_ahead_is_refused() -> None:
    ones, hidden = np.ones((4, 3)), (layer(np.zeros((3, 1)), 0, 9),)
    causal = layer(np.array([[0, 0, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]]) * 1.0, -9, 9)
    Prior(np.ones(3, int), hidden, causal, causal)
    with pytest.raises(MisfitNetwork, match=r"^a prior's weight takes a unit that is not decoded yet$"):
        Prior(np.ones(3, int), hidden, causal, layer(ones, 0, 9))
    with pytest.raises(MisfitNetwork, match=r"^a prior's layer of \[3, 3\] does not fit the one before it$"):
        Prior(np.ones(3, int), hidden, layer(np.zeros((3, 3)), -9, 9), causal)
    with pytest.raises(MisfitNetwork, match=r"^a prior has a hidden layer at least$"):
        Prior(np.ones(3, int), (), causal, causal)
    with pytest.raises(InexactNetwork, match=r"^the prior's sums may reach .*, beyond 9007199254740991$"):
        Prior(np.ones(3, int), hidden, causal, layer(causal.linear.weight * 2.0**52, 0, 9))


def test_the_tables_of_opposite_fractions_are_mirrors() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (2, FRACTIONS // 2 + 1, 5)).astype(np.uint8)
    tables = tables_of(levels).reshape(2, FRACTIONS, 5)
    assert (tables.sum(axis=2) == 1 << 24).all()
    middle = FRACTIONS // 2
    for fraction in range(1, middle):
        assert np.array_equal(tables[:, middle + fraction], tables[:, middle - fraction, ::-1])
    assert not np.array_equal(tables[:, 0], tables[:, -1])


@pytest.fixture(scope="module")
def network() -> Network:
    return transform((8, 8, 1), 10)


@pytest.fixture(scope="module")
def codec(network: Network) -> Transform:
    found = freeze(network, pictures(400, (8, 8, 1)))
    assert isinstance(found, Transform)
    return found


def test_whole_numbers_give_nearly_the_pixels_of_the_floats(network: Network, codec: Transform) -> None:
    images = pictures(200, (8, 8, 1), seed=9).images
    symbols = np.rint(evaluate(network.analysis, floats_of(images)))
    expected = pixels_of(evaluate(network.synthesis, symbols))
    decoded = codec.decode(codec.encode(images), len(images))
    lost, least = (np.square(made.astype(float) - images).mean() for made in (decoded, expected))
    assert lost < 1.05 * least
    assert least < 0.2 * images.var()


def test_less_stiffness_takes_fewer_bytes_and_loses_more(codec: Transform) -> None:
    images = pictures(200, (8, 8, 1), seed=9).images
    sizes, errors = [], []
    for stiffness in (np.inf, 30, 3):
        thrifty = replace(codec, stiffness=stiffness)
        data = thrifty.encode(images)
        sizes.append(len(data))
        errors.append(np.square(codec.decode(data, len(images)).astype(float) - images).mean())
    assert sizes[0] > sizes[1] > sizes[2]
    assert errors[0] < errors[2]


def test_symbols_beyond_the_reach_are_moved_into_it(codec: Transform) -> None:
    codes = np.random.default_rng(0).normal(0, 1000, (50, 10)).astype(np.float32)
    distances, contexts = coded_symbols(codec.decoder, codes)
    assert 0 <= distances.min() <= distances.max() <= 2 * codec.decoder.reach
    expected = iter(range(10))

    def choose(unit: int, nearest: np.ndarray, found: np.ndarray) -> np.ndarray:
        assert next(expected) == unit
        assert np.array_equal(found, contexts[:, unit])
        return nearest + distances[:, unit] - codec.decoder.reach

    symbols = codec.decoder.prior.walk(50, choose)
    assert (np.abs(symbols) <= codec.decoder.prior.limits).all()


@pytest.mark.parametrize("bias", [-290, 290])
def test_a_symbol_expected_beyond_its_limit_is_its_limit(bias: int) -> None:
    """Also where the limit is out of reach of what is expected: a decoder clips."""
    prior = random_prior(3, [4])
    sums = replace(prior.centre.linear, bias=prior.centre.linear.bias + bias * 2**prior.centre.shift)
    prior = Prior(np.array([2, 2, 2]), prior.hidden, replace(prior.centre, linear=sums), prior.scale)
    levels = np.random.default_rng(0).integers(0, 256, (prior.scales, FRACTIONS // 2 + 1, 5)).astype(np.uint8)
    model = TransformModel((1, 1, 1), prior, levels, (layer(np.ones((3, 1)), 0, 9), layer(np.ones((4, 1)), 0, 255)))
    codes = np.random.default_rng(0).normal(0, 3, (20, 3)).astype(np.float32)
    distances, contexts = coded_symbols(model, codes)
    data = model.coder.encode(distances.T.ravel(), contexts.T.ravel())
    (found,) = np.unique(Transform(model)._symbols([(data, 20)]))
    assert found == 2 * np.sign(bias)


def test_a_rate_is_that_of_the_training(network: Network, codec: Transform) -> None:
    images = pictures(400, (8, 8, 1))
    with pytest.raises(UsageError, match="was trained for one rate, so no bits a unit can be asked of it"):
        freeze(network, images, bits=3)
    reached = len(codec.encode(images.images)) / len(images)
    for wanted in (reached, 0.95 * reached):
        found = dial.freeze_to_bytes(network, images, wanted)
        assert len(found.encode(images.images)) / len(images) == pytest.approx(wanted, rel=0.03)
    for wanted in (99, 1):
        with pytest.raises(dial.OutOfReach, match=rf"it takes \d+\.\d\d to \d+\.\d\d bytes .* --bytes {wanted}$"):
            dial.freeze_to_bytes(network, images, wanted)
    assert isinstance(dial.freeze_to_psnr(network, images, 20), Transform)
    with pytest.raises(dial.OutOfReach, match="not 60"):
        dial.freeze_to_psnr(network, images, 60)


def test_a_smaller_loss_takes_a_larger_model() -> None:
    network, images = transform((8, 8, 1), 30, step=0.02), pictures(400, (8, 8, 1))
    coarse, fine = (freeze(network, images, loss_db=loss) for loss in (3.0, 0.0001))
    assert len(coarse.model) < len(fine.model)


def test_other_networks_with_a_prior_are_refused(network: Network) -> None:
    other = replace(dense((8, 8, 1), 10), prior=network.prior)
    with pytest.raises(CannotFreeze, match="has no synthesis and prior of the form that the transform codec takes"):
        freeze(other, pictures(20, (8, 8, 1)))
    with pytest.raises(UsageError, match=r"takes training images of \(8, 8, 1\), at least one, not 0"):
        freeze(network, pictures(20, (8, 8, 1))[:0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "units must be a whole number from 1 to 4096, not 0"),
        ({"reach": 513}, "reach must be a whole number from 1 to 512, not 513"),
        ({"prior": [{}] * 5}, "prior is a list of 1 to 4 layers"),
        ({"prior": [3]}, "a layer has outputs, a shift and a high, not 3"),
        ({"centre": 3}, "centre has a shift, not 3"),
        ({"scale": {"shift": 0, "high": 256, "skip": 0}}, "high must be a whole number from 0 to 255, not 256"),
        ({"pixels": {"shift": 24, "skip": 0}}, "shift must be a whole number from 0 to 23, not 24"),
        (
            {"units": 4096, "prior": [{"outputs": 65536, "shift": 0, "high": 1}]},
            "a model holds at most 33554432 numbers",
        ),
    ],
)
def test_each_wrong_setting_is_named(codec: Transform, changes: dict, message: str) -> None:
    with pytest.raises(CorruptModel, match=message):
        parse(codec.config() | changes, codec.model)
