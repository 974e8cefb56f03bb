from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import UsageError
from engram.integrations.order import BatchOrder, OrderMismatch


def order_of(count: int, block_size: int, batch_size: int, **options: Any) -> BatchOrder:
    """Of blocks of one size, but for the last."""
    return BatchOrder(np.append(np.arange(0, count, block_size), count), batch_size, **options)


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
    order = order_of(**options)
    for _ in range(3):
        batches = list(order)
        assert len(batches) == len(order)
        assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(options["count"]))
        assert all(1 <= len(batch) <= options["batch_size"] for batch in batches)


@given(OPTIONS)
def test_what_is_short_can_be_left_out(options: dict[str, Any]) -> None:
    order = order_of(**options, drop_last=True)
    batches = list(order)
    assert len(batches) == len(order)
    assert {len(batch) for batch in batches} <= {options["batch_size"]}
    assert len(set(np.concatenate([[], *batches]).tolist())) == len(batches) * options["batch_size"]
    streams = max(1, options["workers"])
    assert options["count"] - len(batches) * options["batch_size"] < streams * options["batch_size"]


@given(OPTIONS)
def test_it_is_a_function_of_seed_and_epoch(options: dict[str, Any]) -> None:
    first, again = order_of(**options), order_of(**options)
    epochs = [joined(first) for _ in range(3)]
    again.set_epoch(2)
    assert joined(again) == epochs[2]
    again.set_epoch(0)
    assert [joined(again) for _ in range(3)] == epochs


def test_epochs_and_seeds_differ() -> None:
    for kept in (0, 4):
        order = order_of(200, 8, 16, kept_blocks=kept)
        other = order_of(200, 8, 16, kept_blocks=kept, seed=1)
        assert len({tuple(joined(each)) for each in (order, order, order, other)}) == 4


def test_without_shuffling_images_come_as_they_lie() -> None:
    assert joined(order_of(50, 8, 7, shuffle=False, kept_blocks=2, workers=3)) == list(range(50))


@given(OPTIONS)
def test_each_block_has_one_worker_that_reads_it_in_one_stretch(options: dict[str, Any]) -> None:
    """Of every kept_blocks blocks that a worker begins, none comes again once the next are begun."""
    count, block_size, kept_blocks, workers = (
        options[name] for name in ("count", "block_size", "kept_blocks", "workers")
    )
    if not 0 < kept_blocks * block_size < count:
        return
    order, size = order_of(**options | {"shuffle": True, "batch_size": 1}), max(1, workers)
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


RANKS = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.integers(0, 9), max_size=30),
        "batch_size": st.integers(1, 12),
        "shuffle": st.booleans(),
        "seed": st.integers(0, 5),
        "kept_blocks": st.integers(0, 6),
        "workers": st.integers(0, 3),
        "world": st.integers(1, 4),
    }
)
"""Blocks of any sizes, as a shard set has."""


def ranks_of(sizes: list[int], world: int, **options: Any) -> list[BatchOrder]:
    return [BatchOrder(np.cumsum([0, *sizes]), rank=rank, world=world, **options) for rank in range(world)]


@given(RANKS)
def test_ranks_share_the_images_and_each_image_comes_once(options: dict[str, Any]) -> None:
    orders = ranks_of(**options)
    for _ in range(2):
        assert sorted(image for order in orders for image in joined(order)) == list(range(sum(options["sizes"])))
    for order in orders:
        assert len(list(order)) == len(order)


@given(RANKS)
def test_ranks_have_blocks_of_their_own_where_blocks_are_kept(options: dict[str, Any]) -> None:
    if options["shuffle"] and not 0 < options["kept_blocks"] < len(options["sizes"]):
        return
    starts = np.cumsum([0, *options["sizes"]])
    blocks = [set(np.searchsorted(starts, joined(order), side="right").tolist()) for order in ranks_of(**options)]
    assert sum(map(len, blocks)) == len(set().union(*blocks))


@given(RANKS)
def test_ranks_in_step_have_equally_many_whole_batches(options: dict[str, Any]) -> None:
    orders = ranks_of(**options, drop_last=True)
    batches = [list(order) for order in orders]
    assert {len(each) for each in batches} == {len(orders[0])}
    assert {len(batch) for each in batches for batch in each} <= {options["batch_size"]}
    images = [image for each in batches for batch in each for image in batch.tolist()]
    assert len(set(images)) == len(images)


@given(RANKS, st.integers(0, 20), st.integers(0, 3))
def test_an_epoch_goes_on_where_it_was(options: dict[str, Any], position: int, epoch: int) -> None:
    first, again = ranks_of(**options)[0], ranks_of(**options)[0]
    first.set_epoch(epoch)
    expected = [batch.tolist() for batch in first]
    again.load_state_dict(again.state_dict() | {"epoch": epoch, "position": position})
    assert [batch.tolist() for batch in again] == expected[position:]
    assert again.epoch == epoch + 1
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in first]


def test_a_state_of_another_order_is_refused() -> None:
    state = order_of(50, 8, 7, seed=1).state_dict()
    with pytest.raises(OrderMismatch, match=r"^the state was saved with seed 1, this order has 0; go on with the same"):
        order_of(50, 8, 7).load_state_dict(state)
    with pytest.raises(OrderMismatch, match=r"with world 1, this order has 2"):
        order_of(50, 8, 7, seed=1, world=2).load_state_dict(state)


@pytest.mark.parametrize(("rank", "world"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_is_none_is_refused(rank: int, world: int) -> None:
    with pytest.raises(UsageError, match=rf"^of {world} ranks, one is 0 to {world - 1}, not {rank}$"):
        order_of(50, 8, 7, rank=rank, world=world)


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^a batch has at least 1 image, not 0$"):
        order_of(10, 8, 0)
