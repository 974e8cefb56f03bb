"""Models that engram has ever brought stay, for archives name them by their SHA-256: the list here only grows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import engram
from engram.archive import shipped

LIST = Path(__file__).with_name("shipped_models.txt")


def test_every_model_that_was_ever_shipped_is_found_by_its_sha256() -> None:
    listed = [line.split()[0] for line in LIST.read_text().splitlines()]
    assert len(listed) == len(set(listed)) >= 13
    for digest in listed:
        model = shipped.find(digest)
        assert model is not None
        assert hashlib.sha256(model).hexdigest() == digest


def test_every_shipped_model_is_on_the_list() -> None:
    listed = {line.split()[0] for line in LIST.read_text().splitlines()}
    for name in shipped.names():
        with engram.open(shipped.FOLDER / f"{name}.egm") as archive:
            assert {model.sha256 for model in archive.sources[0].directory.models} <= listed
