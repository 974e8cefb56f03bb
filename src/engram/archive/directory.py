"""Where everything lies in an archive file: read from its two ends, checked until every byte is accounted for."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engram.archive import bundle, layout
from engram.archive.errors import (
    CorruptArchive,
    CorruptIndex,
    CorruptModel,
    NotAnArchive,
    SeveralArchives,
    TruncatedArchive,
)
from engram.storage import Span, Storage


@dataclass(frozen=True, eq=False)
class Directory:
    """Header, footer and index of an open file, with the offsets that follow from them.

    block_offsets[k] is where block k begins, block_offsets[-1] where the last one ends.
    """

    header: layout.Header
    footer: layout.Footer
    index: layout.Index
    model_offset: int
    block_offsets: NDArray[np.int64]
    size: int

    @classmethod
    def read(cls, file: Storage) -> Self:
        """The directory of an open file. Raises the CorruptArchive that fits, with the file's name in its text."""
        try:
            return cls._read(file)
        except (CorruptArchive, SeveralArchives) as error:
            raise type(error)(f"{file.shown}: {error}") from None

    @classmethod
    def _read(cls, file: Storage) -> Self:
        size = file.size
        prelude = file.read(0, layout.PRELUDE.size)
        if prelude[:8] != layout.MAGIC[: len(prelude)]:
            raise NotAnArchive(f"it begins with {prelude[:8].hex(' ')}, so it is no engram archive")
        if len(prelude) < layout.PRELUDE.size:
            raise TruncatedArchive(f"the file ends after {len(prelude)} bytes, within the first {layout.PRELUDE.size}")
        header_size = layout.header_size(prelude)
        if header_size > size:
            raise TruncatedArchive(f"the file has {size:,} bytes, its header would end at {header_size:,}")
        box = file.read(0, header_size)
        header = layout.parse_header(box)

        if file.read(max(0, size - len(bundle.MAGIC)), len(bundle.MAGIC)) == bundle.MAGIC:
            raise SeveralArchives("it holds several archives, as `append` makes them; `engram.open` reads it")
        footer_offset = size - layout.FOOTER.size
        if footer_offset < header_size:
            raise TruncatedArchive(f"the file ends after {size:,} bytes, before its footer")
        footer = layout.parse_footer(file.read(footer_offset, layout.FOOTER.size))
        if footer.header_checksum != zlib.crc32(box[:-4]):
            raise CorruptIndex("the footer belongs to another header")

        blocks = -(-footer.count // header.block_size)
        index_offset = footer_offset - blocks * (footer.width + 4)
        sections = footer.class_names.length + footer.labels.length + footer.names.length
        embedded = header.model_bytes if header.model_embedded else 0
        room = index_offset - sections - header_size
        if header_size + embedded > footer_offset:
            raise CorruptModel(f"a model of {embedded:,} bytes does not fit into a file of {size:,}")
        if room < embedded:
            raise CorruptIndex(
                f"{footer.count:,} images in {blocks:,} blocks, their index and {sections:,} bytes of sections "
                f"do not fit into a file of {size:,} bytes"
            )
        index = layout.parse_index(file.read(index_offset, footer_offset - index_offset), footer)
        payload = int(index.lengths.sum())
        if payload != room - embedded:
            raise CorruptIndex(f"the blocks have {payload:,} bytes by the index, {room - embedded:,} in the file")
        model_offset = header_size
        block_offsets = np.concatenate(([0], np.cumsum(index.lengths))) + model_offset + embedded
        return cls(header, footer, index, model_offset, block_offsets, size)

    @property
    def blocks(self) -> int:
        return len(self.index.lengths)

    @property
    def identity(self) -> tuple[int, int]:
        """Size and the footer's checksum, which speaks for the header and, by way of the index, for all blocks.

        It tells two files apart. (The CRC-32 of a text that ends in its own CRC-32 would be the same for all.)
        """
        return self.size, layout.footer_checksum(self.footer)

    def images_of(self, block: int) -> tuple[int, int]:
        """(first, stop) of a block's images."""
        first = block * self.header.block_size
        return first, min(first + self.header.block_size, self.footer.count)

    def span_of(self, block: int) -> Span:
        """Where a block's bytes lie."""
        return int(self.block_offsets[block]), int(self.block_offsets[block + 1])

    @property
    def sections(self) -> dict[str, tuple[int, layout.Section]]:
        """Each section's offset, length and checksum."""
        footer, offset = self.footer, int(self.block_offsets[-1])
        found = {}
        for name, section in (("class names", footer.class_names), ("labels", footer.labels), ("names", footer.names)):
            found[name] = (offset, section)
            offset += section.length
        return found
