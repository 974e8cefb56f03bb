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


def test_running_in_batches_gives_one_answer_for_each_image() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1003, 8, 8, 1), np.uint8)
    assert recover(make("cnn", (8, 8, 1)), images).shape == images.shape
    assert recover(make("cnn", (8, 8, 1)), images[:0]).shape == (0, 8, 8, 1)
    assert classify(make("classifier", (8, 8, 1)), images).shape == (1003,)
    assert classify(make("classifier", (8, 8, 1)), images[:0]).shape == (0,)
