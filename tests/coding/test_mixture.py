from decimal import ROUND_FLOOR, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.coding import mixture
from engram.coding.mixture import Mixture

STEPS = [1, 3, 5, 7, 17, 63, 127]


def gray_of(step):
    return np.minimum(np.arange((255 + step // 2) // step + 1) * step, 255)


def random_outputs(count, components, seed):
    """Any outputs that a network can give, extremes often among them."""
    random = np.random.default_rng(seed)
    least, largest = mixture.limits(components)
    outputs = random.integers(least, largest + 1, (count, len(least)))
    extreme = np.where(random.random(outputs.shape) < 0.5, least, largest)
    return np.where(random.random(outputs.shape) < 0.3, extreme, outputs).astype(np.int32)


def coded(codes, outputs, values):
    """(what comes back, the chance of the path taken, all weights) of values that are not 0."""
    descent = codes.descend(outputs)
    wanted, chance, seen, bits = values - 1, np.ones(len(values)), [], None
    try:
        for level in range(codes.depth - 1, -1, -1):
            weights = next(descent) if bits is None else descent.send(bits)
            bits = (wanted >> level & 1).astype(np.int32)
            chance *= np.where(bits, weights, 2**24 - weights) / 2**24
            seen.append(weights)
        descent.send(bits)
    except StopIteration as end:
        return end.value, chance, np.array(seen)
    raise AssertionError("a descent ends with its values")


some = given(
    step=st.sampled_from(STEPS),
    components=st.integers(1, mixture.LARGEST_COMPONENTS),
    seed=st.integers(0, 2**32 - 1),
)


@some
@settings(max_examples=60)
def test_the_chances_of_all_values_sum_to_1(step, components, seed):
    """Over 2^depth values: those that no encoder codes have their chances too, small ones."""
    codes = Mixture(gray_of(step))
    outputs = random_outputs(1, components, seed).repeat(1 << codes.depth, 0)
    values = np.arange(1, len(outputs) + 1)
    found, chance, weights = coded(codes, outputs, values)
    assert np.array_equal(found, values)
    assert chance.sum() == pytest.approx(1, abs=1e-9)
    assert (chance > 0).all()
    assert chance[codes.values - 1 :].sum() < 0.01 * codes.depth
    assert (weights == np.floor(weights)).all()


@some
@settings(max_examples=60)
def test_weights_leave_room_for_yes_and_no(step, components, seed):
    codes = Mixture(gray_of(step))
    values = np.random.default_rng(seed).integers(1, codes.values, 50)
    _, _, weights = coded(codes, random_outputs(50, components, seed), values)
    assert (weights >= 256).all()
    assert (weights <= 2**24 - 256).all()
    assert (weights % 256 == 0).all()


def exact_weights(row, gray, value):
    """The module's formulas in Python's whole numbers, of one value."""
    components = len(row) // 3
    shares = [int(mixture.exponentials()[min(max(row[1 : 1 + components]) - w, 1023)]) for w in row[1 : 1 + components]]

    def below(v):
        if v in (0,):
            return 0
        if v >= len(gray) - 1:
            return sum(shares) * 2**20 + 4096 * v
        total = 4096 * v
        for share, m, s in zip(shares, row[1 + components :], row[1 + 2 * components :], strict=False):
            u = (8 * (gray[v] + gray[v + 1]) - m) * int(mixture.inverses()[s + 74]) >> 9
            assert abs((8 * (gray[v] + gray[v + 1]) - m) * int(mixture.inverses()[s + 74])) < 2**31 - 2**24
            total += share * int(mixture.logistics()[min(max(u, -12288), 12287) + 12288])
        return total

    depth = (len(gray) - 2).bit_length()
    found, low, high, weights = 0, below(0), below(1 << depth), []
    for level in range(depth - 1, -1, -1):
        middle = below(found + (1 << level))
        assert low < middle < high
        weights.append(256 * (1 + 65534 * (high - middle) // (high - low)))
        if (value - 1) >> level & 1:
            found, low = found + (1 << level), middle
        else:
            high = middle
    return weights


@some
@settings(max_examples=40)
def test_floats_compute_what_whole_numbers_do(step, components, seed):
    gray = gray_of(step)
    values = np.random.default_rng(seed).integers(1, len(gray), 20)
    outputs = random_outputs(20, components, seed)
    _, _, weights = coded(Mixture(gray), outputs, values)
    for row, value, column in zip(outputs.tolist(), values.tolist(), weights.T, strict=True):
        assert exact_weights(row, gray.tolist(), value) == column.tolist()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mean", [mixture.LEAST_MEAN, 0, mixture.LARGEST_MEAN])
@pytest.mark.parametrize("scale", [mixture.LEAST_SCALE, mixture.LARGEST_SCALE])
def test_no_whole_number_overflows_at_the_extremes(step, mean, scale):
    """A wrapped product would put a boundary on the other side of the mean, and F would fall."""
    gray = gray_of(step)
    for logits in ((1023, -1023), (-1023, -1023), (1023, 1023)):
        outputs = np.array([[0, *logits, mean, mean, scale, scale]] * (len(gray) - 1), np.int32)
        values = np.arange(1, len(gray))
        _, _, weights = coded(Mixture(gray), outputs, values)
        for row, value, column in zip(outputs.tolist(), values.tolist(), weights.T, strict=True):
            assert exact_weights(row, gray.tolist(), value) == column.tolist()


def test_a_narrow_component_takes_nearly_all():
    codes = Mixture(gray_of(1))
    outputs = np.array([[0, 0, 16 * 77, -74]] * 255, np.int32)
    _, chance, _ = coded(codes, outputs, np.arange(1, 256))
    assert np.argmax(chance) == 76
    assert chance[76] > 0.98
    assert chance.min() > 1e-7  # 24 bits at the most, by 2^12 for each value


def test_components_count_by_their_logits():
    codes = Mixture(gray_of(1))
    outputs = np.array([[0, 64, 0, 16 * 50, 16 * 200, 0, 0]] * 255, np.int32)
    _, chance, _ = coded(codes, outputs, np.arange(1, 256))
    assert chance[:125].sum() / chance[125:].sum() == pytest.approx(np.e, rel=0.02)


def test_no_values_are_no_decisions():
    found, _, weights = coded(Mixture(gray_of(1)), random_outputs(0, 2, 0), np.zeros(0, np.int64))
    assert found.shape == (0,)
    assert weights.shape == (8, 0)


TABLES = {
    "nonzero_weights": (range(-1023, 1024), lambda z: 2**24 / (1 + (-Decimal(z) / 64).exp())),
    "exponentials": (range(1024), lambda d: 4096 * (-Decimal(d) / 64).exp()),
    "inverses": (range(-74, 183), lambda s: 32768 * (-Decimal(s) / 32).exp()),
    "logistics": (range(-12288, 12288), lambda u: 2**20 / (1 + (-Decimal(u) / 1024).exp())),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_stay_away_from_half_way(name):
    """Farther than any exponential function errs (1e-8 here), so every machine rounds to the same whole numbers."""
    indices, exact = TABLES[name]
    with localcontext() as context:
        context.prec = 30
        numbers = [exact(index) for index in indices]
        floors = [number.to_integral_value(ROUND_FLOOR) for number in numbers]
        parts = [number - floor for number, floor in zip(numbers, floors, strict=True)]
        assert min(abs(part - Decimal("0.5")) for part in parts) > Decimal("2e-5")
        rounded = [int(floor) + (part > Decimal("0.5")) for floor, part in zip(floors, parts, strict=True)]
    if name == "nonzero_weights":
        rounded = [min(max(weight, 256), 2**24 - 256) for weight in rounded]
    assert getattr(mixture, name)().tolist() == rounded
