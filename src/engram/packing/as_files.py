"""Pictures that are kept as the files that they came in: JPEG files, and whatever is smaller so than coded."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from engram.archive import Archive, Coder
from engram.codecs.picture_files import LEARNED_BYTES, PictureFiles
from engram.datasets.cells import Group, may_be_files
from engram.datasets.collection import Collection
from engram.datasets.notices import Notice
from engram.kinds import KINDS
from engram.packing.groups import Chosen

LEARNED_FILES = 1500
"""That are learned from, at most."""


def choose(collection: Collection, groups: Sequence[Group]) -> list[Chosen]:
    """What codes groups of files: one model for all."""
    if not groups:
        return []
    rows = np.sort(np.concatenate([group.rows for group in groups]))
    files = collection.read_files(rows[:: -(-len(rows) // LEARNED_FILES)])
    enough = sum(size <= LEARNED_BYTES for size in accumulate(map(len, files)))
    learned = PictureFiles.learn(KINDS["gray"], (1, 1), files[: max(1, enough)], len(rows))
    sizes = collection.file_sizes
    coders = [Coder(group.kind, (learned.at(group.kind, group.size),)) for group in groups]
    return [Chosen(coder, _why(sizes[group.rows])) for group, coder in zip(groups, coders, strict=True)]


def _why(sizes: NDArray[np.int64]) -> str:
    words = "files, which come back byte for byte"  # of an archive also such as were stored as they are
    return f"JPEG {words}; they take {sizes.mean():,.2f} bytes each" if sizes.all() else words


def smaller(collection: Collection, groups: Sequence[Group], chosen: Sequence[Chosen]) -> dict[int, Chosen]:
    """What codes the groups, by their numbers, whose pictures take fewer bytes as the files that they are."""
    sizes, found = collection.file_sizes, dict[int, Chosen]()
    small = may_be_files(collection.sizes, collection.kinds, collection.kind_numbers)
    for number, (group, each) in enumerate(zip(groups, chosen, strict=True)):
        files = sizes[group.rows]
        if group.of_files or not (len(files) and small[group.rows].all() and files.all()):
            continue
        if files.sum() < each.bytes_in_all:
            stored = PictureFiles(group.kind, group.as_files().size)
            coded = each.bytes_in_all / len(files)
            why = (
                f"its files are stored as they are, {files.mean():,.2f} bytes each; coded they take about {coded:,.2f}"
            )
            found[number] = Chosen(Coder(group.kind, (stored,)), why, float(files.sum()))
    return found


def tell_of_not_rebuilt(archive: Archive, collection: Collection) -> None:
    """Warns of JPEG files of a collection that are stored as they are in its archive."""
    rows = not_rebuilt(archive)
    if len(rows):
        what = "JPEG files that are not rebuilt from their coefficients: stored as they are"
        notice = Notice(what, len(rows), len(collection), collection.where(int(rows[0])))
        warnings.warn(notice, stacklevel=4)


def not_rebuilt(archive: Archive) -> NDArray[np.int64]:
    """The rows of JPEG files that are stored as they are, and not by their coefficients."""
    found = [np.empty(0, np.int64)]
    for number, source in enumerate(archive.sources):
        bounds, first = archive.segment(number).group_blocks.tolist(), archive.first_of(number)[1]
        for group in range(len(source.directory.groups)):
            files = archive.coder(number, group).files
            for block in range(first + bounds[group], first + bounds[group + 1]) if files else ():
                rows, [data] = archive.rows_of(block), archive.read_blocks([block])
                assert files is not None
                found.append(rows[files.not_rebuilt(data, len(rows))])
    return np.sort(np.concatenate(found))
