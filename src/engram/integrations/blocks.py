"""The blocks of an archive that were read last, decoded: what is kept of one that is too large to keep whole."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

from engram.archive import Archive
from engram.integrations.order import Order
from engram.kinds import AnyPixels

_AT_ONCE_BYTES = 1 << 24
"""Pixels of blocks that are decoded in one go."""


class RecentBlocks:
    """Images of an archive by their indices; each block they lie in is decoded whole, and kept while there is room."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._kept = OrderedDict[int, Tensor]()

    def read(self, rows: Order, room: int) -> Tensor:
        """[n, c, h, w] of rows in any order; the `room` blocks that were read last stay, at least 1.

        Raises CorruptBlock.
        """
        height, width, channels = self._archive.image_shape
        images = torch.empty((len(rows), channels, height, width), dtype=dtype_of(self._archive))
        order = np.argsort(rows, kind="stable")
        blocks, starts = np.unique(self._archive.block_of(rows[order]), return_index=True)
        spots = dict(zip(blocks.tolist(), np.split(order, starts[1:]), strict=False))  # of no rows: no block, one group

        def take(block: int) -> None:
            within = torch.from_numpy(rows[spots[block]] - self._archive.block_starts[block])
            images[torch.from_numpy(spots[block])] = self._kept[block].index_select(0, within)

        missing = [block for block in spots if block not in self._kept]
        for block in [block for block in spots if block in self._kept]:  # before others take their places
            self._kept.move_to_end(block)
            take(block)
        at_once = max(1, min(room, _AT_ONCE_BYTES // self._archive.block_bytes))
        for first in range(0, len(missing), at_once):
            some = missing[first : first + at_once]
            for block, pixels in zip(some, self._archive.decode_blocks(some), strict=True):
                self._kept[block] = channels_first(pixels).contiguous()
                take(block)
            while len(self._kept) > room:
                self._kept.popitem(last=False)
        return images

    def __reduce__(self) -> tuple[type[RecentBlocks], tuple[Archive]]:
        return RecentBlocks, (self._archive,)


def dtype_of(archive: Archive) -> torch.dtype:
    """What holds its pixels: torch can do little with uint16. Raises ManySizes."""
    return torch.uint8 if archive.kind.bits == 8 else torch.int32


def channels_first(images: AnyPixels) -> Tensor:
    """[n, c, h, w] of [n, h, w, c]: of uint8 without a copy, of uint16 as int32."""
    return torch.from_numpy(images if images.dtype == np.uint8 else images.astype(np.int32)).permute(0, 3, 1, 2)
