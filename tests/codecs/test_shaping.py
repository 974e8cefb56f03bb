import numpy as np
import pytest
from sample_networks import dense, pictures

from engram.codecs.analysis import evaluate, floats_of
from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca
from engram.codecs.shaping import REGULAR, shape_noise
from engram.layers import Dense, Network, Reshape


def linear(weight):
    units, pixels = weight.shape
    back = Dense(weight.astype(np.float32), np.zeros(pixels, np.float32), "none")
    there = Dense(np.linalg.pinv(weight).astype(np.float32), np.zeros(units, np.float32), "none")
    return Network("linear", (1, pixels, 1), (there,), (back, Reshape((1, 1, pixels))))


@pytest.mark.parametrize("units", [1, 2, 9])
def test_the_squared_error_is_the_sum_of_what_each_unit_leaves(units):
    random = np.random.default_rng(units)
    weight = random.normal(0, 1, (units, 12)) * random.uniform(0.1, 5, (units, 1))
    shaping = shape_noise(linear(weight), np.zeros((5, units), np.float32), np.ones(units))
    assert sorted(shaping.order) == list(range(units))
    assert np.array_equal(shaping.feedback, np.triu(shaping.feedback, 1))
    error = random.normal(0, 1, units)
    in_order = error[shaping.order]
    left = in_order + shaping.feedback @ in_order
    regular = REGULAR * (np.square(weight).sum(axis=1) * np.square(error)).sum()
    expected = np.square(error @ weight).sum() + regular
    assert np.square(left * shaping.effects[shaping.order]).sum() == pytest.approx(expected, rel=1e-3)


def test_units_are_ordered_by_worth():
    shaping = shape_noise(linear(np.diag([1.0, 5.0, 3.0])), np.zeros((5, 3), np.float32), np.array([1, 1, 9.0]))
    assert shaping.order.tolist() == [2, 1, 0]


def test_components_at_right_angles_need_no_feedback():
    network = fit_pca(pictures(100, (8, 8, 1)), 10)
    shaping = shape_noise(network, np.zeros((5, 10), np.float32), np.ones(10))
    assert np.abs(shaping.feedback).max() < 1e-3
    assert shaping.effects == pytest.approx(np.full(10, np.sqrt(1 + REGULAR)), rel=1e-3)


def test_units_without_any_effect_are_no_trouble():
    codes = np.zeros((5, 3), np.float32)
    some = shape_noise(linear(np.array([[0.0, 0, 0], [1, 2, 3], [0, 0, 0]])), codes, np.ones(3))
    none = shape_noise(linear(np.zeros((3, 4))), codes, np.ones(3))
    for shaping in (some, none):
        assert np.isfinite(shaping.feedback).all()
        assert (shaping.effects > 0).all()


def test_shaping_gains_a_decibel_where_units_overlap(monkeypatch):
    """A code of 24 overlapping units, at one bit each, with and without feedback."""
    shape = (8, 8, 1)
    small = dense(shape, 6)
    mix = np.random.default_rng(0).normal(0, 1, (6, 24)).astype(np.float32)
    there, back = small.analysis[1], small.synthesis[0]
    unmix = np.linalg.pinv(mix).astype(np.float32)
    wide = Network(
        "wide",
        shape,
        (small.analysis[0], Dense(there.weight @ mix, there.bias @ mix, "none")),
        (Dense(unmix @ back.weight, back.bias, "sigmoid"), small.synthesis[1]),
    )
    training = pictures(300, shape)

    def psnr_db():
        codec = freeze(wide, training, bits=1)
        data = codec.encode(training.images)
        assert 8 * len(data) / 300 / 24 == pytest.approx(1, abs=0.02)
        target = evaluate(wide.synthesis, evaluate(wide.analysis, floats_of(training.images)))
        error = codec.decode(data, 300).transpose(0, 3, 1, 2) / 255 - target
        return -10 * np.log10(np.square(error).mean())

    shaped = psnr_db()
    monkeypatch.setattr("engram.codecs.shaping.REGULAR", 1e6)
    assert shaped > psnr_db() + 1
