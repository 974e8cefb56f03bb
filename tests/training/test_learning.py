"""Learning a collection from a sample of it."""

from __future__ import annotations

import numpy as np
import pytest

from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.training.learning import LEAST_STEPS, learn, options_for


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
