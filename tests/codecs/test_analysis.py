import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_networks import convolutional, pictures

from engram.codecs.analysis import activate, evaluate, floats_of, pixels_of
from engram.layers import Crop, MaxPooling, Pad, Reshape, shapes


def test_pixels_are_floats_and_back():
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    floats = floats_of(images)
    assert floats.shape == (4, 1, 8, 8)
    assert floats.dtype == np.float32
    assert floats.max() == 1
    assert np.array_equal(pixels_of(floats), images)
    assert pixels_of(np.array([[[[-3.0, 7.0]]]], np.float32)).ravel().tolist() == [0, 255]


def test_channels_come_first():
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[0, 1, 0, 2] = 255
    assert floats_of(images)[0, 2, 1, 0] == 1


@pytest.mark.parametrize("n", [0, 1, 3])
def test_every_layer_gives_the_shape_it_says(n):
    network = convolutional((9, 13, 3))
    x = floats_of(pictures(n, (9, 13, 3)).images)
    layers = network.analysis + network.synthesis
    for end, shape in enumerate(shapes(layers, network.input_shape)):
        assert evaluate(layers[:end], x).shape == (n, *shape)


def test_pooling_padding_cropping_reshaping():
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    assert evaluate([MaxPooling(2, 1)], x).tolist() == [[[[4, 5], [7, 8]]]]
    assert evaluate([MaxPooling(2, 2)], x).tolist() == [[[[4]]]]
    assert evaluate([Pad(3, 5)], x)[0, 0, 1].tolist() == [3, 4, 5, 5, 5]
    assert evaluate([Crop(1, 2)], x).tolist() == [[[[0, 1]]]]
    assert evaluate([Reshape((9, 1))], x).shape == (1, 9, 1)


@given(st.floats(-1024, 1024, width=32))
def test_activations(value):
    x = np.array([value], np.float32)
    assert activate(x.copy(), "none") == x
    assert activate(x.copy(), "relu") == max(value, 0)
    expected = 1 / (1 + np.exp(-np.clip(value, -700, 700)))
    assert activate(x.copy(), "sigmoid") == pytest.approx(expected, abs=1e-6)


def test_evaluating_changes_nothing_that_comes_in():
    network = convolutional((8, 8, 1))
    x = floats_of(pictures(2, (8, 8, 1)).images)
    before = x.copy()
    evaluate(network.analysis, x)
    assert np.array_equal(x, before)
