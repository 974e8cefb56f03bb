"""What a pack tells of: what was written, why so, and what it reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engram.archive import Info
from engram.packing import groups, reached


@dataclass(frozen=True)
class Report:
    """What was written, why so, and what it reached.

    info: the archive's bytes, part by part. why: a sentence for each choice that was made. quality: psnr_db, None
    where nothing is lost; max_error; measured_images, of which these are told; with a judge accuracy, 0 to 1, and
    accuracy_of_originals. padding: of pictures of many sizes, what laying them on cells costs. images_resumed: how
    many an interrupted pack had done already. seconds: of writing.
    """

    info: Info
    why: tuple[str, ...]
    quality: dict[str, Any]
    padding: dict[str, Any]
    images_resumed: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self.quality | self.padding | {"why": list(self.why), "images_resumed": self.images_resumed}

    def in_words(self) -> str:
        """What was reached, and why it is coded as it is, in a few lines."""
        lines = [reached.in_words(self.quality, self.info.images)]
        lines += [groups.in_words(self.padding)] if self.padding else []
        return "\n".join([*lines, *self.why])
