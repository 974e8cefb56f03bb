"""A pack that was interrupted goes on with the same pictures, as it was begun, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import of_kind
from PIL import Image

import engram
from engram.archive import writer
from engram.archive.errors import ResumeMismatch
from engram.datasets import wardrobe

Interrupt = Callable[..., None]


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Packs, but ends before the last blocks are written."""

    class Stopped(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Stopped

    monkeypatch.setattr(writer, "BATCH_BYTES", 1 << 14)

    def pack(*arguments: Any, **options: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(writer.Writer, "complete", stop)
            with pytest.raises(Stopped):
                engram.pack(*arguments, budget=0, **options)

    return pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of three sizes and two kinds."""
    (tmp_path / "folder").mkdir()
    for kind, count, size in (
        ("gray", 90, (20, 18)),
        ("gray", 70, (9, 30)),
        ("rgba", 66, (16, 16)),
        ("gray", 3, (5, 5)),
    ):
        for number, picture in enumerate(of_kind(kind, count, size)):
            image = Image.fromarray(picture[..., 0] if kind == "gray" else picture)
            image.save(tmp_path / "folder" / f"{kind}-{size[0]}-{number}.png")
    return tmp_path / "folder"


def test_what_was_done_is_kept_and_the_bytes_are_the_same(folder: Path, tmp_path: Path, interrupt: Interrupt) -> None:
    engram.pack(folder, tmp_path / "whole.egm", budget=0)
    interrupt(folder, tmp_path / "a.egm")
    assert 0 < engram.pack(folder, tmp_path / "a.egm", budget=0, resume=True).images_resumed <= 229
    assert (tmp_path / "a.egm").read_bytes() == (tmp_path / "whole.egm").read_bytes()


@pytest.mark.parametrize("name", ["gray-20-0.png", "rgba-16-0.png"])
def test_a_picture_that_changed_meanwhile_is_seen(
    name: str, folder: Path, tmp_path: Path, interrupt: Interrupt
) -> None:
    interrupt(folder, tmp_path / "a.egm")
    with Image.open(folder / name) as picture:
        picture.load()
    picture.putpixel((3, 2), 7 if picture.mode == "L" else (1, 2, 3, 4))
    picture.save(folder / name)
    with pytest.raises(ResumeMismatch, match="was made from other images"):
        engram.pack(folder, tmp_path / "a.egm", budget=0, resume=True)
    assert not (tmp_path / "a.egm").exists()


def test_pictures_that_came_or_went_meanwhile_are_seen(folder: Path, tmp_path: Path, interrupt: Interrupt) -> None:
    interrupt(folder, tmp_path / "a.egm")
    (folder / "gray-20-0.png").unlink()
    with pytest.raises(ResumeMismatch):
        engram.pack(folder, tmp_path / "a.egm", budget=0, resume=True)


def test_what_is_asked_now_is_kept(tmp_path: Path, interrupt: Interrupt) -> None:
    """An archive that was begun with a larger error is not gone on with where none is asked for."""
    many = wardrobe.draw(300, 0)
    interrupt(many, tmp_path / "a.egm", max_error=20)
    with pytest.raises(ResumeMismatch, match="was begun for something else"):
        engram.pack(many, tmp_path / "a.egm", budget=0, resume=True)
    assert engram.pack(many, tmp_path / "a.egm", max_error=20, budget=0, resume=True).images_resumed > 0
