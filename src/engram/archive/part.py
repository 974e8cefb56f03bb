"""The part file: an archive under way, which becomes the archive or is taken up again after an interruption.

`x.egm.part` grows group by group and is always the beginning of a right archive, or a bit more. Beside it,
`x.egm.part.blocks` is its journal: 12 bytes for each full block, its length, its checksum, and the CRC-32 of the pixels
it was made from. The last lets a resumed pack prove that it is given the same images again. The journal is written
after the blocks; should a power cut swap the two, the checksums find it.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import ArchiveBusy, ArchiveExists, PackInterrupted, ResumeMismatch
from engram.files import replacing_file

Entries = NDArray[np.uint32]
"""uint32[blocks, 3]: length, checksum, pixels' checksum."""
_ENTRY_BYTES = 12


class Part:
    """The part file of `path`, beginning with `prefix`, locked against other writers.

    With `resume` it keeps the whole blocks that an earlier part has, in full groups of `group_blocks`.
    `beside` is a file that the archive needs, path and content: it is there before the archive is.
    Raises ArchiveExists, ArchiveBusy, ResumeMismatch, PackInterrupted.
    """

    def __init__(
        self,
        path: Path,
        prefix: bytes,
        group_blocks: int,
        force: bool,
        resume: bool,
        beside: tuple[Path, bytes] | None = None,
    ) -> None:
        self.path, self._force, self._beside = path, force, beside
        self._part_path = path.with_name(path.name + ".part")
        self._journal_path = path.with_name(path.name + ".part.blocks")
        self._entries = bytearray()
        self._full_blocks = 0
        self._file = self._journal = -1
        self._check_free()
        try:
            with self._explaining():
                self._file = _open_locked(self._part_path)
                self._journal = os.open(self._journal_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                if resume:
                    self._recover(prefix, group_blocks)
        except BaseException:
            self.close()
            raise
        try:
            with self._explaining():
                self._begin(prefix)
        except BaseException:
            self.abandon()
            raise

    @property
    def entries(self) -> Entries:
        """Of all blocks so far."""
        return np.frombuffer(bytes(self._entries), "<u4").reshape(-1, 3)

    @property
    def blocks(self) -> int:
        return len(self._entries) // _ENTRY_BYTES

    def write(self, blocks: Sequence[bytes], pixels_checksums: Sequence[int], full: int) -> None:
        """Adds coded blocks, of which the first `full` have as many images as a block can."""
        rows = [(len(block), zlib.crc32(block), pixels) for block, pixels in zip(blocks, pixels_checksums, strict=True)]
        entries = np.array(rows, "<u4").tobytes()
        with self._explaining():
            _write(self._file, b"".join(blocks))
            _write(self._journal, entries[: full * _ENTRY_BYTES])
        self._entries += entries
        self._full_blocks += full

    def finish(self, tail: bytes) -> None:
        """Adds the archive's end and gives the file its name."""
        with self._explaining():
            _write(self._file, tail)
            os.fsync(self._file)
            self._check_free()
            if self._beside and not _holds(*self._beside):
                path, content = self._beside
                with replacing_file(path) as file:
                    file.write(content)
                    self.path.unlink(missing_ok=True)  # never an older archive beside what is not its own
            os.replace(self._part_path, self.path)
            self._journal_path.unlink(missing_ok=True)
            _sync_folder(self.path.parent)
        self.close()

    def abandon(self) -> None:
        """Stops. What is done is kept; where that is nothing, nothing is left. After `finish` it does nothing."""
        if self._file >= 0 and not self._full_blocks:
            self._part_path.unlink(missing_ok=True)
            self._journal_path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        for file in (self._file, self._journal):
            if file >= 0:
                os.close(file)
        self._file = self._journal = -1

    def _recover(self, prefix: bytes, group_blocks: int) -> None:
        """Takes over the blocks that journal and part agree on."""
        found = os.pread(self._file, len(prefix), 0)
        if len(found) < len(prefix):
            return
        if found != prefix:
            raise ResumeMismatch(
                f"{self._part_path} was begun with another codec, model or block size; pack as it was begun, "
                f"or afresh without --resume"
            )
        data = os.pread(self._journal, os.fstat(self._journal).st_size, 0)
        entries = np.frombuffer(data[: len(data) // _ENTRY_BYTES * _ENTRY_BYTES], "<u4").reshape(-1, 3)
        whole, offset = 0, len(prefix)
        for length, checksum, _ in entries.tolist():
            block = os.pread(self._file, length, offset)
            if len(block) != length or zlib.crc32(block) != checksum:
                break
            whole, offset = whole + 1, offset + length
        self._full_blocks = whole // group_blocks * group_blocks
        self._entries += entries[: self._full_blocks].tobytes()

    def _begin(self, prefix: bytes) -> None:
        """Cuts off what was not taken over, and leaves both files at their ends."""
        end = len(prefix) + int(self.entries[:, 0].sum(dtype=np.int64))
        os.ftruncate(self._file, end if self._entries else 0)
        os.ftruncate(self._journal, len(self._entries))
        os.lseek(self._file, 0, os.SEEK_END)
        os.lseek(self._journal, 0, os.SEEK_END)
        if not self._entries:
            _write(self._file, prefix)

    def _check_free(self) -> None:
        if not self._force and self.path.exists():
            raise ArchiveExists(f"{self.path} exists already; choose another name, or replace it with --force")
        if not self._force and self._beside and self._beside[0].exists() and not _holds(*self._beside):
            raise ArchiveExists(
                f"{self._beside[0]} exists already, and is another model; choose another name, or use --force"
            )

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Makes PackInterrupted of what the operating system refuses."""
        try:
            yield
        except OSError as error:
            kept = (
                f"{self._full_blocks:,} blocks are kept in {self._part_path.name}: make room, then go on with --resume"
                if self._full_blocks
                else "nothing was left there: make room, or choose another place"
            )
            raise PackInterrupted(f"{self.path} could not be written ({error.strerror or error}); {kept}") from error


def _open_locked(path: Path) -> int:
    """An open file that no other process has open this way."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = path.exists() and os.path.samestat(os.fstat(file), os.stat(path))  # not renamed just now
    except BlockingIOError:
        free = False
    except OSError:  # a file system without locks
        free = True
    if free:
        return file
    os.close(file)
    raise ArchiveBusy(f"{path} is being written by another process; wait for it, or choose another name")


def _write(file: int, data: bytes) -> None:
    """All of `data`; the operating system may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _holds(path: Path, data: bytes) -> bool:
    """Whether there is a file with these bytes."""
    return path.is_file() and path.read_bytes() == data


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
