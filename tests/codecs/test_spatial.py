"""The spatial codec: its prior, its synthesis, its freezing, its encoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import dense, pictures, spatial

from engram.codecs.analysis import activate
from engram.codecs.contract import CorruptModel
from engram.codecs.freeze import freeze
from engram.codecs.rounding import CannotFreeze
from engram.codecs.spatial.codec import Spatial, codes_of
from engram.codecs.spatial.contexts import FRACTIONS, tables_of
from engram.codecs.spatial.model import LARGEST_LIMIT, SpatialModel, emit, parse
from engram.codecs.spatial.prior import Prior
from engram.codecs.spatial.synthesis import Synthesis, images_of
from engram.coding import linear, numbers
from engram.coding.grid import COARSEST, FINEST, Grid
from engram.coding.integer import InexactNetwork, IntegerLayer, MisfitNetwork
from engram.errors import UsageError
from engram.layers import Convolution, Dense, Features, Network


def whole(weight: np.ndarray, low: int, high: int, shift: int = 0, bias: int = 0) -> IntegerLayer:
    return IntegerLayer(Dense(weight.astype(float), np.full(weight.shape[1], float(bias)), "none"), shift, low, high)


def random_prior(shape: tuple[int, int, int], width: int, hidden: int, seed: int = 0, size: int = 5) -> Prior:
    grid, random = Grid(shape), np.random.default_rng(seed)
    units = grid.units
    sees, own = np.arange(hidden) * units // hidden, np.arange(units)
    last = np.concatenate([sees, np.full(width + grid.neighbours, -1), own + 1])
    draw = lambda *shape: random.integers(-size, size + 1, shape)  # noqa: E731
    third = draw(width + units, hidden) * np.concatenate([np.ones((width, hidden)), own[:, None] < sees])
    return Prior(
        grid,
        random.integers(1, 9, units),
        draw(grid.features, width),
        (
            whole(draw(grid.neighbours, width), 0, 99, 2),
            whole(draw(width, width), 0, 99, 2, 30),
            whole(third, 0, 99, 2, 30),
            whole(draw(hidden, hidden) * (sees[:, None] <= sees), 0, 99, 2, 30),
            whole(draw(len(last), units) * (last[:, None] <= own), -150, 150, 4),
            whole(draw(len(last), units) * (last[:, None] <= own), 0, 3, 5, 64),
        ),
    )


def random_synthesis(grid: Grid, limits: np.ndarray, size: int = 3) -> Synthesis:
    random = np.random.default_rng(0)
    units = grid.units
    convolutions = []
    for made, taken, high in ((3, units, 50), (2, 3, 50), (units, 2 + units, 255)):
        weight = random.integers(-size, size + 1, (made, taken, 3, 3)).astype(float)
        convolutions.append(IntegerLayer(Convolution(weight, np.full(made, 40.0), 1, 1, "none"), 4, 0, high))
    return Synthesis(grid, limits, random.integers(-9, 9, (grid.features, 3)), tuple(convolutions))


shapes = st.tuples(st.integers(1, 13), st.integers(1, 13), st.sampled_from([1, 3]))
steps = st.integers(FINEST, COARSEST)


@given(shapes, st.integers(1, 4), st.integers(1, 40), st.integers(0, 3), steps, st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_decoder_sees_what_the_encoder_saw(
    shape: tuple[int, int, int], width: int, hidden: int, count: int, step: int, seed: int
) -> None:
    prior = random_prior(shape, width, hidden, seed)
    grid, limits = prior.grid, prior.limits_at(step)
    size = count, grid.rows, grid.columns, grid.units
    symbols = np.random.default_rng(seed).integers(-limits, limits + 1, size).astype(np.int32)
    nearest, contexts = prior.contexts(symbols, step)
    waves = iter([(y, x, unit) for y, x in grid.waves for unit in range(grid.units)])

    def choose(unit: int, expected: np.ndarray, found: np.ndarray) -> np.ndarray:
        y, x, own = next(waves)
        assert own == unit
        assert np.array_equal(expected, nearest[:, y, x, unit].ravel())
        assert np.array_equal(found, contexts[:, y, x, unit].ravel())
        return symbols[:, y, x, unit].ravel()

    assert np.array_equal(prior.walk(count, step, choose), symbols)
    assert contexts.size == 0 or 0 <= contexts.min() <= contexts.max() < prior.scales * FRACTIONS


def test_a_changed_symbol_changes_nothing_that_comes_before_it() -> None:
    prior = random_prior((12, 12, 1), 4, 20)
    symbols = np.ones((1, 3, 3, 16), np.int32)
    before = prior.contexts(symbols, 64)
    order = np.empty((3, 3), int)
    for wave, cells in enumerate(prior.grid.waves):
        order[cells] = wave
    changed = set()
    for y, x, unit in np.ndindex(3, 3, 16):
        other = symbols.copy()
        other[0, y, x, unit] = -1
        for mine, theirs in zip(prior.contexts(other, 64), before, strict=True):
            for j, i, later in np.argwhere((mine != theirs)[0]).tolist():
                assert (order[j, i], later if (j, i) == (y, x) else unit + 1) >= (order[y, x] + ((j, i) != (y, x)), 0)
                assert (j, i) != (y, x) or later > unit
                changed.add((j - y, i - x))
    assert changed == {
        (0, 0),
        *((-dy, -dx) for dy, dx in ((-2, -1), (-2, 0), (-2, 1), (-1, -2), (-1, -1), (-1, 0))),
    } | {
        (1, -1),
        (0, 2),
        (0, 1),
    }


def test_the_limits_at_a_step_keep_codes_within_those_of_the_finest() -> None:
    prior = random_prior((4, 4, 1), 1, 3)
    for step in range(FINEST, COARSEST + 1):
        limits = prior.limits_at(step)
        assert limits.min() >= 1
        assert (limits * step <= np.maximum(prior.limits * FINEST, COARSEST)).all()
        assert (limits <= prior.limits).all()


@given(shapes, steps)
@settings(max_examples=20, deadline=None)
def test_a_synthesis_is_its_convolutions(shape: tuple[int, int, int], step: int) -> None:
    grid = Grid(shape)
    limits = np.full(grid.units, 200)
    synthesis = random_synthesis(grid, limits)
    limits = np.maximum(1, limits * FINEST // step)
    size = 2, grid.rows, grid.columns, grid.units
    symbols = np.random.default_rng(1).integers(-limits, limits + 1, size).astype(np.int32)
    codes = symbols.transpose(0, 3, 1, 2).astype(np.float64) * step
    first, second, output = synthesis.layers
    sums = linear.apply(first.linear, codes)
    sums += np.tensordot(synthesis.features, grid.features_at(step), (0, 0))
    values = output(np.concatenate([second(first.rounded(sums)), codes], axis=1).astype(np.float64))
    expected = images_of(values.transpose(0, 2, 3, 1).astype(np.uint8), grid)
    made = synthesis.pixels(symbols, step)
    assert made.shape == (2, *shape)
    assert np.array_equal(made, expected)
    assert synthesis.pixels(symbols[:0], step).shape == (0, *shape)


def test_sums_beyond_24_bits_are_exact() -> None:
    """The same, with weights so large that taps are summed apart."""
    grid = Grid((9, 9, 1))
    synthesis = random_synthesis(grid, np.full(16, 20), size=500)
    sums = [group for convolution in synthesis._convolutions for group in convolution.groups]
    assert len(sums) > 3
    test_a_synthesis_is_its_convolutions.hypothesis.inner_test((9, 9, 1), 16)


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
    return spatial((10, 13, 1))


@pytest.fixture(scope="module")
def codec(network: Network) -> Spatial:
    found = freeze(network, pictures(300, (10, 13, 1)))
    assert isinstance(found, Spatial)
    return found


def floats_of_pixels(network: Network, symbols: np.ndarray, step: int) -> np.ndarray:
    """What the float synthesis makes of symbols[n, rows, columns, units], not rounded."""
    grid = Grid(network.image_shape)
    features, first, second, output = network.synthesis[:4]
    codes = (symbols * np.float32(step / 510)).transpose(0, 3, 1, 2)
    sums = linear.apply(first, codes)
    sums += np.tensordot(features.weight, grid.features_at(step).astype(np.float32), (0, 0))
    hidden = activate(linear.apply(second, activate(sums, "relu")), "relu")
    values = linear.apply(output, np.concatenate([hidden, codes], axis=1)).transpose(0, 2, 3, 1)
    return images_of((255 * values).clip(0, 255), grid)


@pytest.mark.parametrize("step", [24, 64, 300])
def test_whole_numbers_give_nearly_the_pixels_of_the_floats(network: Network, codec: Spatial, step: int) -> None:
    images = pictures(100, (10, 13, 1), seed=9).images
    at = codec.at(step)
    symbols = np.rint(codes_of(network.analysis, codec.decoder.grid, images, step)).astype(np.int32)
    expected = np.rint(floats_of_pixels(network, symbols, step))
    decoded = at.decode(at.encode(images), 100)
    lost, least = (np.square(made.astype(float) - images).mean() for made in (decoded, expected))
    assert 10 * np.log10(lost / least) < 0.05
    assert np.abs(decoded.astype(float) - expected).max() <= 4


def test_a_coarser_step_takes_fewer_bytes_and_loses_more(codec: Spatial) -> None:
    images = pictures(100, (10, 13, 1), seed=9).images
    sizes, errors = [], []
    for step in (16, 64, 256, 1024):
        data = codec.at(step).encode(images)
        sizes.append(len(data))
        errors.append(np.square(codec.at(step).decode(data, 100).astype(float) - images).mean())
    assert sizes == sorted(sizes, reverse=True)
    assert errors[0] < errors[2] < errors[3]
    assert codec.step == 64
    assert codec.at(16).model == codec.model
    for step in (15, 1025, 0, -64):
        with pytest.raises(UsageError, match=rf"^a spatial code's step is 16 to 1024 half gray levels, not {step}$"):
            codec.at(step)


@pytest.mark.parametrize("step", [16, 64, 1024])
def test_images_unlike_any_seen_come_back_as_their_symbols(codec: Spatial, step: int) -> None:
    random, seen = np.random.default_rng(0), pictures(20, (10, 13, 1), seed=9).images
    noise = random.integers(0, 256, seen.shape, np.uint8)
    edges = 255 * random.integers(0, 2, seen.shape, np.uint8)
    images = np.concatenate([seen, 255 - seen, noise, edges, 0 * seen, 0 * seen + 255])
    at = codec.at(step)
    symbols, nearest, contexts = at._coded(codes_of(at.analysis, codec.decoder.grid, images, step))
    assert np.abs(symbols).max(axis=(0, 1, 2)).tolist() <= codec.decoder.prior.limits_at(step).tolist()
    (found,) = at._symbols([(at.encode(images), len(images))])
    assert np.array_equal(found, symbols)
    assert contexts.shape == nearest.shape == symbols.shape


@pytest.mark.parametrize("bias", [0, 149])
@pytest.mark.parametrize("step", [16, 1024])
def test_symbols_beyond_the_reach_are_moved_into_it(codec: Spatial, step: int, bias: int) -> None:
    """Also where the prior expects a symbol farther beyond its limit than the reach."""
    prior = random_prior((10, 13, 1), 3, 20)
    *rest, centre, scale = prior.layers
    centre = replace(centre, linear=replace(centre.linear, bias=centre.linear.bias + bias * 2**centre.shift))
    prior = Prior(prior.grid, prior.limits, prior.features, (*rest, centre, scale))
    levels = np.random.default_rng(0).integers(0, 256, (prior.scales, 9, 5)).astype(np.uint8)
    model = SpatialModel(prior, levels, random_synthesis(prior.grid, prior.limits))
    tight = Spatial(model, step, codec.analysis)
    images = pictures(20, (10, 13, 1)).images
    symbols, _, _ = tight._coded(codes_of(codec.analysis, prior.grid, images, step))
    (found,) = tight._symbols([(tight.encode(images), 20)])
    assert np.array_equal(found, symbols)


@pytest.mark.parametrize("count", [1, 2, 30, 111])
def test_few_training_images_are_enough(network: Network, count: int) -> None:
    images = pictures(count, (10, 13, 1))
    codec = freeze(network, images)
    decoded = codec.decode(codec.encode(images.images), count)
    assert np.square(decoded.astype(float) - images.images).mean() < 400


def test_a_smaller_loss_takes_a_larger_model() -> None:
    network, images = spatial((8, 8, 1), width=30), pictures(200, (8, 8, 1))
    coarse, fine = (freeze(network, images, loss_db=loss) for loss in (3.0, 0.0001))
    assert len(coarse.model) < len(fine.model)


def test_other_networks_are_refused(network: Network) -> None:
    images = pictures(20, (10, 13, 1))
    other = replace(dense((10, 13, 1), 10), method="spatial", prior=network.prior)
    for wrong in (other, replace(network, prior=network.prior[:-1]), replace(network, synthesis=network.synthesis[1:])):
        with pytest.raises(CannotFreeze, match=r"^spatial has no layers of the form that the spatial codec takes$"):
            freeze(wrong, images)
    with pytest.raises(UsageError, match=r"takes training images of \(10, 13, 1\), at least one, not 0"):
        freeze(network, images[:0])
    with pytest.raises(UsageError, match="no bits a unit can be asked of spatial; ask for bytes an image, or for a PS"):
        freeze(network, images, bits=3)


def test_a_network_of_zeros_is_frozen(network: Network) -> None:
    def nothing(layer: object) -> object:
        if not isinstance(layer, Dense | Convolution | Features):
            return layer
        parts = {name: 0 * getattr(layer, name) for name in ("weight", "bias") if hasattr(layer, name)}
        return replace(layer, **parts)

    halves = {name: tuple(map(nothing, getattr(network, name))) for name in ("analysis", "synthesis", "prior")}
    codec = freeze(replace(network, **halves), pictures(120, (10, 13, 1)))
    assert not codec.decode(codec.encode(pictures(3, (10, 13, 1)).images), 3).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 15}, "step must be a whole number from 16 to 1024, not 15"),
        ({"step": 1025}, "step must be a whole number from 16 to 1024, not 1025"),
        ({"step": 64.0}, "step must be a whole number from 16 to 1024, not 64.0"),
        ({"reach": 513}, "reach must be a whole number from 1 to 512, not 513"),
        ({"prior": [{}] * 3}, "prior is a list of 4 layers, not "),
        ({"prior": [3] * 4}, "a layer has outputs, shift, high, not 3"),
        (
            {"prior": [{"outputs": 0, "shift": 0, "high": 1}] * 4},
            "outputs must be a whole number from 1 to 4096, not 0",
        ),
        ({"synthesis": [{}]}, "synthesis is a list of 2 layers, not "),
        ({"centre": 3}, "a layer has shift, high, not 3"),
        ({"centre": {"shift": 0}}, "expected the keys high, shift, found shift"),
        ({"scale": {"shift": 0, "high": 256}}, "high must be a whole number from 0 to 255, not 256"),
        ({"pixels": {"shift": 24}}, "shift must be a whole number from 0 to 23, not 24"),
        ({"pixels": {"shift": 0, "high": 255}}, "expected the keys shift, found high, shift"),
        ({"skip": 1}, "expected the keys centre, image_shape, .* found"),
        ({"image_shape": [260, 256, 1]}, r"a spatial code takes smaller images than \[260, 256, 1\]"),
        ({"prior": [{"outputs": 4096, "shift": 0, "high": 1}] * 4}, "a model holds at most 33554432 numbers, not"),
    ],
)
def test_each_wrong_setting_is_named(codec: Spatial, changes: dict, message: str) -> None:
    with pytest.raises(CorruptModel, match=f"^{message}"):
        parse(codec.config() | changes, codec.model)


def changed(codec: Spatial, at: int, value: int) -> bytes:
    """The model with another number."""
    model, count = codec.decoder, 0
    sizes = [model.grid.units, model.levels.size]
    for half in (model.prior, model.synthesis):
        sizes += [
            half.features.size,
            *(part.size for one in half.layers for part in (one.linear.weight, one.linear.bias)),
        ]
    count = sum(sizes)
    found = numbers.unpack(codec.model, count).copy()
    found[at] = value
    return numbers.pack(found)


def test_each_wrong_number_is_named(codec: Spatial) -> None:
    units, levels, prior = codec.decoder.grid.units, codec.decoder.levels.size, codec.decoder.prior
    config = codec.config()
    for limit in (0, LARGEST_LIMIT + 1):
        with pytest.raises(CorruptModel, match=rf"^symbols reach 1 to {LARGEST_LIMIT}, not "):
            parse(config, changed(codec, 3, limit))
    for level in (-1, 256):
        with pytest.raises(CorruptModel, match=r"^probability levels lie in 0 to 255, not "):
            parse(config, changed(codec, units, level))
    sizes = [prior.features.size, *(one.linear.weight.size + one.linear.bias.size for one in prior.layers)]
    starts = np.cumsum([units + levels, *sizes])
    third, centre = starts[3], starts[5]
    context = prior.layers[1].linear.weight.shape[1]
    hidden = prior.layers[2].linear.weight.shape[1]
    for ahead in (third + (context + units - 1) * hidden, centre + (len(prior.layers[4].linear.weight) - 1) * units):
        with pytest.raises(MisfitNetwork, match=r"^a prior's weight takes a symbol that is not decoded yet$"):
            parse(config, changed(codec, ahead, 1))
    parse(config, changed(codec, centre - 1, -(2**31)))
    with pytest.raises(InexactNetwork, match=r"^the sums of one tap may reach \d+, beyond 16777215$"):
        parse(config, changed(codec, starts[-1] + codec.decoder.synthesis.features.size, 2**30))


def test_a_prior_that_does_not_fit_is_refused() -> None:
    prior = random_prior((4, 4, 1), 2, 6)
    layers, where = prior.layers, prior.features
    with pytest.raises(MisfitNetwork, match=r"^features of \[20, 2\] do not fit a prior of 2, 6$"):
        Prior(prior.grid, prior.limits, where[1:], layers)
    other = (*layers[:2], random_prior((4, 4, 1), 2, 5).layers[2], *layers[3:])
    with pytest.raises(MisfitNetwork, match=r"^features of \[21, 2\] do not fit a prior of 2, 5$"):
        Prior(prior.grid, prior.limits, where, other)
    with pytest.raises(MisfitNetwork, match=r"^a prior's layer of \[2, 2\] weights is to have \[144, 2\]$"):
        Prior(prior.grid, prior.limits, where, (layers[1], *layers[1:]))
    for wide in (where * 2**50, where):
        huge = replace(layers[1], linear=replace(layers[1].linear, weight=layers[1].linear.weight * 2.0**48))
        with pytest.raises(InexactNetwork, match=r"^the prior's sums may reach \d+, beyond 9007199254740991$"):
            Prior(prior.grid, prior.limits, wide, layers if wide is not where else (layers[0], huge, *layers[2:]))


def test_a_synthesis_that_does_not_fit_is_refused() -> None:
    grid, limits = Grid((4, 4, 1)), np.full(16, 9)
    fits = random_synthesis(grid, limits)
    with pytest.raises(MisfitNetwork, match=r"^features of \[20, 3\] do not fit a synthesis of 3$"):
        Synthesis(grid, limits, fits.features[1:], fits.layers)
    with pytest.raises(MisfitNetwork, match=r"^a convolution of \[2, 3, 3, 3\] cannot take 16$"):
        Synthesis(grid, limits, fits.features[:, :2], (fits.layers[1], *fits.layers[1:]))
    with pytest.raises(InexactNetwork, match=r"^codes may reach 16777216, beyond 16777215$"):
        Synthesis(grid, np.full(16, 1 << 20), fits.features, fits.layers)
    with pytest.raises(InexactNetwork, match=r"^a convolution's sums may reach \d+, beyond 9007199254740991$"):
        Synthesis(grid, limits, fits.features * 2**50, fits.layers)


def test_a_model_is_the_same_after_parsing(codec: Spatial) -> None:
    model, step = parse(codec.config(), codec.model)
    assert step == 64
    assert emit(model, step) == (codec.config(), codec.model)
    assert np.array_equal(model.levels, codec.decoder.levels)


def test_images_are_worked_on_in_parts(monkeypatch: pytest.MonkeyPatch, network: Network, codec: Spatial) -> None:
    """However large the parts are, symbols are expected alike, and codes are alike but for roundings."""
    images = pictures(7, (10, 13, 1)).images
    whole_codes = codes_of(network.analysis, codec.decoder.grid, images, 64)
    symbols = np.rint(whole_codes).astype(np.int32)
    nearest, contexts = codec.decoder.prior.contexts(symbols, 64)
    pixels = codec.decoder.synthesis.pixels(symbols, 64)
    for cells in (1, 12, 30):
        monkeypatch.setattr("engram.codecs.spatial.codec._ANALYSED", cells)
        monkeypatch.setattr("engram.codecs.spatial.prior._TOGETHER", cells)
        monkeypatch.setattr("engram.codecs.spatial.synthesis._TOGETHER", cells)
        np.testing.assert_allclose(codes_of(network.analysis, codec.decoder.grid, images, 64), whole_codes, atol=1e-3)
        found = codec.decoder.prior.contexts(symbols, 64)
        assert np.array_equal(found[0], nearest)
        assert np.array_equal(found[1], contexts)
        assert np.array_equal(codec.decoder.synthesis.pixels(symbols, 64), pixels)


def test_large_images_freeze_from_few(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    """As many cells fit tables and units, whatever the size of the images."""
    monkeypatch.setattr("engram.codecs.spatial.freezing.FITTED", 40)
    monkeypatch.setattr("engram.codecs.spatial.freezing.MEASURED", 1)
    images = pictures(30, (10, 13, 1))
    codec = freeze(network, images)
    decoded = codec.decode(codec.encode(images.images), 30)
    assert np.square(decoded.astype(float) - images.images).mean() < 400
