"""What an interrupted pack was packing with, so that a resumed one need not learn again."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from engram.archive import layout, shipped
from engram.archive.errors import CorruptArchive
from engram.codecs import registry
from engram.codecs.contract import Codec

BEGUN = "begun"
"""What remembers, among the parts of an archive, its header and its model: the file begins as the archive will."""


def parts_of(path: Path) -> Path:
    """The folder in which an archive that several processes pack lies in parts."""
    return path.with_name(path.name + ".parts")


def interrupted(path: Path) -> tuple[Codec, bool] | None:
    """(the codec of the part, or parts, of an archive that are there, whether its model is in it).

    None where there is no part, or none that says how to encode: then the pack begins anew, or takes its model again.
    """
    places = (path.with_name(path.name + ".part"), parts_of(path) / BEGUN)
    return next((found for found in map(_begun, places) if found), None)


def _begun(place: Path) -> tuple[Codec, bool] | None:
    try:
        with open(place, "rb") as file:
            prelude = file.read(layout.PRELUDE.size)
            rest = layout.header_size(prelude) - len(prelude)
            header = layout.parse_header(prelude + file.read(rest))
            model = file.read(header.model_bytes) if header.model_embedded else shipped.find(header.model_sha256)
    except (FileNotFoundError, struct.error, CorruptArchive):
        return None
    if model is None or hashlib.sha256(model).hexdigest() != header.model_sha256:
        return None
    codec = registry.get(header.codec).from_config(header.config, model)
    return (codec, header.model_embedded) if codec.can_encode else None
