"""The restored codec: what it promises beside the laws, and what it refuses."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import pictures, pixel, restoration

from engram.codecs.contract import CorruptModel
from engram.codecs.dial import rounded
from engram.codecs.freeze import freeze
from engram.codecs.pixel.codec import Pixel
from engram.codecs.restored import network as restored_network
from engram.codecs.restored.codec import Restored
from engram.codecs.restored.freezing import with_restoration
from engram.codecs.restored.network import Restoration
from engram.codecs.rounding import CannotFreeze
from engram.coding.integer import InexactNetwork, IntegerLayer, MisfitNetwork
from engram.errors import CorruptData, UsageError
from engram.images import ImageSet
from engram.layers import Convolution, Network

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return pictures(40, SHAPE)


@pytest.fixture(scope="module")
def code(images: ImageSet) -> Pixel:
    found = freeze(pixel(SHAPE, max_error=9), images)
    assert isinstance(found, Pixel)
    return found


@pytest.fixture(scope="module")
def codec(code: Pixel, images: ImageSet) -> Restored:
    return with_restoration(code, restoration(1, max_error=9), images)


def convolution(weight: Any, bias: Any, shift: int = 0, low: int = 0, high: int = 255) -> IntegerLayer:
    return IntegerLayer(Convolution(np.array(weight), np.array(bias), 1, 1, "none"), shift, low, high)


def identity(value: int = 1, **ends: int) -> IntegerLayer:
    weight = np.zeros((1, 1, 3, 3), np.int64)
    weight[0, 0, 1, 1] = value
    return convolution(weight, [0], **ends)


def test_blocks_are_the_pixel_codes(codec: Restored, code: Pixel, images: ImageSet) -> None:
    block = codec.encode(images.images)
    assert block == code.encode(images.images)
    changed = codec.decode(block, 40).astype(int) - code.decode(block, 40)
    assert 0 < np.abs(changed).max() <= 9


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), count=st.integers(0, 3))
def test_no_value_is_off_by_more_than_twice_the_pixel_codes_error(codec: Restored, seed: int, count: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), np.uint8)
    errors = codec.decode(codec.encode(noise), count).astype(int) - noise
    assert codec.max_error == 18
    assert not codec.lossless
    assert np.abs(errors).max(initial=0) <= 18


def test_the_network_is_what_its_sums_say() -> None:
    """A plain loop over places, with zeros around the image."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(-3, 4, (4, 3, 3, 3)), rng.integers(-3, 4, (3, 4, 3, 3))
    biases = rng.integers(-99, 99, 4), rng.integers(-99, 99, 3)
    found = Restoration(3, (convolution(first, biases[0], 4, 0, 99), convolution(second, biases[1], 5, -7, 7)))
    image = rng.integers(0, 256, (1, 5, 4, 3), np.uint8)
    x = image[0].astype(int)
    for weight, bias, shift, low, high in ((first, biases[0], 4, 0, 99), (second, biases[1], 5, -7, 7)):
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        sums = np.array(
            [
                [[(padded[y : y + 3, c : c + 3].transpose(2, 0, 1) * w).sum() for w in weight] for c in range(4)]
                for y in range(5)
            ]
        )
        x = ((sums + bias + (1 << shift >> 1)) >> shift).clip(low, high)
    assert np.array_equal(found.restored(image)[0], (image[0] + x).clip(0, 255))


def test_images_are_restored_the_same_in_strips_and_alone(codec: Restored, monkeypatch: pytest.MonkeyPatch) -> None:
    coded = rounded(pictures(7, (23, 5, 1), seed=3).images, 9)
    whole = codec.restoration.restored(coded)
    for together in (1, 17, 150):
        monkeypatch.setattr(restored_network, "_TOGETHER", together)
        assert np.array_equal(codec.restoration.restored(coded), whole)
    assert codec.restoration.restored(coded[:0]).shape == (0, 23, 5, 1)
    assert codec.restoration.restored(coded[:1, :1, :1]).shape == (1, 1, 1, 1)


def test_whole_numbers_cost_next_to_nothing(code: Pixel, images: ImageSet) -> None:
    """A network that averages over neighbours, against the same in floats."""
    network = restoration(1, max_error=9).network
    found = with_restoration(code, network, images, loss_db=0.01)
    from engram.codecs.analysis import evaluate, floats_of

    coded = rounded(images.images, 9)
    change = np.rint(255 * evaluate(network.synthesis, floats_of(coded))).clip(-9, 9).transpose(0, 2, 3, 1)
    wanted = np.square((coded + change).clip(0, 255) - images.images).mean()
    made = np.square(found.restoration.restored(coded).astype(float) - images.images).mean()
    assert 10 * np.log10(made / wanted) <= 0.0101
    fine = with_restoration(code, network, images, loss_db=1e-4)
    coarse = with_restoration(code, network, images, loss_db=1.0)
    assert len(coarse.model) < len(fine.model)


def test_parts_that_do_not_fit_are_refused(code: Pixel, images: ImageSet) -> None:
    with pytest.raises(UsageError, match=r"^this restoration was trained for another largest error than .* 9; train"):
        with_restoration(code, restoration(1, max_error=5), images)
    with pytest.raises(UsageError, match=r"^a lossless pixel code leaves nothing to restore$"):
        with_restoration(freeze(pixel(SHAPE), images), restoration(1), images)  # type: ignore[arg-type]
    for network, sample in ((restoration(3, max_error=9), images), (restoration(1, max_error=9), images[:0])):
        with pytest.raises(UsageError, match=r"do not fit together$"):
            with_restoration(code, network, sample)
    plain = restoration(1, max_error=9).network
    for other in (replace(plain, method="cnn"), Network("restoration", SHAPE, (), plain.synthesis[:1])):
        with pytest.raises(CannotFreeze, match=r"has no layers of the form that a restoration takes$"):
            with_restoration(code, other, images)


def test_a_restoration_alone_is_no_codec(images: ImageSet) -> None:
    with pytest.raises(CannotFreeze, match=r"^a restoration is no codec by itself; with_restoration puts it after"):
        freeze(restoration(1), images)


def test_a_restoration_goes_with_its_pixel_code_alone(code: Pixel, codec: Restored, images: ImageSet) -> None:
    other = freeze(pixel(SHAPE, max_error=8), images)
    assert isinstance(other, Pixel)
    with pytest.raises(MisfitNetwork, match=r"^the restoration is not one of 1 channels and changes up to 8$"):
        Restored(other, codec.restoration)
    with pytest.raises(MisfitNetwork, match=r"^a lossless pixel code leaves nothing to restore$"):
        Restored(replace(code, step=1), codec.restoration)


def test_sums_that_may_be_inexact_are_refused() -> None:
    assert Restoration(1, (identity(65793, high=255), identity(low=-5, high=5))).largest_change == 5
    with pytest.raises(InexactNetwork, match=r"^the sums of one tap may reach 16777470, beyond 16777215$"):
        Restoration(1, (identity(65794), identity(low=-5, high=5)))
    with pytest.raises(MisfitNetwork, match=r"^a convolution of \[1, 1, 3, 3\] cannot take 3$"):
        Restoration(3, (identity(), identity()))
    with pytest.raises(MisfitNetwork, match=r"^a restoration of 1 channels cannot give 2$"):
        Restoration(1, (identity(), convolution(np.zeros((2, 1, 3, 3), int), [0, 0], low=-5, high=5)))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["hidden"], [], "hidden is a list of 1 to 7 layers"),
        (["hidden"], 3, "hidden is a list of 1 to 7 layers"),
        (["hidden", 0], None, "a layer has high, outputs, shift, not None"),
        (["hidden", 0, "outputs"], 257, "outputs must be a whole number from 1 to 256, not 257"),
        (["hidden", 1, "high"], -1, "high must be a whole number from 0 to 32767, not -1"),
        (["change", "shift"], 24, "shift must be a whole number from 0 to 23, not 24"),
        (["change", "low"], 0, "expected the keys shift, found low, shift"),
        (["change"], [], "a layer has shift, not"),
        (["pixel"], "pixel", "pixel is the config of a pixel code, not 'pixel'"),
        (["pixel", "step"], 1, "a lossless pixel code leaves nothing to restore"),
        (["image_shape"], [8, 9, 1], r"the pixel code's images are \[8, 8, 1\], not \[8, 9, 1\]"),
        (["more"], 1, "expected the keys"),
    ],
)
def test_a_strange_config_is_refused(codec: Restored, path: list[Any], value: Any, message: str) -> None:
    config = deepcopy(codec.config())
    place: Any = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(CorruptData, match=message):
        Restored.from_config(config, codec.model)


def test_a_model_cut_or_extended_is_refused(codec: Restored) -> None:
    model = codec.model
    for size in (0, 3, 4, 9, len(codec.pixel.model) + 3):
        with pytest.raises(CorruptModel, match=rf"^a model of {size} bytes cannot hold"):
            Restored.from_config(codec.config(), model[:size] if size > 3 else b"\1\0\0"[:size] and b"\1\0\0"[:size])
    for broken in (model[:-1], model + b"\0", b"\xff\xff\xff\xff" + model[4:]):
        with pytest.raises(CorruptData):
            Restored.from_config(codec.config(), broken)
