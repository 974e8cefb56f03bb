"""Pixels to tensors and back."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engram.networks.registry import make
from engram.networks.running import classify, recover, to_pixels, to_tensor


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5)), st.sampled_from([1, 3]))
def test_to_pixels_undoes_to_tensor(plane: np.ndarray, channels: int) -> None:
    pixels = np.repeat(plane[..., None], channels, axis=3)
    tensor = to_tensor(pixels)
    assert tensor.shape == (pixels.shape[0], channels, *pixels.shape[1:3])
    assert np.array_equal(to_pixels(tensor), pixels)


def test_out_of_range_values_are_clipped_and_halves_rounded() -> None:
    assert to_pixels(torch.tensor([-1.0, 0.6 / 255, 254.4 / 255, 7.0]).reshape(1, 1, 2, 2)).ravel().tolist() == [
        0,
        1,
        254,
        255,
    ]


def test_running_in_batches_gives_each_image_its_own_answer() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1003, 8, 8, 1), np.uint8)
    network, classifier = make("ann", (8, 8, 1)), make("classifier", (8, 8, 1))
    recovered, classes = recover(network, images), classify(classifier, images)
    assert recovered.shape == images.shape
    assert len(set(classes.tolist())) > 1
    for index in (0, 500, 999, 1000, 1002):
        alone = images[index : index + 1]
        difference = recover(network, alone)[0].astype(int) - recovered[index]
        assert np.abs(difference).max() <= 1, "float sums of another batch may round otherwise"
        assert classify(classifier, alone)[0] == classes[index]
    assert recover(network, images[:0]).shape == (0, 8, 8, 1)
    assert classify(classifier, images[:0]).shape == (0,)
