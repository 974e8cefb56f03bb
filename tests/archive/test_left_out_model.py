"""A model that is left out lies beside its archive, and no other one does, whenever the pack ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from drawing import draw

from engram import archive
from engram.archive.errors import ArchiveExists
from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca
from engram.files import CannotWrite

IMAGES = draw(150)


class Killed(BaseException):
    """Stands for whatever ends a pack in the middle."""


@pytest.fixture(scope="module")
def codecs() -> tuple[Codec, Codec]:
    old, new = (freeze(fit_pca(IMAGES, units), IMAGES) for units in (2, 3))
    assert old.model != new.model
    return old, new


def pack(folder: Path, codec: Codec, *, force: bool = False, resume: bool = False) -> archive.Packed:
    return archive.pack(
        IMAGES,
        codec,
        folder / "a.egm",
        embed_model=False,
        model_path=folder / "a.egm.model",
        force=force,
        resume=resume,
    )


def fits(folder: Path) -> bool:
    return archive.verify(folder / "a.egm", folder / "a.egm.model").ok


def test_it_is_there_before_its_archive(
    tmp_path: Path, codecs: tuple[Codec, Codec], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, order = os.replace, list[str]()

    def noted(old: Path, new: Path) -> None:
        order.append(Path(new).name)
        replace(old, new)

    monkeypatch.setattr(os, "replace", noted)
    pack(tmp_path, codecs[0])
    assert order == ["a.egm.model", "a.egm"]
    assert fits(tmp_path)


@pytest.mark.parametrize("name", ["replace", "fsync", "unlink"])
@pytest.mark.parametrize("call", range(5))
def test_no_archive_lies_beside_another_model_whenever_it_ends(
    tmp_path: Path, codecs: tuple[Codec, Codec], name: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = codecs
    pack(tmp_path, old)
    original, calls = getattr(os, name), 0

    def deadly(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls > call:
            raise Killed
        return original(*arguments, **options)

    monkeypatch.setattr(os, name, deadly)
    try:
        pack(tmp_path, new, force=True)
    except Killed:
        ended = False
    else:
        ended = True
    monkeypatch.undo()
    assert not (tmp_path / "a.egm").exists() or fits(tmp_path)
    if not ended:
        pack(tmp_path, new, force=True, resume=True)
    assert fits(tmp_path)
    assert (tmp_path / "a.egm.model").read_bytes() == new.model


def test_another_model_is_replaced_by_force_only(tmp_path: Path, codecs: tuple[Codec, Codec]) -> None:
    beside = tmp_path / "a.egm.model"
    beside.write_text("years of work")
    with pytest.raises(ArchiveExists, match=r"a\.egm\.model exists already, and is another model; choose another name"):
        pack(tmp_path, codecs[0])
    assert os.listdir(tmp_path) == ["a.egm.model"]
    assert beside.read_text() == "years of work"
    pack(tmp_path, codecs[0], force=True)
    (tmp_path / "a.egm").unlink()
    pack(tmp_path, codecs[0])  # the same model is no obstacle
    assert fits(tmp_path)


def test_a_model_that_finds_no_room_leaves_the_old_pair(
    tmp_path: Path, codecs: tuple[Codec, Codec], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = codecs
    pack(tmp_path, old)

    def full(path: Path) -> None:
        raise CannotWrite(f"{path}: could not be written (No space left on device)")

    monkeypatch.setattr("engram.archive.part.replacing_file", full)
    with pytest.raises(CannotWrite, match=r"a\.egm\.model: could not be written"):
        pack(tmp_path, new, force=True)
    assert fits(tmp_path)
    assert (tmp_path / "a.egm.model").read_bytes() == old.model
