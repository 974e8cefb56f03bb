"""The part file: an archive under way, which becomes the archive or is taken up again after an interruption.

`x.egm.part` grows batch by batch and is always the beginning of a right archive, or a bit more. Beside it,
`x.egm.part.blocks` is its journal: first what the archive is packed with, as JSON; then 16 bytes for each block: its
length, its checksum, the CRC-32 of the pixels it was made from, and whether it is the last of what was encoded in one
go. The pixels' checksum lets a resumed pack prove that it is given the same images again. The journal is written after
the blocks; should a power cut swap the two, the checksums find it.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import ArchiveBusy, ArchiveExists, PackInterrupted, ResumeMismatch
from engram.files import replacing_file
from engram.words import counted

Entries = NDArray[np.uint32]
"""uint32[blocks, 4]: length, checksum, pixels' checksum, 1 for the last of a batch."""
_ENTRY_BYTES = 16
_SIZE = struct.Struct("<I")


class Part:
    """The part file of `path`, beginning with `prefix`, locked against other writers.

    setup: JSON, what the archive is packed with. With `resume` the part keeps the whole batches that an earlier one of
    the same setup has. `beside` is a file that the archive needs, path and content: it is there before the archive is.
    Raises ArchiveExists, ArchiveBusy, ResumeMismatch, PackInterrupted.
    """

    def __init__(
        self,
        path: Path,
        prefix: bytes,
        setup: Any,
        force: bool,
        resume: bool,
        beside: tuple[Path, bytes] | None = None,
    ) -> None:
        self.path, self._force, self._beside = path, force, beside
        self._part_path, self._journal_path = part_of(path), journal_of(path)
        text = json.dumps(setup, sort_keys=True).encode()
        self._setup = _SIZE.pack(len(text)) + text
        self._entries = bytearray()
        self._batches = 0
        self._file = self._journal = -1
        self._check_free()
        try:
            with self._explaining():
                self._file = _open_locked(self._part_path)
                self._journal = os.open(self._journal_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                if resume:
                    self._recover(prefix)
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
        return np.frombuffer(bytes(self._entries), "<u4").reshape(-1, 4)

    @property
    def blocks(self) -> int:
        return len(self._entries) // _ENTRY_BYTES

    def write(self, blocks: Sequence[bytes], pixels_checksums: Sequence[int]) -> None:
        """Adds a batch of coded blocks."""
        entries = np.zeros((len(blocks), 4), "<u4")
        entries[:, 0] = [len(block) for block in blocks]
        entries[:, 1] = [zlib.crc32(block) for block in blocks]
        entries[:, 2] = pixels_checksums
        entries[-1:, 3] = 1
        with self._explaining():
            _write(self._file, b"".join(blocks))
            _write(self._journal, entries.tobytes())
        self._entries += entries.tobytes()
        self._batches += 1

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
        if self._file >= 0 and not self._batches:
            self._part_path.unlink(missing_ok=True)
            self._journal_path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        for file in (self._file, self._journal):
            if file >= 0:
                os.close(file)
        self._file = self._journal = -1

    def _recover(self, prefix: bytes) -> None:
        """Takes over the blocks that journal and part agree on."""
        found = os.pread(self._file, len(prefix), 0)
        journal = os.pread(self._journal, os.fstat(self._journal).st_size, 0)
        if len(found) < len(prefix) or len(journal) < len(self._setup):
            return
        if found != prefix or not journal.startswith(self._setup):
            raise ResumeMismatch(
                f"{self._part_path} was begun with another codec, model or block size; pack as it was begun, "
                f"or afresh without --resume"
            )
        data = journal[len(self._setup) :]
        entries = np.frombuffer(data[: len(data) // _ENTRY_BYTES * _ENTRY_BYTES], "<u4").reshape(-1, 4)
        whole, offset = 0, len(prefix)
        for number, (length, checksum, _, is_last) in enumerate(entries.tolist()):
            block = os.pread(self._file, length, offset)
            if len(block) != length or zlib.crc32(block) != checksum:
                break
            offset += length
            whole = number + 1 if is_last else whole
        self._batches = int(entries[:whole, 3].sum())
        self._entries += entries[:whole].tobytes()

    def _begin(self, prefix: bytes) -> None:
        """Cuts off what was not taken over, and leaves both files at their ends."""
        end = len(prefix) + int(self.entries[:, 0].sum(dtype=np.int64))
        os.ftruncate(self._file, end if self._entries else 0)
        os.ftruncate(self._journal, len(self._setup) + len(self._entries) if self._entries else 0)
        os.lseek(self._file, 0, os.SEEK_END)
        os.lseek(self._journal, 0, os.SEEK_END)
        if not self._entries:
            _write(self._file, prefix)
            _write(self._journal, self._setup)

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
            blocks = counted(self.blocks, "block", "is")
            kept = (
                f"{blocks} kept in {self._part_path.name}: make room, then go on with --resume"
                if self._batches
                else "nothing was left there: make room, or choose another place"
            )
            raise PackInterrupted(f"{self.path} could not be written ({error.strerror or error}); {kept}") from error


def part_of(path: Path) -> Path:
    """Where the part of an archive lies."""
    return path.with_name(path.name + ".part")


def journal_of(path: Path) -> Path:
    """Where the journal of a part lies."""
    return path.with_name(path.name + ".part.blocks")


def read_setup(path: Path) -> Any:
    """What the part of an archive was begun with; None where there is none."""
    try:
        data = journal_of(path).read_bytes()
        [size] = _SIZE.unpack_from(data)
        return json.loads(data[_SIZE.size : _SIZE.size + size])
    except (OSError, ValueError, struct.error):
        return None


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
