"""The sets that engram knows by name: where they lie, what they must hold, and how they come here.

`fetch` looks in $ENGRAM_DATA, then in the user's cache, then asks the authors' server; every file is checked by MD5
each time, so a damaged or partial one is never used.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engram.datasets import idx
from engram.datasets.download import DownloadFailed, WrongBytes, download, md5_of
from engram.datasets.progress import Progress, shifted
from engram.datasets.stream import Stream
from engram.errors import CorruptData, EngramError, UsageError


class NotAvailable(EngramError):
    """A known set that lies nowhere here and could not be downloaded."""


class DamagedFile(CorruptData):
    """A file in $ENGRAM_DATA that is not the one its name promises."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a set, as its authors publish it."""

    name: str
    size_bytes: int
    md5: str


@dataclass(frozen=True)
class KnownSet:
    """A set of the catalog: four IDX files, images and labels for training and for testing."""

    name: str
    base_url: str
    files: tuple[RemoteFile, RemoteFile, RemoteFile, RemoteFile]
    counts: tuple[int, int]
    class_names: tuple[str, ...]


FASHION_MNIST = KnownSet(
    # Xiao, Rasul, Vollgraf 2017, MIT licence: 60,000 and 10,000 images of 28 x 28 gray
    name="fashion-mnist",
    base_url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    files=(
        RemoteFile("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        RemoteFile("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        RemoteFile("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        RemoteFile("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    counts=(60_000, 10_000),
    class_names=(
        "T-shirt/Top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)

CATALOG = {known.name: known for known in (FASHION_MNIST,)}


def stream(name: str, progress: Progress | None = None) -> tuple[Stream, Stream]:
    """Both halves of a known set, to train and to test, fetched if need be; `progress` counts bytes of a download."""
    known = _known(name)
    folder = fetch(name, progress)
    train, test = (idx.stream_set(folder / known.files[part].name, known.class_names) for part in (0, 2))
    return train, test


def fetch(
    name: str,
    progress: Progress | None = None,
    download: Callable[..., None] = download,
) -> Path:
    """The folder with all files of a known set, each of them checked; `progress` counts bytes of a download.

    Raises UsageError for an unknown name, DamagedFile for a wrong file in $ENGRAM_DATA (in the cache it is downloaded
    again), NotAvailable, CannotWrite.
    """
    known = _known(name)
    for folder in _given_folders(known):
        if all((folder / file.name).is_file() for file in known.files):
            for file in known.files:
                if (found := md5_of(folder / file.name)) != file.md5:
                    raise DamagedFile(
                        f"{folder / file.name}: MD5 is {found}, should be {file.md5}; "
                        "replace the file, or unset ENGRAM_DATA to download it"
                    )
            return folder
    return _fetch_to_cache(known, progress, download)


def _fetch_to_cache(known: KnownSet, progress: Progress | None, download: Callable[..., None]) -> Path:
    folder = cache_folder() / known.name
    missing = []
    for file in known.files:
        path = folder / file.name
        if path.is_file() and md5_of(path) != file.md5:
            path.unlink()
        if not path.is_file():
            missing.append(file)
    total, done = sum(file.size_bytes for file in missing), 0
    for file in missing:
        report = shifted(progress, done, total)
        try:
            download(known.base_url + file.name, folder / file.name, file.size_bytes, file.md5, report)
        except (DownloadFailed, WrongBytes) as error:
            places = ", ".join(str(place) for place in (*_given_folders(known), folder))
            given = "" if os.environ.get("ENGRAM_DATA") else " (ENGRAM_DATA is not set)"
            raise NotAvailable(
                f"{known.name} is not here and could not be downloaded. Looked in {places}{given}; tried {error}. "
                "Set ENGRAM_DATA to the folder with its files, or use the built-in set: wardrobe"
            ) from error
        done += file.size_bytes
    return folder


def cache_folder() -> Path:
    """Where downloads are kept for this user."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("engram", appauthor=False))


def _given_folders(known: KnownSet) -> tuple[Path, ...]:
    data = os.environ.get("ENGRAM_DATA")
    return (Path(data), Path(data) / known.name) if data else ()


def _known(name: str) -> KnownSet:
    if name not in CATALOG:
        raise UsageError(f"{name!r} is not in the catalog, which has: {', '.join(CATALOG)}")
    return CATALOG[name]
