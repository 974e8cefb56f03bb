"""Every must-not of a frozen model's config and numbers, each with its message."""

import copy

import numpy as np
import pytest

from engram.codecs.contract import CorruptModel
from engram.codecs.synthesis import LARGEST_MODEL, Synthesis, parse
from engram.coding import numbers
from engram.coding.integer import InexactNetwork, IntegerLayer, MisfitNetwork, with_numbers
from engram.coding.numbers import CorruptNumbers
from engram.layers import Crop, Dense, Reshape, TransposedConvolution

NONE = np.zeros(0, np.float32)
LEVELS = (np.array([9, 255, 80], np.uint8), np.array([7], np.uint8), np.array([255, 127], np.uint8))


def made() -> Synthesis:
    hidden = with_numbers(Dense(NONE, NONE, "none"), np.arange(12).reshape(3, 4) - 5, np.array([1, -2, 3, 70000]))
    last = with_numbers(
        TransposedConvolution(NONE, NONE, 2, 1, "none"), np.arange(9).reshape(1, 1, 3, 3), np.array([2])
    )
    layers = (
        IntegerLayer(hidden, 2, -50, 60),
        Reshape((1, 2, 2)),
        IntegerLayer(last, 5, -1, 1, np.array([0, 100, 255])),
        Crop(3, 2),
    )
    return Synthesis((3, 2, 1), (3,), np.array([-3, 4, 0]), np.array([2, 0, 9]), LEVELS, layers)


CONFIG, MODEL = made().emit()
COUNT = 3 * 3 + 6 + 12 + 4 + 9 + 1 + 3


def changed(path, value):
    config = copy.deepcopy(CONFIG)
    *way, last = path
    place = config
    for key in way:
        place = place[key]
    place[last] = value
    return config


def with_number(index, value):
    sequence = numbers.unpack(MODEL, COUNT)
    sequence[index] = value
    return numbers.pack(sequence)


def test_it_comes_back():
    again = parse(CONFIG, MODEL)
    assert again.emit() == (CONFIG, MODEL)
    symbols = np.array([[0, 1, 2, 2], [0, 0, 0, 0], [1, 0, 1, 0]], np.int32)
    assert np.array_equal(again.pixels(symbols), made().pixels(symbols))
    assert len(np.unique(again.pixels(symbols))) == 3


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ["more"],
            1,
            r"^expected the keys code_shape, image_shape, layers, symbols, found code_shape, image_shape, layers,",
        ),
        (["image_shape"], [3, 2], r"^the codec's image_shape must be \[height, width, 1 or 3\], not \[3, 2\]$"),
        (["image_shape", 2], 3, r"^the last layer gives \[1, 3, 2\] numbers from 0 to 255, not pixels of \[3, 3, 2\]"),
        (["code_shape"], [], r"^code_shape must be a list of one to three sides, not \[\]$"),
        (["code_shape"], [True], r"^code_shape must be a whole number from 1 to 1048576, not True$"),
        (["symbols"], 0, rf"^symbols must be a whole number from 1 to {LARGEST_MODEL}, not 0$"),
        (["symbols"], 1 << 60, "^symbols must be a whole number"),
        (["symbols"], 5, "must hold 43 numbers exactly, and end there"),
        (["layers"], {}, "^a frozen network's layers are a list$"),
        (["layers", 0], None, "^no layer of a frozen network is called None$"),
        (["layers", 0, "kind"], "max pooling", "^no layer of a frozen network is called 'max pooling'$"),
        (["layers", 0, "bias"], 1, "^expected the keys high, kind, low, outputs, shift, table, found bias, high,"),
        (["layers", 0, "outputs"], 1 << 21, "^outputs must be a whole number from 1 to 1048576, not 2097152$"),
        (["layers", 0, "shift"], 24, "^shift must be a whole number from 0 to 23, not 24$"),
        (["layers", 0, "low"], -32768, "^low must be a whole number from -32767 to 32767, not -32768$"),
        (["layers", 0, "high"], -51, "^high must be a whole number from -50 to 32767, not -51$"),
        (["layers", 0, "table"], 1, "^a layer's table is there or not, true or false, not 1$"),
        (["layers", 1, "shape"], [4], r"^a transposed convolution takes numbers of three sides, not \[4\]$"),
        (["layers", 1, "shape"], [1, 2, 3], r"^\[4\] numbers cannot take the shape \[1, 2, 3\]$"),
        (["layers", 2, "kernel"], [3], r"^a kernel has a height and a width of at most 64, not \[3\]$"),
        (["layers", 2, "kernel"], [3, 65], "^a kernel has a height and a width of at most 64"),
        (["layers", 2, "stride"], 0, "^stride must be a whole number from 1 to 64, not 0$"),
        (["layers", 2, "padding"], 65, "^padding must be a whole number from 0 to 64, not 65$"),
        (["layers", 2, "padding"], 40, r"^a transposed convolution leaves \[1, -75, -75\], after 44 numbers"),
        (["layers", 3, "height"], 4, r"^\[1, 3, 3\] numbers cannot be cropped to 4 x 2$"),
    ],
)
def test_a_config_that_breaks_a_rule_is_refused(path, value, message):
    with pytest.raises((CorruptModel, MisfitNetwork, CorruptNumbers), match=message):
        parse(changed(path, value), MODEL)


def test_a_config_of_too_many_numbers_is_refused_before_the_model_is_read():
    config = changed(["layers", 0, "outputs"], 65535)
    config["code_shape"] = [60000]
    with pytest.raises(CorruptModel, match=rf"^a dense leaves \[65535\], after \d+ numbers of {LARGEST_MODEL}$"):
        parse(config, b"")
    with pytest.raises(CorruptModel, match=rf"^a model holds at most {LARGEST_MODEL} numbers, not \d+$"):
        parse({**CONFIG, "code_shape": [65535, 65535], "layers": []}, b"")


@pytest.mark.parametrize(
    ("index", "value", "error", "message"),
    [
        (3, -1, CorruptModel, "^multipliers lie in 0 to 65535, not -1 to 9$"),
        (5, 65536, CorruptModel, "^multipliers lie in 0 to 65535, not 0 to 65536$"),
        (6, 4, CorruptModel, "^the units' alphabets, 1 to 4, must sum to 6 symbols$"),
        (7, 0, CorruptModel, "^the units' alphabets, 0 to 3, must sum to 6 symbols$"),
        (9, 256, CorruptModel, "^probability levels lie in 0 to 255, not 7 to 256$"),
        (10, -1, CorruptModel, "^probability levels lie in 0 to 255, not -1 to 255$"),
        (0, 1 << 24, InexactNetwork, "^codes may reach 16777220, beyond 16777215$"),
        (41, 300, MisfitNetwork, "numbers from 300 to 555, not pixels"),
        (-1, 156, MisfitNetwork, "numbers from 0 to 256, not pixels"),
    ],
)
def test_a_number_that_breaks_a_rule_is_refused(index, value, error, message):
    with pytest.raises(error, match=message) as caught:
        parse(CONFIG, with_number(index, value))
    assert caught.value.exit_code == 3
