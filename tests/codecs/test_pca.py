import numpy as np
import pytest
from sample_networks import pictures

from engram.codecs.analysis import evaluate, floats_of, pixels_of
from engram.codecs.pca import fit_pca
from engram.errors import UsageError


def test_all_components_give_every_pixel_back():
    training = pictures(100, (4, 4, 3))
    network = fit_pca(training, 48)
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), dtype=np.uint8)
    x = floats_of(images)
    assert np.array_equal(pixels_of(evaluate(network.synthesis, evaluate(network.analysis, x))), images)


def test_components_are_those_of_the_singular_value_decomposition():
    training = pictures(60, (5, 4, 1))
    network = fit_pca(training, 6)
    x = floats_of(training.images).reshape(60, 20).astype(np.float64)
    _, _, expected = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    found = network.analysis[1].weight.T
    assert np.abs((found * expected[:6]).sum(axis=1)) == pytest.approx(np.ones(6), abs=1e-4)
    assert (found[np.arange(6), np.abs(found).argmax(axis=1)] > 0).all()
    variances = evaluate(network.analysis, floats_of(training.images)).var(axis=0)
    assert (np.diff(variances) <= 1e-6).all()


def test_its_matrix_is_counted_once():
    assert fit_pca(pictures(60, (5, 4, 1)), 6).parameters == 6 * 20 + 6 + 20


@pytest.mark.parametrize(("count", "units"), [(0, 1), (5, 0), (5, 21)])
def test_what_has_no_components_is_refused(count, units):
    with pytest.raises(UsageError, match=rf"pca takes 1 to 20 units and at least one image, not {units} and {count}"):
        fit_pca(pictures(count, (5, 4, 1)), units)
