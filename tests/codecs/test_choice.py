"""Which codec is best for a goal, its model counted, and at which setting of its dial."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import pictures

from engram.codecs.candidate import MEASURED as MOST
from engram.codecs.candidate import Candidate, decibels, divide, hold_back
from engram.codecs.choice import cheapest, turn
from engram.codecs.goals import Goal, LargestError, Quality, Size
from engram.codecs.raw import Raw
from engram.datasets import wardrobe
from engram.images import ImageSet

MEASURED = wardrobe.draw(24, 0).images


class Coarse(Raw):
    """The low bits of each value cleared, before deflate: a codec with a dial, though with no such thing in it."""

    lossless = False
    max_error = None

    def __init__(self, shape: tuple[int, ...], step: float) -> None:
        super().__init__(shape)
        object.__setattr__(self, "step", step)

    def encode(self, block: np.ndarray) -> bytes:
        return super().encode(np.minimum(np.rint(np.rint(block / self.step) * self.step), 255).astype(np.uint8))


def coarse(step: float) -> Candidate:
    return Candidate(Coarse(MEASURED.shape[1:], step), MEASURED, 1000, 0)


@given(st.integers(1, 60), st.integers(0, 3))
def test_what_is_held_back_is_not_learned_from(count: int, seed: int) -> None:
    images = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    rest, measured = hold_back(ImageSet(images), seed)
    assert len(rest)
    assert len(measured)
    if count >= 10:
        assert sorted([*rest.images.ravel(), *measured.images.ravel()]) == list(range(count))
    else:
        assert len(rest) == len(measured) == count


def test_no_more_is_held_back_than_it_takes_to_measure() -> None:
    images = ImageSet(np.zeros((10_000, 1, 1, 1), np.uint8))
    assert len(hold_back(images)[1]) == MOST
    assert len(hold_back(images, most=700)[1]) == 700


def test_a_collection_that_is_known_whole_is_learned_whole() -> None:
    images = ImageSet(np.arange(60, dtype=np.uint8).reshape(-1, 1, 1, 1))
    rest, measured = divide(images, 60)
    assert len(rest) == len(measured) == 60
    rest, measured = divide(images, 61)
    assert (len(rest), len(measured)) == (54, 6)
    assert len(divide(ImageSet(np.zeros((2000, 1, 1, 1), np.uint8)), 2000)[1]) == MOST


@pytest.mark.parametrize(("images", "brings", "wins"), [(10, 5_000, "first"), (100_000, 5_000, "second")])
def test_a_model_must_pay_for_itself(images: int, brings: int, wins: str) -> None:
    class Halved(Raw):
        """As if a model of some size halved the bytes."""

        def encode(self, block: np.ndarray) -> bytes:
            coded = super().encode(block)
            return coded[: len(coded) // 2]

    shape = MEASURED.shape[1:]
    first = Candidate(Raw(shape), MEASURED, images, 0)
    second = Candidate(Halved(shape), MEASURED, images, brings)
    best = cheapest(LargestError(0), [first, second])
    assert best is (first if wins == "first" else second)
    assert best.bytes_in_all == pytest.approx(best.bytes_per_image * images + (0 if wins == "first" else brings))


def test_only_what_meets_the_goal_is_taken() -> None:
    fine, rough = coarse(2), coarse(60)
    assert rough.bytes_in_all < fine.bytes_in_all
    assert cheapest(Quality(30), [rough, fine]) is fine
    assert cheapest(Quality(10), [fine, rough]) is rough
    assert cheapest(Quality(99), [fine, rough]) is None
    assert cheapest(LargestError(20), [fine, rough]) is None  # neither promises anything
    assert cheapest(Size(rough.bytes_per_image), [fine, rough]) is rough
    assert cheapest(Size(10_000), [rough, fine]) is fine


def test_at_an_equal_size_a_model_has_to_be_worth_its_bytes() -> None:
    free, dear = coarse(30), Candidate(Coarse(MEASURED.shape[1:], 25), MEASURED, 1000, 10**6)
    assert dear.psnr_db > free.psnr_db
    assert cheapest(Size(10_000), [dear, free]) is free


@settings(max_examples=25, deadline=None)
@given(
    goal=st.one_of(
        st.floats(16, 50).map(Quality), st.floats(30, 350).map(Size), st.just(Quality(200)), st.just(Size(1.0))
    )
)
def test_a_dial_is_turned_until_the_goal_is_just_met(goal: Goal) -> None:
    steps: list[float] = []

    def at(step: float) -> Candidate:
        steps.append(step)
        return coarse(step)

    found = turn(goal, at, 120, 2)
    if isinstance(goal, Size):
        assert goal.is_met(found) or found.bytes_per_image == coarse(120).bytes_per_image
    else:
        assert goal.is_met(found) or found.psnr_db == coarse(2).psnr_db
    if goal.is_met(found) and not goal.is_close(found) and goal.is_met(coarse(120)) != goal.is_met(coarse(2)):
        missed = [candidate for step in steps if not goal.is_met(candidate := coarse(step))]
        nearest = min(abs(np.log(candidate.codec.step / found.codec.step)) for candidate in missed)
        assert nearest < 0.01


def test_one_image_is_enough() -> None:
    measured = pictures(1, (8, 8, 1)).images
    candidate = Candidate(Raw((8, 8, 1)), measured, 1, 0)
    assert cheapest(LargestError(0), [candidate]) is candidate
    assert candidate.psnr_db == float("inf")


def test_decibels_are_those_of_the_mean_squared_error() -> None:
    images = np.zeros((2, 2, 2, 1), np.uint8)
    assert decibels(images, images) == decibels(images[:0], images[:0]) == float("inf")
    assert decibels(images, images + 255) == 0
    assert decibels(images, images + 51) == pytest.approx(20 * np.log10(5))
