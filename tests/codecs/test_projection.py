"""Methods that are solved: their codes are what they say, and the way back is a regression that says what it loses."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import pictures

import engram
from engram.codecs import isomap
from engram.codecs.analysis import evaluate
from engram.codecs.isomap import fit_isomap
from engram.codecs.lda import fit_lda
from engram.codecs.projection import PROJECTIONS, project
from engram.codecs.regression import ramps, regression, rows_of
from engram.errors import MissingLibrary, UsageError
from engram.images import ImageSet
from engram.models import Model


def labelled(count: int = 300, shape: tuple[int, int, int] = (8, 9, 1), classes: int = 4) -> ImageSet:
    """Pictures whose class is where a bright column stands."""
    images, labels = pictures(count, shape).images.copy(), np.arange(count) % classes
    images[np.arange(count), :, 2 * labels] = 255
    return ImageSet(images, labels, tuple("abcdefgh"[:classes]))


@settings(max_examples=30)
@given(count=st.integers(2, 40), inputs=st.integers(1, 6), outputs=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_regression_finds_a_linear_map_again_and_never_does_worse_than_the_mean(
    count: int, inputs: int, outputs: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, inputs)).astype(np.float32)
    y = random.normal(size=(count, outputs)).astype(np.float32)
    residual = evaluate((regression(x, y),), x) - y
    assert np.square(residual).sum() <= np.square(y - y.mean(axis=0)).sum() * (1 + 1e-4) + 1e-6
    exact = x @ random.normal(size=(inputs, outputs)).astype(np.float32) + 3
    if count > 2 * inputs + 5:
        assert np.allclose(evaluate((regression(x, exact, 1e-9),), x), exact, atol=1e-2)


def test_constant_inputs_predict_the_mean() -> None:
    y = np.arange(10, dtype=np.float32)[:, None]
    assert np.allclose(evaluate((regression(np.ones((10, 3), np.float32), y),), np.ones((1, 3), np.float32)), 4.5)


def test_ramps_are_rectified_and_lie_where_the_data_does() -> None:
    x = rows_of(pictures(200, (8, 8, 1)))
    layer = ramps(x, 50, np.random.default_rng(0))
    features = evaluate((layer,), x)
    assert features.min() == 0
    assert ((features > 0).mean(axis=0) > 0).all()
    assert np.median(features.max(axis=0)) == pytest.approx(1, abs=1.0)
    assert np.array_equal(layer.weight, ramps(x, 50, np.random.default_rng(0)).weight)


def test_discriminants_tell_classes_apart_better_than_principal_components() -> None:
    images = labelled()
    apart = {}
    for method in ("lda", "pca"):
        network = project(images, method, 3).network
        codes = evaluate(network.analysis[1:], rows_of(images))
        centres = np.stack([codes[images.labels == label].mean(axis=0) for label in range(4)])
        within = np.mean([codes[images.labels == label].std(axis=0) for label in range(4)], axis=0)
        apart[method] = (centres.std(axis=0) / within).min()
    assert apart["lda"] > 3 * apart["pca"]
    assert fit_lda(images).code_numbers == 3
    assert fit_lda(images, 2).code_numbers == 2


def test_isomap_explains_its_coordinates_and_pixels_come_back() -> None:
    images = labelled(600)
    network, explained = fit_isomap(images, 6)
    assert 0.8 < explained <= 1
    x = rows_of(images)
    back = evaluate(network.analysis + network.synthesis, x.reshape(-1, 1, 8, 9)).reshape(600, -1)
    assert np.square(back - x).mean() < 0.3 * np.square(x - x.mean(axis=0)).mean()
    again, _ = fit_isomap(images, 6)
    assert all(
        np.array_equal(a.weight, b.weight) for a, b in zip(network.analysis[1:], again.analysis[1:], strict=True)
    )
    other, _ = fit_isomap(images, 6, seed=1)
    assert not np.array_equal(network.analysis[2].weight, other.analysis[2].weight)


def test_the_share_that_is_explained_is_of_images_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a ramp for each image and nearly no penalty, what was learned would be explained whole."""
    monkeypatch.setattr(isomap, "RIDGE", 1e-12)
    random = ImageSet(np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), np.uint8))
    assert fit_isomap(random, 5)[1] < 0.9


@pytest.mark.parametrize("method", PROJECTIONS)
def test_a_projection_is_a_model_that_freezes(method: str) -> None:
    images = labelled()
    model = engram.fit(images, method, options={"units": 3})
    assert model.facts["options"] == {"units": 3}
    assert 0 < model.facts["losses"][0] < np.square(rows_of(images) - rows_of(images).mean(axis=0)).mean()
    assert ("explained" in model.facts) == (method == "isomap")
    assert frozen_over_floats(model, images, 6) == pytest.approx(1, abs=0.02 if method != "isomap" else 0.2)


def frozen_over_floats(model: Model, images: ImageSet, bits: int) -> float:
    """How many times the error of the floats the frozen network makes."""
    codec = engram.freeze(model, images, bits=bits)
    decoded = codec.decode(codec.encode(images.images), len(images))
    return float(np.square(decoded.astype(float) - images.images).mean() / 255**2 / model.facts["losses"][0])


def test_what_freezing_costs_isomap_falls_with_its_bits() -> None:
    """Its way back is steep, so coarse codes cost it much; 5.0, 1.58 and 1.16 on the mean, on any processor."""
    images = labelled()
    models = [engram.fit(images, "isomap", seed=seed, options={"units": 3}) for seed in range(3)]
    coarse, fine, finest = (
        np.mean([frozen_over_floats(model, images, bits) for model in models]) for bits in (2, 4, 8)
    )
    assert coarse - 1 > 3 * (fine - 1) > 6 * (finest - 1) > 0
    assert finest < 1.25


def test_a_regression_is_that_of_exact_sums() -> None:
    """More features than rows, and a ridge below what float32 sums lose: other sums must not give another map."""
    x = rows_of(labelled())
    features = evaluate((ramps(x, 700, np.random.default_rng(0)),), x)
    found, centred = (
        regression(features, x, 1e-5),
        features.astype(np.longdouble) - features.mean(axis=0, dtype=np.longdouble),
    )
    kernel = (centred @ centred.T).astype(np.float64)
    ridge = 1e-5 * np.trace(kernel) / features.shape[1]
    dual = np.linalg.solve(kernel + ridge * np.eye(len(x)), x - x.mean(axis=0, dtype=np.float64))
    expected = centred.T.astype(np.float64) @ dual
    assert np.abs(found.weight - expected).max() < 1e-4 * np.abs(expected).max()


def test_constant_images_are_images() -> None:
    flat = ImageSet(np.full((40, 4, 4, 1), 7, np.uint8), np.arange(40) % 2, ("a", "b"))
    for method in ("pca", "isomap"):
        assert project(flat, method, 2).facts["losses"][0] < 1e-6


def test_what_cannot_be_projected_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    images = labelled()
    with pytest.raises(UsageError, match="lda of 4 classes takes 1 to 3 units, not 4"):
        project(images, "lda", 4)
    with pytest.raises(UsageError, match="labels of at least 2 classes, and more images than these"):
        project(ImageSet(images.images), "lda")
    with pytest.raises(UsageError, match="labels of at least 2 classes"):
        project(images[[0, 4, 8]], "lda")
    with pytest.raises(UsageError, match="at least 20 images and 1 to 224 units of these, not 300 and 0"):
        project(images, "isomap", 0)
    with pytest.raises(UsageError, match="at least 20 images"):
        project(images[:19], "isomap", 2)
    with pytest.raises(UsageError, match="no projection 'tsne'; there are pca, lda, isomap"):
        project(images, "tsne")
    with pytest.raises(UsageError, match="lda is solved, not trained: its one option is units, not epochs, hidden"):
        engram.fit(images, "lda", epochs=3, options={"hidden": 3})
    for name in ("sklearn.discriminant_analysis", "sklearn.manifold"):
        monkeypatch.setitem(sys.modules, name, None)
    for method in ("lda", "isomap"):
        with pytest.raises(MissingLibrary, match=rf"{method} needs .*`pip install 'engram-images\[compare\]'`"):
            project(images, method, 2)
