"""Learning a collection from a sample of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.networks.registry import make
from engram.training import learning
from engram.training.budget import Budget
from engram.training.device import rounding
from engram.training.learning import (
    SPATIAL_SIZES,
    learn,
    learn_spatial,
    sizes_for,
    spatial_options_for,
)


def test_a_larger_collection_pays_for_a_larger_network() -> None:
    hidden = [sizes_for((28, 28, 1), values)[-1]["hidden"] for values in (1, 10**6, 10**7, 10**9)]
    assert [sum(widths) for widths in hidden] == sorted(sum(widths) for widths in hidden)
    assert hidden[0] == (8,)
    assert hidden[-1] == (96, 96, 96)


@pytest.mark.parametrize("max_error", [0, 4])
def test_what_was_learned_keeps_its_promise_and_saves_bytes(max_error: int) -> None:
    sample, others, steps = wardrobe.draw(80, 0), wardrobe.draw(64, 1).images, []
    codec = learn(sample, Budget(steps=150), max_error=max_error, progress=lambda done, total: steps.append(done))
    coded = codec.encode(others)
    assert np.abs(codec.decode(coded, len(others)).astype(int) - others).max() <= max_error
    assert len(coded) < 0.85 * 400 * len(others)
    assert steps == list(range(1, 151))


def test_nothing_can_be_learned_of_no_image() -> None:
    with pytest.raises(UsageError, match="no image to learn from"):
        learn(wardrobe.draw(0, 0), Budget(steps=1))


def test_a_spatial_network_is_learned_where_its_model_pays() -> None:
    sizes = [spatial_options_for((28, 28, 1), values) for values in (10**5, 10**7, 2 * 10**7, 10**8)]
    assert sizes[0] is None
    widths = [0 if options is None else sum(options.values()) for options in sizes]
    assert widths == sorted(widths)
    assert widths[-1] == sum(SPATIAL_SIZES[-1].values())
    assert learn_spatial(wardrobe.draw(5, 0), Budget(steps=1)) is None


def test_a_learned_spatial_code_serves_its_rates() -> None:
    sample, others = wardrobe.draw(60, 0), wardrobe.draw(20, 1).images
    codec = learn_spatial(sample, Budget(steps=150), images=15_000)
    assert codec is not None
    coarse, fine = (codec.at(step) for step in (256, 32))
    assert len(coarse.encode(others)) < len(fine.encode(others))
    errors = [np.square(c.decode(c.encode(others), 20).astype(int) - others).mean() for c in (coarse, fine)]
    assert errors[1] < errors[0] < 3000


def test_equal_steps_learn_equal_models() -> None:
    first, second = (learn(wardrobe.draw(60, 0), Budget(steps=20)) for _ in range(2))
    assert first.model == second.model


def test_time_is_kept_to_though_one_step_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(learning.time, "perf_counter", lambda: next(clock))
    taken: list[tuple[int, int]] = []
    learn(wardrobe.draw(60, 0), Budget(seconds=0.5), progress=lambda done, total: taken.append((done, total)))
    assert [done for done, _ in taken] == [1]
    taken.clear()
    learn(wardrobe.draw(60, 0), Budget(seconds=40.0), progress=lambda done, total: taken.append((done, total)))
    assert 30 < len(taken) < 44
    assert taken[-1] == (len(taken), len(taken)), "it was known when the last step began"


def test_where_few_steps_fit_a_smaller_network_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(
        learning, "make", lambda *args, **options: made.append(options["hidden"]) or make(*args, **options)
    )
    clock = iter(range(10_000))
    monkeypatch.setattr(learning.time, "perf_counter", lambda: next(clock))
    codec = learn(wardrobe.draw(60, 0), Budget(seconds=50), images=10**7)
    sizes = [options["hidden"] for options in sizes_for((28, 28, 1), 10**7 * 784)]
    assert made == sizes[::-1]
    assert codec.config()["hidden"] == list(sizes[0])


def test_what_a_processor_is_slow_at_is_not_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, rounds in (("AVX2", False), ("DEFAULT", False), ("AVX512", True)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        with rounding(torch.device("cpu"), "bfloat16"):
            assert torch.is_autocast_enabled("cpu") == rounds
        with rounding(torch.device("cpu"), "float32"):
            assert not torch.is_autocast_enabled("cpu")
