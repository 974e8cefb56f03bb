from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import UsageError
from engram.integrations.order import BatchOrder

OPTIONS = st.fixed_dictionaries(
    {
        "count": st.integers(0, 200),
        "block_size": st.integers(1, 20),
        "batch_size": st.integers(1, 30),
        "shuffle": st.booleans(),
        "seed": st.integers(0, 5),
        "kept_blocks": st.integers(0, 6),
        "workers": st.integers(0, 4),
    }
)


def joined(order: BatchOrder) -> list[int]:
    return [index for batch in order for index in batch.tolist()]


@given(OPTIONS)
def test_every_image_comes_once_an_epoch(options: dict[str, Any]) -> None:
    order = BatchOrder(**options)
    for _ in range(3):
        batches = list(order)
        assert len(batches) == len(order)
        assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(options["count"]))
        assert all(1 <= len(batch) <= options["batch_size"] for batch in batches)


@given(OPTIONS)
def test_what_is_short_can_be_left_out(options: dict[str, Any]) -> None:
    order = BatchOrder(**options, drop_last=True)
    batches = list(order)
    assert len(batches) == len(order)
    assert {len(batch) for batch in batches} <= {options["batch_size"]}
    assert len(set(np.concatenate([[], *batches]).tolist())) == len(batches) * options["batch_size"]
    streams = max(1, options["workers"])
    assert options["count"] - len(batches) * options["batch_size"] < streams * options["batch_size"]


@given(OPTIONS)
def test_it_is_a_function_of_seed_and_epoch(options: dict[str, Any]) -> None:
    first, again = BatchOrder(**options), BatchOrder(**options)
    epochs = [joined(first) for _ in range(3)]
    again.set_epoch(2)
    assert joined(again) == epochs[2]
    again.set_epoch(0)
    assert [joined(again) for _ in range(3)] == epochs


def test_epochs_and_seeds_differ() -> None:
    for kept in (0, 4):
        order = BatchOrder(200, 8, 16, kept_blocks=kept)
        other = BatchOrder(200, 8, 16, kept_blocks=kept, seed=1)
        assert len({tuple(joined(each)) for each in (order, order, order, other)}) == 4


def test_without_shuffling_images_come_as_they_lie() -> None:
    assert joined(BatchOrder(50, 8, 7, shuffle=False, kept_blocks=2, workers=3)) == list(range(50))


@given(OPTIONS)
def test_each_block_has_one_worker_that_reads_it_in_one_stretch(options: dict[str, Any]) -> None:
    """Of every kept_blocks blocks that a worker begins, none comes again once the next are begun."""
    count, block_size, kept_blocks, workers = (
        options[name] for name in ("count", "block_size", "kept_blocks", "workers")
    )
    if not 0 < kept_blocks * block_size < count:
        return
    order, size = BatchOrder(**options | {"shuffle": True, "batch_size": 1}), max(1, workers)
    images = joined(order)
    least = min(count // block_size // size * block_size * size, count)  # until then, every worker has images left
    owners: dict[int, int] = {}
    begun: dict[int, list[int]] = {worker: [] for worker in range(size)}
    for place, image in enumerate(images[:least]):
        block, worker = image // block_size, place % size
        assert owners.setdefault(block, worker) == worker
        if block not in begun[worker]:
            begun[worker].append(block)
        assert begun[worker].index(block) // kept_blocks == (len(begun[worker]) - 1) // kept_blocks


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^a batch has at least 1 image, not 0$"):
        BatchOrder(10, 8, 0)
