"""What is asked of an archive: at most one dial, checked before anything else is done, and what a codec has to be."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsIndex

from engram.archive.format import MOST_CELLS_IN_BLOCK
from engram.codecs.dial import LARGEST_ERROR
from engram.codecs.goals import Goal, LargestError, Quality, Size
from engram.errors import UsageError
from engram.training.budget import Budget

if TYPE_CHECKING:
    from engram.packing.judging import Judging

FLOATS = "bytes_per_image", "psnr_db", "accuracy_loss", "bits"
MOST_DB = 100.0
"""Equal images but for a value in some thousands are nearer than that."""


@dataclass(frozen=True)
class Asked:
    """At most one of these, or none, which is lossless. Raises UsageError where there are two, or one out of its range.

    max_error: 0 to 63. bytes_per_image: above 0, the model apart. psnr_db: above 0, at most 100. accuracy_loss: in
    points, 0 to 100. bits: for each code unit of a model that is given, above 0.
    """

    lossless: bool = False
    max_error: int | None = None
    bytes_per_image: float | None = None
    psnr_db: float | None = None
    accuracy_loss: float | None = None
    bits: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_error", *FLOATS):
            value = getattr(self, name)
            try:
                number = value if value is None else operator.index(value) if name == "max_error" else float(value)
                object.__setattr__(self, name, number)
            except (TypeError, ValueError):
                raise UsageError(f"{name} is a number, not {value!r}") from None
        given = {
            "lossless": self.lossless or None,
            "max-error": self.max_error,
            "bytes": self.bytes_per_image,
            "psnr": self.psnr_db,
            "accuracy-loss": self.accuracy_loss,
            "bits": self.bits,
        }
        turned = [f"--{name}" for name, value in given.items() if value is not None]
        if len(turned) > 1:
            raise UsageError(f"one dial at a time, not {' and '.join(turned)}")
        if self.max_error is not None and not 0 <= self.max_error <= LARGEST_ERROR:
            raise UsageError(f"--max-error is 0 to {LARGEST_ERROR}, not {self.max_error}")
        for name, value in (("bytes", self.bytes_per_image), ("bits", self.bits)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"--{name} is above 0, not {value:g}")
        if self.psnr_db is not None and not 0 < self.psnr_db <= MOST_DB:
            raise UsageError(
                f"--psnr is in dB, above 0 and at most {MOST_DB:g}, not {self.psnr_db:g}; leave it out to lose nothing"
            )
        if self.accuracy_loss is not None and not 0 <= self.accuracy_loss <= 100:
            raise UsageError(f"--accuracy-loss is in points, 0 to 100, not {self.accuracy_loss:g}")

    @property
    def is_lossless(self) -> bool:
        """Whether nothing may be lost."""
        return all(value is None for value in (self.max_error or None, *(getattr(self, name) for name in FLOATS)))

    def goal(self, images: int, judging: Judging | None = None) -> Goal:
        """What the archive of so many images has to be. Raises UsageError for bits, which only a model has."""
        if self.bits is not None:
            raise UsageError("--bits takes a model: -m MODEL, which `engram train` makes")
        if self.bytes_per_image is not None:
            return Size(self.bytes_per_image)
        if self.psnr_db is not None:
            return Quality(self.psnr_db, images)
        if self.accuracy_loss is not None:
            assert judging is not None
            return judging.losing(self.accuracy_loss)
        return LargestError(self.max_error or 0)


def checked_block_size(given: SupportsIndex) -> int:
    """How many images a block has. Raises UsageError outside of 1 to 65536."""
    try:
        block_size = operator.index(given)
    except TypeError:
        raise UsageError(f"a block has a whole number of images, not {given!r}") from None
    if not 1 <= block_size <= MOST_CELLS_IN_BLOCK:
        raise UsageError(f"a block has 1 to {MOST_CELLS_IN_BLOCK:,} images, not {block_size:,}")
    return block_size


def budget_of(given: str | float | Budget) -> Budget:
    """The budget of a number of seconds, or of "90s", "2m", "1.5h", "500steps" or "0". Raises UsageError."""
    if isinstance(given, Budget):
        return given
    if isinstance(given, int | float) and 0 <= given < math.inf:
        return Budget(float(given))
    found = re.fullmatch(r"(?P<time>\d+(?:\.\d+)?)(?P<unit>[smh]?)|(?P<steps>\d+) ?steps", str(given).strip())
    if not found:
        raise UsageError(f"--budget is a time such as 90s, 2m or 1h, or 500steps, or 0 to learn nothing, not {given!r}")
    if found["steps"]:
        return Budget(steps=int(found["steps"]))
    return Budget(float(found["time"]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found["unit"]])
