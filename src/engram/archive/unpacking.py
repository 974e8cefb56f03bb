"""An archive back into what others read, in constant memory, whole or not at all.

| OUT                                      | what comes back                                                     |
|------------------------------------------|---------------------------------------------------------------------|
| `x.npz`                                  | images, labels, class_names, names, and all other columns           |
| `x.npy`                                  | the pixels                                                          |
| `x-images-idx3-ubyte`, `x.idx`, or `.gz` | the pixels, and labels beside them in x-labels-idx1-ubyte, or `.gz` |
| `x.zip`, `x.tar`                         | the files of the folder; of `sidecars` also a .json of its columns  |
| `x.parquet`                              | the files of the folder with their paths, and all other columns     |
| anything else                            | a folder: the tree of the paths; files that were packed as files as |
|                                          | they were, other pictures as PNG files                              |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.archive.blocks import BATCH_BYTES
from engram.archive.errors import CorruptArchive, ManySizes
from engram.archive.models import GivenModel
from engram.archive.opening import open
from engram.archive.verification import Verification, verify
from engram.archive.view import Pictures, View
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.files import OutputExists
from engram.kinds import AnyPixels
from engram.storage import Location


@dataclass(frozen=True)
class Unpacked:
    """How many images were written; with `skip_damaged`, what was left out."""

    images: int
    damage: Verification | None


def unpack(
    archive: Pictures | Location,
    out: Path | str,
    *,
    skip_damaged: bool = False,
    force: bool = False,
    sidecars: bool = False,
    model: GivenModel = None,
    progress: Progress | None = None,
) -> Unpacked:
    """Writes all images of an archive to `out`; the table above says what it becomes.

    skip_damaged: find what is damaged in a first pass, and leave it out. force: replace what is there; a folder only
    if it holds nothing but pictures. sidecars: of a .zip or .tar, x.json beside x.png says what is known of it, as
    webdataset has it. Nothing is left under the name when anything fails.
    Raises CorruptArchive, OutputExists, UnsafeName, CannotWrite, UsageError.
    """
    if not isinstance(archive, Pictures):
        with open(archive, model) as opened:
            return unpack(opened, out, skip_damaged=skip_damaged, force=force, sidecars=sidecars, progress=progress)
    out = Path(out)
    if sidecars and out.suffix not in (".zip", ".tar"):
        raise UsageError(f"{out}: files beside the pictures go to a .zip or .tar, not here")
    if out.exists() and not force:
        raise OutputExists(f"{out} exists already; choose another name, or replace it with --force")
    damage = verify(archive.archive) if skip_damaged else None
    pictures = archive if damage is None else _intact(archive, damage)
    _write(Told(pictures, progress, skip_damaged), out, force, sidecars)
    return Unpacked(len(pictures), damage)


def _intact(pictures: Pictures, damage: Verification) -> Pictures:
    """The pictures without those of damaged blocks, and without damaged columns."""
    if damage.ok:
        return pictures
    lost = np.zeros(len(pictures.archive), bool)
    for block in damage.damaged_blocks:
        lost[pictures.archive.rows_of(block.number)] = True
    return _Intact(pictures.archive, pictures.rows[~lost[pictures.rows]])


class _Intact(View):
    """A view that has no column that is damaged."""

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(name for name in super().column_names if self._is_sound(name))

    def _is_sound(self, name: str) -> bool:
        try:
            self.archive.column(name)
        except CorruptArchive:
            return False
        return True

    @property
    def class_names(self) -> tuple[str, ...]:
        return super().class_names if "label" in self.column_names else ()


class Told:
    """Pictures, and what is told of how many of them have passed. skips_damaged: whether damaged files are left out."""

    def __init__(self, pictures: Pictures, progress: Progress | None, skips_damaged: bool) -> None:
        self.pictures, self.skips_damaged, self._progress = pictures, skips_damaged, progress

    def batches(self) -> Iterator[tuple[NDArray[np.int64], Any]]:
        done = 0
        for places, images in self.pictures.batches():
            yield places, images
            done += len(places)
            if self._progress:
                self._progress(done, len(self.pictures))

    def in_order(self) -> Iterator[Any]:
        """Pictures of one size in the order of their rows."""
        if self.pictures.archive.is_plain:
            yield from (images for _, images in self.batches())
        else:
            archive, rows = self.pictures.archive, self.pictures.rows
            yield from (archive.gather(rows[places]) for places in self._told(self._runs_in_rows()))

    def files(self, in_rows: bool = False) -> Iterator[tuple[NDArray[np.int64], list[bytes]]]:
        """(places, their files): those that were packed, and PNG files of the other pictures.

        in_rows: in the order of the rows.
        """
        archive, rows = self.pictures.archive, self.pictures.rows
        kept = archive.are_files(rows)
        if archive.is_plain and not kept.any():
            yield from ((places, encoded(images)) for places, images in self.batches())
            return
        for places in self._told(self._runs_in_rows() if in_rows else self.pictures.runs()):
            files = archive.files_of(rows[places])
            others = np.flatnonzero(~kept[places])
            for at, data in zip(others.tolist(), encoded(archive.gather(rows[places[others]])), strict=True):
                files[at] = data
            yield places, [file for file in files if file is not None]

    def _told(self, runs: Iterator[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
        done = 0
        for places in runs:
            yield places
            done += len(places)
            if self._progress:
                self._progress(done, len(self.pictures))

    def _runs_in_rows(self) -> Iterator[NDArray[np.int64]]:
        """The places of pictures that are read together, in order."""
        ends, start = np.cumsum(self.pictures.sizes.prod(axis=1) * _LARGEST_PIXEL), 0
        while start < len(ends):
            done = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + BATCH_BYTES, side="right")))
            yield np.arange(start, stop)
            start = stop


def encoded(images: Sequence[AnyPixels]) -> list[bytes]:
    """The PNG file of each picture, made in threads."""
    from engram.datasets.pictures import encode_picture, in_threads

    found = [b""] * len(images)

    def encode(start: int, stop: int) -> int:
        found[start:stop] = [encode_picture(image, ".png", 100) for image in images[start:stop]]
        return 0

    in_threads(encode, len(images))
    return found


_LARGEST_PIXEL = 8
"""In bytes."""


def _write(told: Told, out: Path, force: bool, sidecars: bool) -> None:
    from engram.archive import to_arrays  # the others bring Pillow, and one pyarrow

    if out.suffix in (".zip", ".tar"):
        from engram.archive.to_container import write_tar, write_zip

        return (write_zip if out.suffix == ".zip" else write_tar)(told, out, sidecars)
    if out.suffix == ".parquet":
        from engram.archive.to_parquet import write_parquet

        return write_parquet(told, out)
    if out.suffix not in (".npy", ".npz") and not to_arrays.IDX_NAME.fullmatch(out.name):
        from engram.archive.to_folder import write_folder

        return write_folder(told, out)
    try:
        _ = told.pictures.archive.image_shape
    except ManySizes:
        raise ManySizes(
            f"{told.pictures.archive.path} has pictures of many sizes or kinds, and {out} holds one; "
            "unpack it to a folder"
        ) from None
    if out.suffix == ".npy":
        return to_arrays.write_npy(told, out)
    return to_arrays.write_npz(told, out) if out.suffix == ".npz" else to_arrays.write_idx(told, out, force)
