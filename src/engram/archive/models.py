"""Where the model of an archive is found: in it, with the one who reads, beside it, or with engram."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from engram import storage
from engram.archive import format, frame
from engram.archive.errors import ModelMismatch, ModelMissing
from engram.storage import Location

if TYPE_CHECKING:
    from engram.archive.blocks import Blocks

GivenModel = bytes | Path | str | None
"""For an archive that was packed without its model: the model, a file of it, or another archive that embeds it."""


def find_model(archive: Blocks, number: int, model: format.Model, given: GivenModel, beside: Location | None) -> bytes:
    """A model that a segment names. Raises CorruptModel, ModelMissing, ModelMismatch."""
    for owner in (number, *range(len(archive.sources))):
        for each in archive.sources[owner].directory.models:
            if each.embedded and each.sha256 == model.sha256:
                return archive.segment(owner).model(each)
    if not model.bytes:
        return b""
    if given is None and beside is not None:
        given = beside if isinstance(beside, Path) else str(beside)
    if given is None:
        from engram.archive import shipped  # which opens archives, so it cannot be imported before them

        found = shipped.find(model.sha256)
        if found is not None:
            return found
        raise ModelMissing(
            f"{archive.path} was packed without its model; give the model of SHA-256 {model.sha256} "
            "(`--model FILE`, or `model=`): `pack --model-apart` wrote it beside the archive"
        )
    for data in _given(given):
        if hashlib.sha256(data).hexdigest() == model.sha256:
            return data
    raise ModelMismatch(f"{archive.path} was packed with another model, of SHA-256 {model.sha256}")


def _given(model: bytes | Path | str) -> list[bytes]:
    """The models that are given: one, or all that an archive has."""
    if isinstance(model, bytes):
        return [model]
    with storage.open(model) as file:
        if file.read(0, len(frame.MAGIC)) != frame.MAGIC:
            return [file.read(0, file.size)]
    from engram.archive.opening import open

    with open(model) as archive:
        return [
            archive.segment(number).model(each)
            for number, source in enumerate(archive.sources)
            for each in source.directory.models
            if each.embedded
        ]
