"""The order in which batches of an archive's images are read: a function of seed and epoch, kind to blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from engram.errors import UsageError

Order = NDArray[np.int64]
"""Indices of images."""


class BatchOrder(Sampler[Order]):
    """Batches of indices, every image once an epoch; to be a DataLoader's `sampler` with `batch_size=None`.

    Shuffled, every order of all images is as likely where a process keeps all blocks, or none (kept_blocks 0). Where it
    keeps some, blocks are drawn at random, `kept_blocks` at a time, and the images of those are shuffled among each
    other; and worker w of `workers`, which gets every batch w + k * workers, has blocks of its own. So each block is
    decoded once an epoch.

    Each iteration is the next epoch; `set_epoch` goes to another. The last batch (of each worker, where each has its
    own blocks) may be short; `drop_last` leaves it out.
    """

    def __init__(
        self,
        count: int,
        block_size: int,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        kept_blocks: int = 0,
        workers: int = 0,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"a batch has at least 1 image, not {batch_size}")
        self._count, self._block_size, self._batch_size = count, block_size, batch_size
        self._shuffle, self._seed, self._drop_last = shuffle, seed, drop_last
        self._kept_blocks = kept_blocks if shuffle and kept_blocks * block_size < count else 0
        self._streams = max(1, workers) if self._kept_blocks else 1
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is this epoch's."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Order]:
        draw = np.random.default_rng([self._seed, self._epoch])
        self._epoch += 1
        streams = [self._batches(order) for order in self._orders(draw)]
        return (batch for batch in chain.from_iterable(zip_longest(*streams)) if batch is not None)

    def __len__(self) -> int:
        """Batches an epoch, the same in each."""
        full, rest = divmod(self._count, self._block_size)
        sizes = [len(range(first, full, self._streams)) * self._block_size for first in range(self._streams)]
        sizes[-1] += rest
        return sum(len(range(0, self._stop(size), self._batch_size)) for size in sizes)

    def _orders(self, draw: np.random.Generator) -> Iterator[Order]:
        """The images of each stream in their order; how many they are does not depend on the draw."""
        if not self._kept_blocks:
            yield draw.permutation(self._count) if self._shuffle else np.arange(self._count)
            return
        full, rest = divmod(self._count, self._block_size)
        drawn = draw.permutation(full)
        for first in range(self._streams):
            blocks = drawn[first :: self._streams]
            if rest and first == self._streams - 1:
                blocks = np.insert(blocks, draw.integers(len(blocks) + 1), full)
            groups = [blocks[at : at + self._kept_blocks] for at in range(0, len(blocks), self._kept_blocks)]
            yield np.concatenate([drawn[:0], *(draw.permutation(self._images(group)) for group in groups)])

    def _images(self, blocks: Order) -> Order:
        images = (blocks[:, np.newaxis] * self._block_size + np.arange(self._block_size)).ravel()
        return images[images < self._count]

    def _batches(self, order: Order) -> Iterator[Order]:
        for first in range(0, self._stop(len(order)), self._batch_size):
            yield order[first : first + self._batch_size]

    def _stop(self, size: int) -> int:
        """Where the batches of a stream of so many images end."""
        return size - size % self._batch_size if self._drop_last else size
