"""One error for each promise that an archive, or the making of one, can break."""

from __future__ import annotations

from engram.codecs import contract
from engram.errors import CorruptData, EngramError, UsageError
from engram.files import CannotWrite, OutputExists
from engram.words import counted


class CorruptArchive(CorruptData):
    """An archive that does not keep FORMAT.md's promises."""


class NotAnArchive(CorruptArchive):
    """The file does not begin as an archive does."""


class UnsupportedVersion(CorruptArchive):
    """An archive that needs what this engram does not know."""


class TruncatedArchive(CorruptArchive):
    """The file ends before its trailer, or goes on after it."""


class LimitExceeded(CorruptArchive):
    """A declared size beyond the format's limits; nothing was allocated for it."""


class CorruptDirectory(CorruptArchive):
    """A directory or index whose checksum or content is wrong, or whose lengths do not add up to the file."""


class CorruptModel(CorruptArchive, contract.CorruptModel):
    """An embedded model that is not the one that the directory names, or that makes no codec."""


class ModelMismatch(CorruptArchive):
    """A model given by hand that is not the one that the directory names."""


class CorruptColumn(CorruptArchive):
    """A column whose checksum or content is wrong; pixels are not touched by it."""


class CorruptBlock(CorruptArchive):
    """A block whose checksum or content is wrong: the pictures that have a cell in it are lost, and no others.

    rows: what is lost, in words: "image 3", "images 64 to 127", "12 images between 5 and 99".
    """

    def __init__(self, path: str, number: int, first: int, stop: int, reason: str, count: int | None = None) -> None:
        super().__init__(path, number, first, stop, reason, count)
        self.path, self.number, self.first, self.stop, self.reason = path, number, first, stop, reason
        self.count = stop - first if count is None else count

    @property
    def rows(self) -> str:
        if self.count == self.stop - self.first:
            return f"images {self.first} to {self.stop - 1}"
        return f"{counted(self.count, 'image')} between {self.first} and {self.stop - 1}"

    def __str__(self) -> str:
        return (
            f"{self.path}: block {self.number} ({self.rows}) {self.reason}; "
            f"the other blocks can still be read: `engram unpack --skip-damaged` saves them"
        )


class UnsafeName(CorruptArchive):
    """A path in an archive that would leave its folder, hide, or not be a file everywhere."""


class ManySizes(UsageError):
    """Pictures of many sizes or kinds, where all have to be of one."""


class ArchiveChanged(EngramError):
    """The file is no longer the one that was opened or pickled."""


class ArchiveExists(OutputExists):
    """Something already lies under the archive's name."""


class ArchiveBusy(UsageError):
    """Another process is writing the same archive."""


class ModelMissing(UsageError):
    """An archive without its model was read without giving the model."""


class ResumeMismatch(UsageError):
    """What is to be packed is not what the interrupted archive was made from."""


class PackInterrupted(CannotWrite):
    """An archive could not be written to its end; what is done is kept for `resume`."""
