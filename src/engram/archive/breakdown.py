"""What each byte of an archive is for: what `engram info` prints. No model is read and nothing decoded."""

from __future__ import annotations

from dataclasses import dataclass

from engram.archive import layout
from engram.archive.directory import Directory
from engram.archive.file import ArchiveFile
from engram.codecs.contract import Config
from engram.storage import Location


@dataclass(frozen=True)
class Breakdown:
    """An archive's settings, and its bytes by purpose: `bytes_by_part` sums to `archive_bytes`.

    model_bytes is the model's size also where it was left out of the archive. Of several archives in one file, codec,
    block size and model are those of the first. sizes: how many sizes images have; image_shape is then the largest
    height and width.
    """

    images: int
    image_shape: tuple[int, int, int]
    block_size: int
    blocks: int
    codec: str
    config: Config
    model_bytes: int
    model_embedded: bool
    model_sha256: str
    bytes_by_part: dict[str, int]
    archives: int = 1
    sizes: int = 1

    @property
    def archive_bytes(self) -> int:
        """The size of the file."""
        return sum(self.bytes_by_part.values())

    @property
    def bytes_per_image(self) -> float:
        """All bytes but the model's, for each image; 0 where there are no images."""
        return (self.archive_bytes - self.bytes_by_part["model"]) / max(1, self.images)

    @property
    def bytes_per_image_with_model(self) -> float:
        """All bytes and the model's, embedded or not, for each image."""
        return self.bytes_per_image + self.model_bytes / max(1, self.images)


def info(path: Location) -> Breakdown:
    """The breakdown of an archive file. Raises CorruptArchive."""
    file = ArchiveFile(path)
    try:
        return breakdown(file.directory)
    finally:
        file.close()


def breakdown(directory: Directory) -> Breakdown:
    """The breakdown of an archive that is open."""
    header, footer = directory.header, directory.footer
    return Breakdown(
        footer.count,
        header.image_shape,
        header.block_size,
        directory.blocks,
        header.codec,
        header.config,
        header.model_bytes,
        header.model_embedded,
        header.model_sha256,
        {
            "header": directory.model_offset,
            "model": header.model_bytes if header.model_embedded else 0,
            "blocks": int(directory.index.lengths.sum()),
            "class_names": footer.class_names.length,
            "labels": footer.labels.length,
            "names": footer.names.length,
            "index": directory.blocks * footer.width,
            "checksums": directory.blocks * 4,
            "footer": layout.FOOTER.size,
        },
    )
