"""Learning a collection from a sample of it."""

from __future__ import annotations

import numpy as np
import pytest

from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.training.learning import (
    LEAST_STEPS,
    SPATIAL_SIZES,
    learn,
    learn_spatial,
    options_for,
    spatial_options_for,
)


def test_a_larger_collection_pays_for_a_larger_network() -> None:
    hidden = [options_for((28, 28, 1), values)["hidden"] for values in (1, 10**6, 10**7, 10**9)]
    assert [sum(widths) for widths in hidden] == sorted(sum(widths) for widths in hidden)
    assert hidden[0] == (8,)
    assert hidden[-1] == (96, 96, 96)


@pytest.mark.parametrize("max_error", [0, 4])
def test_what_was_learned_keeps_its_promise_and_saves_bytes(max_error: int) -> None:
    sample, others, steps = wardrobe.draw(80, 0), wardrobe.draw(64, 1).images, []
    codec = learn(sample, max_error=max_error, budget_seconds=0.01, progress=lambda done, total: steps.append(done))
    coded = codec.encode(others)
    assert np.abs(codec.decode(coded, len(others)).astype(int) - others).max() <= max_error
    assert len(coded) < 0.85 * 400 * len(others)
    assert steps == sorted(steps)
    assert steps[-1] == LEAST_STEPS


def test_nothing_can_be_learned_of_no_image() -> None:
    with pytest.raises(UsageError, match="no image to learn from"):
        learn(wardrobe.draw(0, 0))


def test_a_spatial_network_is_learned_where_its_model_pays() -> None:
    sizes = [spatial_options_for((28, 28, 1), values) for values in (10**5, 10**7, 2 * 10**7, 10**8)]
    assert sizes[0] is None
    widths = [0 if options is None else sum(options.values()) for options in sizes]
    assert widths == sorted(widths)
    assert widths[-1] == sum(SPATIAL_SIZES[-1].values())
    assert learn_spatial(wardrobe.draw(5, 0)) is None


def test_a_learned_spatial_code_serves_its_rates() -> None:
    sample, others = wardrobe.draw(60, 0), wardrobe.draw(20, 1).images
    codec = learn_spatial(sample, images=15_000, budget_seconds=0.01)
    assert codec is not None
    coarse, fine = (codec.at(step) for step in (256, 32))
    assert len(coarse.encode(others)) < len(fine.encode(others))
    errors = [np.square(c.decode(c.encode(others), 20).astype(int) - others).mean() for c in (coarse, fine)]
    assert errors[1] < errors[0] < 3000
