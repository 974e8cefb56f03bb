"""The order in which batches of images are read: a function of seed and epoch, kind to blocks, shared among ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from engram.errors import UsageError

Order = NDArray[np.int64]
"""Indices of images."""


class OrderMismatch(UsageError):
    """A state that was saved in another order than the one that is to go on from it."""


class BatchOrder(Sampler[Order]):
    """Batches of indices, every image once an epoch; to be a DataLoader's `sampler` with `batch_size=None`.

    block_starts: where each block begins, and where the last one ends. Shuffled, every order of all images is as
    likely where a process keeps all blocks, or none (kept_blocks 0). Where it keeps some, blocks are drawn at random,
    `kept_blocks` at a time, and the images of those are shuffled among each other; and worker w of `workers`, which
    gets every batch w + k * workers, has blocks of its own. So each block is decoded once an epoch.

    Of `world` ranks each has images of its own, and together they have all; where blocks are kept, or nothing is
    shuffled, each has blocks of its own. The last batch (of each worker, where each has its own blocks) may be short;
    `drop_last` leaves it out, and gives every rank equally many batches, which a training in step needs.

    Each iteration is the next epoch, from `position` on; `set_epoch` goes to another.
    """

    def __init__(
        self,
        block_starts: Order,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        kept_blocks: int = 0,
        workers: int = 0,
        drop_last: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"a batch has at least 1 image, not {batch_size}")
        if not 0 <= rank < world:
            raise UsageError(f"of {world} ranks, one is 0 to {world - 1}, not {rank}")
        self._starts, self._batch_size, self._rank, self._world = block_starts, batch_size, rank, world
        self._shuffle, self._seed, self._drop_last = shuffle, seed, drop_last
        self._kept_blocks = kept_blocks if shuffle and kept_blocks < len(block_starts) - 1 else 0
        self._streams = max(1, workers) if self._kept_blocks else 1
        sizes = np.diff(block_starts)
        self._full = np.flatnonzero((sizes == sizes.max(initial=0)) & (sizes > 0))
        self._short = np.flatnonzero((sizes < sizes.max(initial=0)) & (sizes > 0))
        self.epoch = self.position = 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is this epoch's, from its beginning."""
        self.epoch, self.position = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the next iteration begins, and what the order is a function of, the rank apart."""
        return {"epoch": self.epoch, "position": self.position} | self._settings()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes there. Raises OrderMismatch."""
        for name, mine in self._settings().items():
            if state.get(name) != mine:
                raise OrderMismatch(
                    f"the state was saved with {name} {state.get(name)}, this order has {mine}; "
                    f"go on with the same settings, or begin an epoch anew with set_epoch"
                )
        self.epoch, self.position = state["epoch"], state["position"]

    def __iter__(self) -> Iterator[Order]:
        epoch, position = self.epoch, self.position  # when the first batch is taken: a DataLoader may begin twice
        self.epoch, self.position = epoch + 1, 0
        yield from islice(self._of_epoch(epoch), position, len(self))

    def __len__(self) -> int:
        """Batches an epoch of this rank, the same in each."""
        return min(map(self._length, range(self._world))) if self._drop_last else self._length(self._rank)

    def _settings(self) -> dict[str, Any]:
        return {
            "seed": self._seed,
            "images": int(self._starts[-1]),
            "blocks": len(self._starts) - 1,
            "batch_size": self._batch_size,
            "shuffle": self._shuffle,
            "kept_blocks": self._kept_blocks,
            "workers": self._streams,
            "drop_last": self._drop_last,
            "world": self._world,
        }

    def _length(self, rank: int) -> int:
        if not self._kept_blocks:
            sizes = [len(self._share(rank))]
        else:
            owners = [self._owner(rank, stream) for stream in range(self._streams)]
            full, lengths = self._images(self._full[:1]).size, np.diff(self._starts)
            sizes = [
                len(self._full[owner :: self._owners]) * full + int(lengths[self._short_of(owner)].sum())
                for owner in owners
            ]
        each = [(size, size % self._batch_size) for size in sizes]
        return sum(size // self._batch_size + (rest > 0 and not self._drop_last) for size, rest in each)

    def _of_epoch(self, epoch: int) -> Iterator[Order]:
        draw = np.random.default_rng([self._seed, epoch])
        if not self._kept_blocks:
            share = self._share(self._rank)
            order = draw.permutation(int(self._starts[-1]))[share] if self._shuffle else np.asarray(share)
            return self._batches([order])
        drawn = draw.permutation(self._full)
        streams = [self._batches(self._groups(drawn, epoch, stream)) for stream in range(self._streams)]
        return (batch for batch in chain.from_iterable(zip_longest(*streams)) if batch is not None)

    def _share(self, rank: int) -> range:
        """A rank's places in an order of all images: one in `world`; unshuffled, a stretch of whole blocks."""
        if self._shuffle:
            return range(rank, int(self._starts[-1]), self._world)
        first, stop = ((len(self._starts) - 1) * edge // self._world for edge in (rank, rank + 1))
        return range(int(self._starts[first]), int(self._starts[stop]))

    def _groups(self, drawn: Order, epoch: int, stream: int) -> Iterator[Order]:
        """The images of a stream in their order, those of `kept_blocks` blocks together."""
        owner = self._owner(self._rank, stream)
        draw = np.random.default_rng([self._seed, epoch, owner])
        blocks = drawn[owner :: self._owners]
        for block in self._short_of(owner).tolist():
            blocks = np.insert(blocks, draw.integers(len(blocks) + 1), block)
        for at in range(0, len(blocks), self._kept_blocks):
            yield draw.permutation(self._images(blocks[at : at + self._kept_blocks]))

    @property
    def _owners(self) -> int:
        return self._world * self._streams

    def _owner(self, rank: int, stream: int) -> int:
        return stream * self._world + rank

    def _short_of(self, owner: int) -> Order:
        """The blocks that are not full, each with its owner, so that how many images these have is no draw."""
        return self._short[self._owners - 1 - owner :: self._owners]

    def _images(self, blocks: Order) -> Order:
        return np.concatenate(
            [self._full[:0], *(np.arange(self._starts[block], self._starts[block + 1]) for block in blocks.tolist())]
        )

    def _batches(self, groups: Iterable[Order]) -> Iterator[Order]:
        left = self._full[:0]
        for group in groups:
            left = np.concatenate([left, group])
            whole = len(left) - len(left) % self._batch_size
            yield from (left[first : first + self._batch_size] for first in range(0, whole, self._batch_size))
            left = left[whole:]
        if len(left) and not self._drop_last:
            yield left
