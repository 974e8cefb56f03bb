"""One error for each promise that an archive, or the making of one, can break."""

from __future__ import annotations

from engram.codecs import contract
from engram.errors import CorruptData, EngramError, UsageError
from engram.files import CannotWrite, OutputExists


class CorruptArchive(CorruptData):
    """An archive that does not keep FORMAT.md's promises."""


class NotAnArchive(CorruptArchive):
    """The file does not begin as an archive does."""


class UnsupportedVersion(CorruptArchive):
    """An archive of a format version that this engram does not read."""


class SeveralArchives(UsageError):
    """A file of several archives, where one is needed."""


class TruncatedArchive(CorruptArchive):
    """The file ends before its footer, or goes on after it."""


class LimitExceeded(CorruptArchive):
    """A declared size beyond the format's limits; nothing was allocated for it."""


class CorruptHeader(CorruptArchive):
    """A header whose checksum or content is wrong."""


class CorruptIndex(CorruptArchive):
    """A footer or index whose checksum is wrong, or whose lengths do not add up to the file."""


class CorruptModel(CorruptArchive, contract.CorruptModel):
    """An embedded model that is not the one that the header names, or that makes no codec."""


class ModelMismatch(CorruptArchive):
    """A model given by hand that is not the one that the header names."""


class CorruptMetadata(CorruptArchive):
    """Labels, class names or file names whose checksum or content is wrong; the images are not touched by it."""


class CorruptBlock(CorruptArchive):
    """A block whose checksum or content is wrong: images first to stop - 1 are lost, and no others."""

    def __init__(self, path: str, number: int, first: int, stop: int, reason: str) -> None:
        super().__init__(path, number, first, stop, reason)
        self.path, self.number, self.first, self.stop, self.reason = path, number, first, stop, reason

    def __str__(self) -> str:
        return (
            f"{self.path}: block {self.number} (images {self.first} to {self.stop - 1}) {self.reason}; "
            f"the other blocks can still be read: `engram unpack --skip-damaged` saves them"
        )


class UnsafeName(CorruptArchive):
    """A file name in an archive that would leave its folder, hide, or not be a file everywhere."""


class DuplicateName(CorruptArchive):
    """Two images of an archive that would be one file."""


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
