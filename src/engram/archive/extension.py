"""The end of an archive file, put on at once: whoever reads sees the file without it or with all of it.

Until the last byte is on the disk, the journal beside the file says how long it was; a process that dies leaves both,
and the next one cuts off what is not whole.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engram.archive import journal
from engram.archive.errors import ArchiveBusy, ArchiveChanged, CorruptArchive, PackInterrupted
from engram.archive.frame import TRAILER
from engram.archive.segment import read_directories
from engram.archive.writer import Writer
from engram.errors import UsageError
from engram.files import CannotWrite
from engram.storage import open as open_storage

_COPIED_AT_ONCE = 1 << 22


@contextmanager
def growing(path: Path) -> Iterator[int]:
    """The open file, which no other process makes grow meanwhile; what an earlier one left half done is cut off.

    Raises ArchiveBusy, and UsageError where there is no such file or it may not be written.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{path} cannot be written to: {error.strerror}") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveBusy(f"{path} is being appended to by another process; wait for it") from None
        except OSError:  # a file system without locks
            pass
        if not os.path.samestat(os.fstat(file), os.stat(path)):  # replaced just now: a lock of it holds off nobody
            raise ArchiveBusy(f"{path} is being written by another process; wait for it")
        _recover(path, file)
        yield file
    finally:
        os.close(file)


def extend(path: Path, file: int, writer: Writer, added: Path) -> None:
    """Puts the segment that a writer completes under the name `added` to the file's end, its last bytes last.

    Raises PackInterrupted where there is no room, and ArchiveChanged where the file was replaced; the file is then as
    it was, and what is encoded is kept for `resume`.
    """
    writer.complete()
    if not os.path.samestat(os.fstat(file), os.stat(path)):
        raise ArchiveChanged(f"{path} was replaced while images were encoded for it; append to the new one")
    before = os.fstat(file).st_size
    try:
        journal.begin(path, before)
        _reserve(file, before, writer.size)
        writer.finish()
        _copy(added, file, before)
        os.fsync(file)
    except BaseException as error:
        os.ftruncate(file, before)
        journal.end(path)
        if isinstance(error, OSError | CannotWrite) and not isinstance(error, PackInterrupted):
            reason = getattr(error, "strerror", None) or error
            raise PackInterrupted(
                f"{path} could not grow ({reason}) and is as it was; make room, then go on with --resume"
            ) from error
        raise
    journal.end(path)


def _recover(path: Path, file: int) -> None:
    before = journal.size_before(path)
    if before is None:
        return
    if os.fstat(file).st_size > before and not _is_whole(path):
        os.ftruncate(file, before)
        os.fsync(file)
    journal.end(path)


def _is_whole(path: Path) -> bool:
    """Whether the file ends with a segment, which is written when all before it is on the disk."""
    with open_storage(path) as file:
        try:
            return bool(read_directories(file))
        except CorruptArchive:
            return False


def _reserve(file: int, offset: int, size: int) -> None:
    """Takes the room on the disk, so that a full one is found before anything is moved."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, offset, size)


def _copy(source: Path, file: int, offset: int) -> None:
    """Copies a file, its trailer when all before it is on the disk."""
    with open(source, "rb") as added:
        last = os.fstat(added.fileno()).st_size - TRAILER.size
        while (at := added.tell()) < last:
            data = added.read(min(_COPIED_AT_ONCE, last - at))
            _write(file, data, offset + at)
        os.fsync(file)
        _write(file, added.read(), offset + last)


def _write(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, offset)
        view, offset = view[done:], offset + done
