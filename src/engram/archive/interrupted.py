"""What an interrupted pack was packing with, so that a resumed one need not learn again."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from engram.archive import layout, shipped
from engram.archive.errors import CorruptArchive
from engram.codecs import registry
from engram.codecs.contract import Codec


def interrupted(path: Path) -> tuple[Codec, bool] | None:
    """(the codec of the part of an archive that is there, whether its model is in it).

    None where there is no part, or none that says how to encode: then the pack begins anew, or takes its model again.
    """
    try:
        with open(path.with_name(path.name + ".part"), "rb") as file:
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
