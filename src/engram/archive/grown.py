"""An archive that grew by `append`: several archives in one file, read as one sequence of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engram import storage
from engram.archive import bundle
from engram.archive.breakdown import Breakdown
from engram.archive.errors import CorruptArchive
from engram.archive.file import GivenModel
from engram.archive.joined import Joined
from engram.archive.members import Members
from engram.archive.reader import Archive
from engram.codecs.contract import Codec
from engram.storage import Location


class Grown(Joined):
    """A plain bundle: what an `Archive` can do, over all of its archives, whose codecs may differ; blocks are numbered
    through. `codec` is that of the newest images. Raises CorruptBundle, CorruptArchive.
    """

    def __init__(self, members: Members) -> None:
        self.members = members
        super().__init__(
            [(member.images, header) for member, header in zip(members.entries, members.headers, strict=True)]
        )

    @property
    def path(self) -> Location:
        location = self.members.location
        return storage.shown(location) if storage.is_url(location) else Path(location).absolute()

    @property
    def codec(self) -> Codec:
        return self.members.codec(len(self.members) - 1)

    @property
    def codecs(self) -> Sequence[Codec]:
        return [self.members.codec(number) for number in range(len(self.members))]

    def codec_of(self, block: int) -> Codec:
        return self.members.codec(self.owner_of(block))

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.archive(len(self.members) - 1).class_names

    @property
    def info(self) -> Breakdown:
        sums = super().info
        parts = sums.bytes_by_part | {"directory": self.members.directory_bytes}
        return replace(sums, bytes_by_part=parts, archives=len(self.members))

    def archive(self, number: int) -> Archive:
        return self.members.archive(number)

    def shown(self, number: int) -> str:
        return str(self.path)

    def mismatch(self, number: int, reason: str) -> CorruptArchive:
        return bundle.CorruptBundle(f"{self.path}: archive {number} in it {reason} the others")

    def close(self) -> None:
        self.members.close()

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        return f"<Grown {self.path}: {len(self):,} images {shape} in {len(self.members)} archives>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, self.members.made_of


def _reopen(location: str, model: GivenModel, identity: tuple[int, int]) -> Grown:
    return Grown(Members.reopened(location, model, identity))
