"""An archive, or a selection of one, as a PyTorch Dataset: tensors by index, and a batch by one read.

What is kept of it: all images, decoded once, where their pixels fit into `memory_bytes`; these lie in memory that the
DataLoader's workers share. Else, where all have one size, the blocks that were read last, up to `memory_bytes` over all
workers; `loader` then reads in an order that decodes each block once an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from multiprocessing.context import get_spawning_popen
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate, get_worker_info

from engram import archive
from engram.archive.errors import ManySizes
from engram.archive.models import GivenModel
from engram.archive.view import Pictures
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.integrations.blocks import RecentBlocks, channels_first, dtype_of
from engram.integrations.loader import BatchLoader
from engram.integrations.order import BatchOrder, Order
from engram.kinds import AnyPixels
from engram.storage import Location


class ArchiveDataset(Dataset[Any]):
    """(image, label) of each image of an archive, or of a selection of one; the image alone where there are no labels.

    pictures: the path or URL of an archive or a shard set, an archive that is open, or what its `where` gives. An image
    is float32[c, h, w] in [0, 1], or uint8[c, h, w] for dtype=torch.uint8 (but not of 16 bits), and then what
    `transform` makes of it; a label is an int, -1 where it is missing. Images may be of many sizes and kinds, and each
    has its own. `dataset[[3, 1, 2]]`, or a slice, is a batch, read in one go: (images[n, c, h, w], int64[n]), or the
    images alone; what a transform makes is put together as a DataLoader does it. `loader` makes a DataLoader of such
    batches. With memory_bytes=0 nothing is kept.

    It may be pickled, and goes to workers that are forked or spawned: as the archive's path, and the shared pixels.
    Raises what `engram.open` raises, ManySizes for a batch of images of many sizes, and CorruptBlock where an image is
    damaged: at once where all images are kept.
    """

    def __init__(
        self,
        pictures: Pictures | Location,
        model: GivenModel = None,
        *,
        transform: Callable[[Tensor], Any] | None = None,
        dtype: torch.dtype = torch.float32,
        memory_bytes: int = 1 << 30,
        progress: Progress | None = None,
    ) -> None:
        if dtype not in (torch.float32, torch.uint8):
            raise UsageError(f"images are given as torch.float32 or torch.uint8, not {dtype}")
        if isinstance(pictures, Pictures) and model is not None:
            raise UsageError("an archive that is open has its model; give model= with a path")
        self._pictures = pictures if isinstance(pictures, Pictures) else archive.open(pictures, model)
        self.archive = self._pictures.archive
        if dtype == torch.uint8 and any(kind.bits == 16 for *_, kind in self.archive.shapes):
            raise UsageError(f"{self.archive.path} has images of 16 bits, which are given as torch.float32")
        self._transform, self._dtype, self._memory_bytes = transform, dtype, memory_bytes
        self._shape: tuple[int, int, int] | None = None
        """(height, width, channels) where the archive has one size; else `_kinds` and `_starts` say what each is."""
        with suppress(ManySizes):
            self._shape = self.archive.image_shape
        if self._shape is None:
            self._kinds, sizes = self.archive.kinds_of(self._pictures.rows), self._pictures.sizes
            values = sizes.prod(axis=1) * [kind.channels * kind.bits // 8 for kind in self._kinds]
            self._starts = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
        self._blocks = RecentBlocks(self.archive)
        self._pixels = self._decode_all(progress) if self.in_memory else None

    @property
    def in_memory(self) -> bool:
        """Whether all images are kept decoded."""
        if self._shape is None:
            return int(self._starts[-1]) <= self._memory_bytes
        return len(self) * int(np.prod(self._shape)) * self._stored.itemsize <= self._memory_bytes

    @cached_property
    def _stored(self) -> torch.dtype:
        return dtype_of(self.archive)

    def loader(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        num_workers: int = 0,
        rank: int = 0,
        world: int = 1,
        **options: Any,
    ) -> BatchLoader:
        """A DataLoader whose batches are single reads, in the order of BatchOrder; `options` are the DataLoader's own.

        Of `world` processes that train together, each gives its `rank`, and all the same seed: then each image goes to
        one of them, and they need not speak of it.

        A batch is what `dataset[rows]` gives; with a `collate_fn` among the options, what that makes of a list of
        examples.

        Each iteration is the next epoch, and its order a function of seed and epoch (and, where not all images are
        kept, of batch_size, num_workers and memory_bytes); `loader.sampler.set_epoch` goes to another.
        """
        order = BatchOrder(
            self._block_starts(),
            batch_size,
            shuffle=shuffle,
            seed=seed,
            kept_blocks=self._room(num_workers),
            workers=num_workers,
            drop_last=drop_last,
            rank=rank,
            world=world,
        )
        batches = _Examples(self) if options.get("collate_fn") else self
        return BatchLoader(batches, sampler=order, batch_size=None, num_workers=num_workers, **options)

    def __len__(self) -> int:
        return len(self._pictures)

    @cached_property
    def _rows(self) -> Order:
        """What an index of any kind picks from: made when something else than a loader's batch is asked for."""
        return np.arange(len(self))

    def _picked(self, index: Any) -> Order:
        is_batch = isinstance(index, np.ndarray) and index.dtype == np.int64 and index.ndim == 1 and len(index)
        rows: Order = index if is_batch and index.min() >= 0 and index.max() < len(self) else self._rows[index]
        return rows

    def __getitem__(self, index: Any) -> Any:
        """An example by its index; a batch by a slice, a list of indices in its order, or a mask. Raises IndexError."""
        rows = self._picked(index)
        if rows.ndim == 0:
            return self._examples(rows.reshape(1), alone=True)[0]
        if rows.ndim > 1:
            raise IndexError(f"a batch is asked for by a list of indices, not by an array of {rows.ndim} dimensions")
        images: Any = self._read(np.ascontiguousarray(rows))
        if len(rows) and (self._transform is not None or self._shape is None):
            images = _batch([image if self._transform is None else self._transform(image) for image in images])
        labels = self._pictures.labels_of(rows)
        return images if labels is None else (images, torch.from_numpy(labels))

    def __getitems__(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> list[Any]:
        """The examples of many indices, read in one go: what a DataLoader of examples calls for a batch."""
        return self._examples(self._picked(np.asarray(indices, np.int64)))

    def __getstate__(self) -> dict[str, Any]:
        """All but the pixels, unless this goes to a process that multiprocessing starts, which can share them."""
        pixels = self._pixels
        shared = pixels is not None and get_spawning_popen() is not None and pixels.is_shared()  # type: ignore[no-untyped-call]
        state = self.__dict__ | {"_pixels": pixels if shared else None}
        state.pop("_rows", None)
        return state

    def _examples(self, rows: Order, alone: bool = False) -> list[Any]:
        images: Sequence[Any] = self._read(rows, alone)
        if self._transform is not None:
            images = [self._transform(image) for image in images]
        labels = self._pictures.labels_of(rows)
        return list(images) if labels is None else list(zip(images, labels.tolist(), strict=True))

    def _read(self, rows: Order, alone: bool = False) -> Any:
        """[n, c, h, w] of images by their indices, in the dtype that was asked for; alone: not as part of an epoch.

        A list of [c, h, w] where the archive has many sizes.
        """
        worker = get_worker_info()
        if self.in_memory and self._pixels is None:  # unpickled
            self._pixels = self._decode_all()
        stored = rows if self._pictures is self.archive else self._pictures.rows[rows]
        if self._shape is None:
            images = self.archive.gather(stored) if self._pixels is None else map(self._kept, rows.tolist())
            return [self._as_asked(channels_first(image[None])[0]) for image in images]
        if self._pixels is not None:
            return self._as_asked(self._pixels.index_select(0, torch.from_numpy(rows)))
        if (room := self._room(worker.num_workers if worker else 1)) and not alone:
            return self._as_asked(self._blocks.read(stored, room))
        return self._as_asked(channels_first(self.archive.gather(stored)))

    def _as_asked(self, images: Tensor) -> Tensor:
        """In the dtype that was asked for."""
        if self._dtype == torch.uint8:
            return images
        return images.to(torch.float32).div_(255 if images.dtype == torch.uint8 else 65535)

    def _kept(self, row: int) -> AnyPixels:
        """A copy of an image, of those of many sizes that lie in `_pixels` one after another."""
        assert self._pixels is not None
        height, width = self._pictures.sizes[row].tolist()
        found = self._pixels.numpy()[self._starts[row] : self._starts[row + 1]].copy()
        return found.view(self._kinds[row].dtype).reshape(height, width, -1)

    def _block_starts(self) -> Order:
        """Where the images of each block begin, and where the last ones end; of one block where that cannot be said."""
        if self.archive.is_plain:  # else a block has parts of images
            blocks = self.archive.block_of(self._pictures.rows)
            if not (np.diff(blocks) < 0).any():
                return np.append(np.unique(blocks, return_index=True)[1], len(self)).astype(np.int64)
        return np.array([0, len(self)], np.int64)

    def _room(self, workers: int) -> int:
        """How many blocks each of so many processes keeps; none where blocks are not of whole images."""
        if not self.archive.is_plain:
            return 0
        block_bytes = self.archive.block_bytes * (1 if self._stored == torch.uint8 else 2)
        return self._memory_bytes // (block_bytes * max(1, workers))

    def _decode_all(self, progress: Progress | None = None) -> Tensor:
        """[n, c, h, w] of all images, in shared memory where the system has so much of it.

        Of those of many sizes uint8[n], their bytes one after another.
        """
        if self._shape is None:
            pixels = torch.empty(int(self._starts[-1]), dtype=torch.uint8)
        else:
            height, width, channels = self._shape
            pixels = torch.empty((len(self), channels, height, width), dtype=self._stored)
        with suppress(RuntimeError):
            pixels.share_memory_()  # type: ignore[no-untyped-call]
        done = 0
        for rows, images in self._pictures.batches():
            if self._shape is None:
                for row, image in zip(rows.tolist(), images, strict=True):
                    pixels[self._starts[row] : self._starts[row + 1]] = torch.from_numpy(
                        image.reshape(-1).view(np.uint8)
                    )
            else:
                pixels[torch.from_numpy(rows)] = channels_first(images)
            done += len(rows)
            if progress is not None:
                progress(done, len(self))
        return pixels


class _Examples(Dataset[Any]):
    """A dataset that gives a batch as a list of examples, for a collate_fn."""

    def __init__(self, of: ArchiveDataset) -> None:
        self._of = of

    def __getitem__(self, rows: Order) -> list[Any]:
        return self._of.__getitems__(rows)


def _batch(images: list[Any]) -> Any:
    """What a DataLoader makes of images for a batch. Raises ManySizes."""
    shapes = {tuple(image.shape) for image in images if isinstance(image, Tensor)}
    if len(shapes) > 1:
        some = " and ".join(f"[{', '.join(map(str, shape))}]" for shape in sorted(shapes)[:2])
        raise ManySizes(
            f"images of {some} make no batch: give transform=, a function that makes them one size; "
            "or give `loader` collate_fn=, a function of a list of examples"
        )
    return default_collate(images)
