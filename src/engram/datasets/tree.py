"""Trees of files: a folder, a .zip, a .tar, or one file alone, each read without being unpacked."""

from __future__ import annotations

import errno
import os
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from engram.datasets.deflate import LARGEST_EXPANSION
from engram.datasets.notices import Notice
from engram.errors import CorruptData, UsageError

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".tga", ".ico"),
    )
)
"""Of the files of a folder that are taken for pictures."""
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, LookupError),
    *(RuntimeError, OverflowError, MemoryError),
)
"""What zipfile and tarfile raise at bytes that are not theirs."""
MOST_FILE_BYTES = 1 << 28
"""Of a file in a .zip or .tar; what claims more is no small picture."""


class DamagedContainer(CorruptData):
    """A .zip, .tar or .parquet that cannot be read."""


class DamagedMember(CorruptData):
    """A file in a .zip, .tar or .parquet that is damaged, encrypted, too large, or missing."""


class TwiceInContainer(CorruptData):
    """Two files of one path in a .zip or .tar."""


class CompressedTar(UsageError):
    """A .tar in which no file can be found without expanding all that come before it."""


@dataclass(frozen=True)
class Member:
    """A file in a tree that is no folder; its text is what messages call it."""

    tree: Tree
    path: str

    def read_bytes(self) -> bytes:
        return self.tree.read(self.path)

    def __str__(self) -> str:
        return f"{self.tree.name}/{self.path}"


@dataclass(frozen=True)
class Held:
    """A file that is in memory; name is what messages call it."""

    name: str
    data: bytes

    def read_bytes(self) -> bytes:
        return self.data

    def __str__(self) -> str:
        return self.name


File = Path | Member | Held


class Tree(ABC):
    """Files by their paths below a root, with "/" between folders.

    name: what messages call it. notices: what is to be told of it.
    """

    name: str
    notices: tuple[Notice, ...] = ()

    @abstractmethod
    def files(self) -> Iterator[tuple[str, bool]]:
        """(the path of each visible file, whether it is a file and no link that leads nowhere)."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The bytes of a file."""

    def size(self, path: str) -> int:
        """The bytes of a file, how many."""
        return len(self.read(path))

    def at(self, path: str) -> File:
        """A file, as Pillow opens it."""
        return Member(self, path)

    def is_file(self, path: str) -> bool:
        """Whether what `files` names is a file, and no link that leads nowhere."""
        return True

    @property
    def has_sidecars(self) -> bool:
        """Whether files beside a picture that are called like it say what is known of it, as in webdataset's tars."""
        return True

    def columns(self) -> dict[str, Any] | None:
        """The columns of a table of pictures, values or a Column by name; None of files that are found by names."""
        return None


class Folder(Tree):
    """A folder. Hidden files and folders are ignored; folders that links lead to are gone into, but not in a circle."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
        self.name, self._folder = str(folder), folder

    def files(self) -> Iterator[tuple[str, bool]]:
        waiting = [("", frozenset((_identity(self._folder),)))]
        while waiting:
            below, above = waiting.pop()
            with os.scandir(os.path.join(self._folder, below)) as entries:
                for entry in entries:
                    path = below + entry.name
                    if entry.name[0] == ".":
                        continue
                    if not _is(entry, folder=True):
                        yield path, _is(entry, folder=False)
                    elif (identity := _identity(entry)) not in above:
                        waiting.append((f"{path}/", above | {identity}))

    def read(self, path: str) -> bytes:
        return (self._folder / path).read_bytes()

    def size(self, path: str) -> int:
        return (self._folder / path).stat().st_size

    def at(self, path: str) -> File:
        return self._folder / path

    @property
    def has_sidecars(self) -> bool:
        return False


class Single(Folder):
    """One file of a folder."""

    def __init__(self, file: Path) -> None:
        super().__init__(file.absolute().parent)
        self.name, self._file = str(file), file.name

    def files(self) -> Iterator[tuple[str, bool]]:
        yield self._file, True


class Zip(Tree):
    """A .zip file. Raises DamagedContainer and TwiceInContainer."""

    def __init__(self, path: Path) -> None:
        self.name, self._members = str(path), dict[str, zipfile.ZipInfo]()
        self._bytes = path.stat().st_size
        with _explaining(self.name, DamagedContainer):
            self._file = zipfile.ZipFile(path)
        for member in self._file.infolist():
            if not member.filename.endswith("/"):
                _add(self._members, member.filename.removeprefix("./"), member, self.name)

    def files(self) -> Iterator[tuple[str, bool]]:
        yield from ((path, self.is_file(path)) for path in self._members if _is_visible(path))

    def is_file(self, path: str) -> bool:
        return self._members[path].external_attr >> 28 != _LINK

    def read(self, path: str) -> bytes:
        member, name = self._members[path], f"{self.name}/{path}"
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DamagedMember(f"{name} is neither stored nor deflated; make the .zip file anew")
        _check_size(name, member.file_size)
        _check_size(name, member.compress_size)  # zipfile takes room for what is claimed
        expanded = member.compress_size * (LARGEST_EXPANSION if member.compress_type == zipfile.ZIP_DEFLATED else 1)
        if member.compress_size > self._bytes or member.file_size > expanded:
            raise DamagedMember(f"{name} claims more bytes than there are; repair it or take it out")
        with _explaining(name, DamagedMember), self._file.open(member) as file:
            return file.read()

    def size(self, path: str) -> int:
        return self._members[path].file_size


class Tar(Tree):
    """A .tar file that is not compressed. Raises DamagedContainer and TwiceInContainer."""

    def __init__(self, path: Path) -> None:
        self.name, self._path, self._members = str(path), path, dict[str, tuple[int, int]]()
        self._links = list[str]()
        with (
            _explaining(self.name, DamagedContainer),
            open(path, "rb") as data,
            tarfile.TarFile(fileobj=_Headers(data)) as file,  # type: ignore[arg-type]  # what it needs is there
        ):
            for member in file:
                self._take(member)
                file.members = []  # type: ignore[attr-defined]  # it would keep them all
            data.seek(file.offset)
            if data.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise EOFError(f"no end mark at byte {file.offset:,}: it is cut, damaged or compressed")

    def _take(self, member: tarfile.TarInfo) -> None:
        if member.size < 0:
            raise ValueError(f"{member.name} has a size below 0")  # tarfile would go back, again and again
        path, first = member.name.removeprefix("./"), member.linkname.removeprefix("./")
        if member.isreg() and not member.issparse():
            _add(self._members, path, (member.offset_data, member.size), self.name)
        elif member.islnk() and first in self._members:
            _add(self._members, path, self._members[first], self.name)
        elif not member.isdir():
            self._links.append(path)

    def files(self) -> Iterator[tuple[str, bool]]:
        yield from ((path, True) for path in self._members if _is_visible(path))
        yield from ((path, False) for path in self._links if _is_visible(path))

    def is_file(self, path: str) -> bool:
        return path in self._members

    def read(self, path: str) -> bytes:
        offset, size = self._members[path]
        _check_size(f"{self.name}/{path}", size)
        with open(self._path, "rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise DamagedMember(f"{self.name} ends within {path}")
        return data

    def size(self, path: str) -> int:
        return self._members[path][1]


class _Headers:
    """A file from which tarfile reads headers: no more at once than a header may have, whatever it claims."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _MOST_HEADER_BYTES:
            raise ValueError(f"a header claims {size:,} bytes")
        return self._file.read(size)


_Place = TypeVar("_Place")
_MOST_HEADER_BYTES = 1 << 20
"""Of what the header of a file in a .tar says in words: long names, and extended headers."""
_LINK = 0o12
"""What a symbolic link's mode begins with."""
_CONTAINERS = {".zip": Zip, ".tar": Tar}
_PACKED_TARS = (".tgz", ".tbz2", ".txz", ".tzst")
_COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}
"""What expands files that begin so."""


def tree_of(path: Path) -> Tree | None:
    """The tree of a folder, or of a .zip or .tar file; None where it is neither. Raises CompressedTar."""
    if path.is_dir():
        return Folder(path)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if not suffixes or not path.is_file():
        return None
    if ".tar" in suffixes or suffixes[-1] in _PACKED_TARS:
        _refuse_compressed(path)
    kind = _CONTAINERS.get(suffixes[-1])
    return kind(path) if kind else None


def _refuse_compressed(path: Path) -> None:
    with open(path, "rb") as file:
        start = file.read(8)
    for magic, expand in _COMPRESSED.items():
        if start.startswith(magic):
            raise CompressedTar(f"{path} is a compressed tar; expand it first: `{expand} < {path} > expanded.tar`")


def opened(file: File) -> Path | BytesIO:
    """What Pillow opens."""
    return file if isinstance(file, Path) else BytesIO(file.read_bytes())


def _add(members: dict[str, _Place], path: str, member: _Place, name: str) -> None:
    if path in members:
        raise TwiceInContainer(f"{name} has two files called {path}; take one out")
    members[path] = member


def _is_visible(path: str) -> bool:
    """Whether neither the file nor a folder of it is hidden; `..` is not hidden, but refused later."""
    return not any(name == "__MACOSX" or (name[:1] == "." and name.strip(".")) for name in path.split("/"))


def _check_size(name: str, size: int) -> None:
    if size > MOST_FILE_BYTES:
        raise DamagedMember(f"{name} claims {size:,} bytes, and a small picture has less; take it out")


@contextmanager
def _explaining(name: str, kind: type[CorruptData]) -> Iterator[None]:
    try:
        yield
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # what a place outside the file comes to
            raise
        raise kind(f"{name} cannot be read ({error}); repair it or take it out") from error


def _is(entry: os.DirEntry[str], folder: bool) -> bool:
    try:
        return entry.is_dir() if folder else entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _identity(folder: str | os.PathLike[str]) -> tuple[int, int]:
    """What is the same for a folder by whatever path it is found."""
    found = os.stat(folder)
    return found.st_dev, found.st_ino
