"""An archive back into what others read, in constant memory, whole or not at all.

| OUT                                      | what comes back                                                     |
|------------------------------------------|---------------------------------------------------------------------|
| `x.npz`                                  | images, labels, class_names, names                                  |
| `x.npy`                                  | the pixels                                                          |
| `x-images-idx3-ubyte`, `x.idx`, or `.gz` | the pixels, and labels beside them in x-labels-idx1-ubyte, or `.gz` |
| anything else                            | a folder of PNG files, in class folders where there are labels      |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engram.archive.file import GivenModel
from engram.archive.intact import Intact
from engram.archive.mixed import ManySizes
from engram.archive.opening import open
from engram.archive.sequence import Reader
from engram.archive.verification import Verification, verify
from engram.datasets.progress import Progress
from engram.files import OutputExists
from engram.storage import Location


@dataclass(frozen=True)
class Unpacked:
    """How many images were written; with `skip_damaged`, what was left out."""

    images: int
    damage: Verification | None


def unpack(
    archive: Reader | Location,
    out: Path | str,
    *,
    skip_damaged: bool = False,
    force: bool = False,
    model: GivenModel = None,
    progress: Progress | None = None,
) -> Unpacked:
    """Writes all images of an archive to `out`; the table above says what it becomes.

    skip_damaged: find what is damaged in a first pass, and leave it out. force: replace what is there; a folder only
    if it holds nothing but pictures. Nothing is left under the name when anything fails.
    Raises CorruptArchive, OutputExists, UnsafeName, DuplicateName, CannotWrite, UsageError.
    """
    if not isinstance(archive, Reader):
        with open(archive, model) as opened:
            return unpack(opened, out, skip_damaged=skip_damaged, force=force, progress=progress)
    out = Path(out)
    if out.exists() and not force:
        raise OutputExists(f"{out} exists already; choose another name, or replace it with --force")
    intact = Intact.of(archive, verify(archive) if skip_damaged else None, progress)
    _write(intact, out, force)
    return Unpacked(len(intact), intact.damage)


def _write(intact: Intact, out: Path, force: bool) -> None:
    from engram.archive import to_arrays

    is_folder = out.suffix not in (".npy", ".npz") and not to_arrays.IDX_NAME.fullmatch(out.name)
    if intact.many and not is_folder:
        raise ManySizes(f"{intact.archive.path} has images of many sizes, and {out} holds one; unpack it to a folder")
    if out.suffix == ".npy":
        to_arrays.write_npy(intact, out)
    elif out.suffix == ".npz":
        to_arrays.write_npz(intact, out)
    elif not is_folder:
        to_arrays.write_idx(intact, out, force)
    else:
        from engram.archive.to_folder import write_folder  # brings Pillow

        write_folder(intact, out)
