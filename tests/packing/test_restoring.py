"""A pixel code that `engram pack` learns is coarser where a restoration makes up for it, and pays for itself."""

from __future__ import annotations

import pytest

from engram.codecs.dial import largest_error_for
from engram.codecs.goals import Goal, LargestError, Quality, Size
from engram.datasets import wardrobe
from engram.packing.learners import Sample, pixels
from engram.training.budget import Budget

SAMPLE, MEASURED = wardrobe.draw(600, 0), wardrobe.draw(64, 1)


def learned(goal: Goal, images: int, steps: int = 60) -> list[tuple[str, int]]:
    """The ids and the largest errors of the codecs that are learned, each measured."""
    candidates = pixels(goal, Sample(SAMPLE, MEASURED, images), Budget(steps=steps), None)
    assert all(goal.is_met(candidate) for candidate in candidates[-1:] if not isinstance(goal, Size))
    return [(candidate.codec.id, candidate.codec.max_error or 0) for candidate in candidates]


def test_a_quality_is_met_by_a_coarser_code_and_its_restoration() -> None:
    goal = Quality(34)
    [(codec, largest)] = learned(goal, 3_000)
    assert codec == "restored"
    assert largest > 2 * largest_error_for(goal, MEASURED.images)


def test_for_few_images_no_restoration_pays() -> None:
    assert [codec for codec, _ in learned(Quality(34), 10)] == ["pixel"]


def test_a_size_is_taken_with_and_without_a_restoration() -> None:
    assert [codec for codec, _ in learned(Size(120), 3_000)] == ["pixel", "pixel", "restored"]


@pytest.mark.parametrize("goal", [LargestError(8), Quality(60)])
def test_what_must_be_near_is_not_restored(goal: Goal) -> None:
    assert [codec for codec, _ in learned(goal, 3_000)] == ["pixel"]
