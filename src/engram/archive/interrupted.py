"""What an interrupted pack was packing with, so that a resumed one need not learn again."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engram.archive import format, frame, shipped
from engram.archive.errors import CorruptArchive
from engram.archive.layers import Coder
from engram.archive.part import part_of, read_setup
from engram.archive.writer import Plan
from engram.codecs import registry
from engram.errors import EngramError
from engram.kinds import KINDS

BEGUN = "begun"
"""What remembers, among the parts of an archive, how they are coded: JSON, then the models."""
_SIZE = struct.Struct("<I")


def parts_of(path: Path) -> Path:
    """The folder in which an archive that several processes pack lies in parts."""
    return path.with_name(path.name + ".parts")


def begun_bytes(plan: Plan) -> bytes:
    """What BEGUN holds."""
    text = json.dumps(plan.as_json(), sort_keys=True).encode()
    return _SIZE.pack(len(text)) + text + b"".join(plan.model_bytes)


def interrupted(path: Path) -> tuple[list[Coder], bool] | None:
    """(what codes each group of the archive whose part, or parts, are there; whether its models are in it).

    None where there is no part, or none that says how to encode: then the pack begins anew, or takes its model again.
    """
    try:
        setup = read_setup(path)
        if setup is not None:
            with open(part_of(path), "rb") as file:
                file.seek(frame.PRELUDE.size)
                return _begun(setup, file.read)
        with open(parts_of(path) / BEGUN, "rb") as file:
            [size] = _SIZE.unpack(file.read(_SIZE.size))
            return _begun(json.loads(file.read(size)), file.read)
    except (FileNotFoundError, NotADirectoryError, struct.error, ValueError, TypeError, KeyError, EngramError):
        return None


def _begun(setup: Any, read: Callable[[int], bytes]) -> tuple[list[Coder], bool] | None:
    directory = format.directory_of(
        {"rows": 0, "columns": [], "files": [], "before": [], "width": 1, "index_crc32": 0, "needs": []} | setup
    )
    models = list[bytes]()
    for model in directory.models:
        data = read(model.bytes) if model.embedded else shipped.find(model.sha256)
        if data is None or format.Model.of(data, model.embedded) != model:
            raise CorruptArchive("the part's model is not whole")
        models.append(data)
    coders = []
    for group in directory.groups:
        codings = [directory.codings[number] for number in group.codings]
        codecs = tuple(
            shipped.completed(registry.get(c.id).from_config(c.config, b"" if c.model is None else models[c.model]))
            for c in codings
        )
        coders.append(Coder(KINDS[group.kind], codecs))
    if not all(coder.can_encode for coder in coders):
        return None
    return coders, all(model.embedded for model in directory.models)
