"""Product quantisation: matrices of codewords, stored as such, and computed with as if they were not."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace

import numpy as np
import pytest
from sample_networks import convolutional, deep, dense, pictures

import engram
from engram.codecs.contract import CorruptModel
from engram.codecs.frozen import Frozen
from engram.codecs.product import quantise_products
from engram.codecs.synthesis import LARGEST_MODEL, parse
from engram.coding import numbers
from engram.coding.integer import IntegerLayer, Products
from engram.errors import MissingLibrary, UsageError

TRAINING = pictures(200, (16, 16, 1))


@pytest.fixture(scope="module")
def codec() -> Frozen:
    frozen = engram.freeze(dense((16, 16, 1), 24), TRAINING, bits=6)
    assert isinstance(frozen, Frozen)
    return frozen


def error(codec: Frozen) -> float:
    decoded = codec.decode(codec.encode(TRAINING.images), len(TRAINING))
    return float(np.square(decoded.astype(float) - TRAINING.images).mean())


def the_layer(codec: Frozen) -> IntegerLayer:
    (layer,) = (layer for layer in codec.synthesis.layers if isinstance(layer, IntegerLayer))
    return layer


def test_rows_are_made_of_codewords_and_come_back_so(codec: Frozen) -> None:
    smaller = quantise_products(codec, TRAINING, 16, 4)
    layer = the_layer(smaller)
    assert layer.products is not None
    assert layer.products.codebook.shape == (16, 4)
    assert layer.products.chosen.shape == (24, 64)
    assert len(np.unique(layer.linear.weight.reshape(-1, 4), axis=0)) <= 16
    again = Frozen.from_config(smaller.config(), smaller.model)
    assert (again.config(), again.model) == (smaller.config(), smaller.model)
    data = smaller.encode(TRAINING.images)
    assert np.array_equal(again.decode(data, 200), smaller.decode(data, 200))


def test_fewer_codewords_make_a_smaller_model_and_a_larger_error(codec: Frozen) -> None:
    made = [codec, *(quantise_products(codec, TRAINING, codewords, 4) for codewords in (64, 16, 4))]
    sizes, errors = [len(each.model) for each in made], [error(each) for each in made]
    assert sizes == sorted(set(sizes), reverse=True)
    assert errors == sorted(errors)


def test_as_many_codewords_as_distinct_pieces_change_no_pixel(codec: Frozen) -> None:
    layer = the_layer(codec)
    coarse = layer.linear.weight.copy()
    coarse[:] = np.tile(coarse[:, :2], (1, 128))  # 24 distinct pieces at most
    linear = replace(layer.linear, weight=coarse)
    repeated = replace(
        codec,
        synthesis=replace(
            codec.synthesis,
            layers=tuple(
                replace(layer, linear=linear) if isinstance(layer, IntegerLayer) else layer
                for layer in codec.synthesis.layers
            ),
        ),
    )
    smaller = quantise_products(repeated, TRAINING, 24, 2)
    assert np.array_equal(the_layer(smaller).linear.weight, coarse)
    data = repeated.encode(TRAINING.images)
    assert np.array_equal(smaller.decode(data, 200), repeated.decode(data, 200))


def test_the_biases_keep_the_mean(codec: Frozen) -> None:
    """Of each unit's sum, over the images learned from, to the half that rounding a bias leaves."""
    assert codec.encoder is not None
    synthesis = codec.synthesis
    x = codec.encoder.symbols([TRAINING.images]).T.astype(np.float64) * synthesis.multiplier + synthesis.base
    old, new = the_layer(codec).linear, the_layer(quantise_products(codec, TRAINING, 8, 8)).linear
    products = x.mean(axis=0) @ (np.asarray(new.weight, np.float64) - old.weight)
    assert np.abs(products).max() > 5
    assert np.abs(products + new.bias - old.bias).max() <= 0.5 + 1e-6


def test_a_seed_decides(codec: Frozen) -> None:
    first, again, other = (quantise_products(codec, TRAINING, 16, 4, seed).model for seed in (0, 0, 1))
    assert first == again != other


def test_of_a_deep_network_those_matrices_change_that_get_smaller() -> None:
    training = pictures(100, (8, 8, 1))
    codec = engram.freeze(deep((8, 8, 1), 5), training)
    assert isinstance(codec, Frozen)
    smaller = quantise_products(codec, training, 40, 4)
    made = [layer for layer in smaller.synthesis.layers if isinstance(layer, IntegerLayer)]
    assert [(len(layer.linear.bias), layer.products is not None) for layer in made] == [
        (18, False),  # no multiple of 4
        (16, True),
        (20, True),
        (64, True),
    ]
    convolutions = engram.freeze(convolutional((12, 12, 1)), pictures(100, (12, 12, 1)))
    assert isinstance(convolutions, Frozen)
    with pytest.raises(UsageError, match="no matrix of this codec is made smaller by 256 codewords of 8 numbers"):
        quantise_products(convolutions, pictures(100, (12, 12, 1)))


def test_what_cannot_be_is_refused(codec: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
    for codewords, length in ((0, 4), (1 << 17, 4), (16, 0)):
        with pytest.raises(UsageError, match=f"at least 1, not {codewords} of {length}"):
            quantise_products(codec, TRAINING, codewords, length)
    with pytest.raises(UsageError, match="no matrix of this codec is made smaller by 16 codewords of 7 numbers"):
        quantise_products(codec, TRAINING, 16, 7)
    with pytest.raises(UsageError, match="a codec that encodes"):
        quantise_products(Frozen.from_config(codec.config(), codec.model), TRAINING)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingLibrary, match=r"needs scikit-learn; `pip install 'engram-images\[compare\]'`"):
        quantise_products(codec, TRAINING, 16, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codewords": 0}, "^codewords must be a whole number from 1 to 65536, not 0$"),
        ({"length": 0}, "^length must be a whole number from 1 to 256, not 0$"),
        ({"length": 257}, "^length must be a whole number from 1 to 256, not 257$"),
        ({"length": 3}, "^codewords of 3 numbers do not fill rows of 256$"),
        ({"kind": "dense"}, "^expected the keys high, kind, low, outputs, shift, table, found codewords,"),
        ({"outputs": 1 << 20, "length": 1 << 20}, rf"after \d+ numbers of {LARGEST_MODEL}$"),
    ],
)
def test_a_config_that_breaks_a_rule_is_refused(codec: Frozen, changes: dict, message: str) -> None:
    smaller = quantise_products(codec, TRAINING, 16, 4)
    config = copy.deepcopy(smaller.config())
    (settings,) = (layer for layer in config["layers"] if "outputs" in layer)
    settings |= changes
    if changes.get("outputs"):
        config["code_shape"] = [1 << 10]
    with pytest.raises(CorruptModel, match=message):
        parse(config, smaller.model)


@pytest.mark.parametrize(("chosen", "said"), [(-1, "-1 to"), (16, "0 to 16")])
def test_a_codeword_that_is_not_there_is_refused(codec: Frozen, chosen: int, said: str) -> None:
    smaller = quantise_products(codec, TRAINING, 16, 4)
    layer = the_layer(smaller)
    assert layer.products is not None
    wrong = layer.products.chosen.copy()
    wrong[0, 0] = chosen
    config, model = smaller.synthesis.emit()
    count = sum(len(levels) for levels in smaller.synthesis.levels) + 3 * 24 + 16 * 4 + wrong.size + 256
    assert layer.table is not None
    sequence = numbers.unpack(model, count + layer.table.size)
    place = 3 * 24 + sum(len(levels) for levels in smaller.synthesis.levels) + 16 * 4
    sequence[place] = chosen - 8
    assert isinstance(layer.products, Products)
    with pytest.raises(CorruptModel, match=f"^codewords are 0 to 15, not {said}"):
        parse(config, numbers.pack(sequence))
