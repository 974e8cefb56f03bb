"""Principal components that meet a goal."""

from __future__ import annotations

import numpy as np
import pytest

from engram.codecs.candidate import Candidate, hold_back
from engram.codecs.choice import cheapest
from engram.codecs.contract import Codec
from engram.codecs.goals import Goal, LargestError, Quality, Recognition, Size
from engram.codecs.principal import principal_components
from engram.datasets import wardrobe
from engram.images import ImageSet

REST, MEASURED = hold_back(wardrobe.draw(640, 0))


def candidates(goal: Goal, rest: ImageSet = REST, count: int = 10_000) -> list[Candidate]:
    def measured(codec: Codec) -> Candidate:
        return Candidate(codec, MEASURED.images, count, len(codec.model))

    return principal_components(goal, rest, measured, 60.0)


@pytest.mark.parametrize("wanted", [2.0, 9.0])
def test_a_size_is_met(wanted: float) -> None:
    best = cheapest(Size(wanted), candidates(Size(wanted)))
    assert best is not None
    assert best.bytes_per_image == pytest.approx(wanted, rel=0.03)


def test_a_quality_is_met_in_fewer_bytes_the_lower_it_is() -> None:
    found = [cheapest(Quality(wanted), candidates(Quality(wanted))) for wanted in (14.0, 16.0)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].bytes_in_all < found[1].bytes_in_all
    assert found[0].psnr_db == pytest.approx(14, abs=0.3)


def test_a_small_collection_gets_a_small_model() -> None:
    few, many = (cheapest(Size(6.0), candidates(Size(6.0), count=count)) for count in (100, 10**6))
    assert few is not None
    assert many is not None
    assert len(few.codec.model) < len(many.codec.model)
    assert few.psnr_db < many.psnr_db


def test_a_classifier_is_a_goal_too() -> None:
    """Here one that sees only how bright an image is."""

    def accuracy(recovered: np.ndarray) -> float:
        bright, expected = (pixels.mean(axis=(1, 2, 3)) > 60 for pixels in (recovered, MEASURED.images))
        return float((bright == expected).mean())

    best = cheapest(Recognition(0.9, accuracy), candidates(Recognition(0.9, accuracy)))
    assert best is not None
    assert accuracy(best.recovered) >= 0.9


def test_there_is_none_for_what_cannot_be() -> None:
    assert candidates(Quality(20), REST[:0]) == []
    assert cheapest(LargestError(0), candidates(Size(4.0))) is None
    large = ImageSet(np.zeros((3, 64, 64, 1), np.uint8))
    assert candidates(Size(4.0), large) == []
