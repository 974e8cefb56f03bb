import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.coding import linear
from engram.layers import Convolution, Dense, TransposedConvolution


def whole(random, *shape):
    return random.integers(-9, 10, shape).astype(np.float32)


geometries = st.tuples(
    st.integers(0, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)
)


@given(geometries, st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_a_convolution_is_its_definition(geometry, padding, seed):
    n, inputs, outputs, height, width, stride = geometry
    random = np.random.default_rng(seed)
    layer = Convolution(whole(random, outputs, inputs, height, width), whole(random, outputs), stride, padding, "none")
    x = whole(random, n, inputs, height + 3, width + 2)
    expected = np.zeros((n, *layer.shape_after(x.shape[1:])), np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    for i in range(expected.shape[2]):
        for j in range(expected.shape[3]):
            patch = padded[:, :, i * stride : i * stride + height, j * stride : j * stride + width]
            expected[:, :, i, j] = np.einsum("nihw,oihw->no", patch, layer.weight) + layer.bias
    assert np.array_equal(linear.apply(layer, x), expected)


@given(geometries, st.integers(0, 1), st.integers(0, 2**32 - 1))
def test_a_transposed_convolution_is_its_definition(geometry, padding, seed):
    n, inputs, outputs, height, width, stride = geometry
    random = np.random.default_rng(seed)
    layer = TransposedConvolution(
        whole(random, inputs, outputs, height, width), whole(random, outputs), stride, padding, "none"
    )
    x = whole(random, n, inputs, 4, 3)
    _, rows, columns = layer.shape_after(x.shape[1:])
    if rows < 1 or columns < 1:
        return
    canvas = np.zeros((n, outputs, rows + 2 * padding, columns + 2 * padding), np.float32)
    for i in range(4):
        for j in range(3):
            given_ = np.einsum("ni,iohw->nohw", x[:, :, i, j], layer.weight)
            canvas[:, :, i * stride : i * stride + height, j * stride : j * stride + width] += given_
    expected = canvas[:, :, padding : padding + rows, padding : padding + columns] + layer.bias[:, None, None]
    assert np.array_equal(linear.apply(layer, x), expected)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_dense_layer_flattens(n):
    random = np.random.default_rng(n)
    layer = Dense(whole(random, 12, 5), whole(random, 5), "none")
    x = whole(random, n, 3, 2, 2)
    assert np.array_equal(linear.apply(layer, x), x.reshape(n, 12) @ layer.weight + layer.bias)
