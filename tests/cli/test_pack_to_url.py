"""`engram pack -o URL`: whole there, or not at all; and nothing is left here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from typer.testing import CliRunner

import engram
from engram.cli.main import app
from engram.datasets import wardrobe
from engram.files import CannotWrite

IMAGES = wardrobe.draw(100, seed=0).images[..., 0]


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", IMAGES)
    system = fsspec.filesystem("memory")
    yield system
    if system.exists("/bucket"):
        system.rm("/bucket", recursive=True)


def pack(url: str, *options: str) -> tuple[int, str, BaseException | None]:
    run = CliRunner().invoke(app, ["pack", "images.npy", "-o", url, "--budget", "0", *options])
    return run.exit_code, run.output, run.exception


def test_it_is_there_and_not_here(memory: Any, tmp_path: Path) -> None:
    code, said, _ = pack("memory://bucket/a.egm")
    assert code == 0
    assert said.startswith("memory://bucket/a.egm: 100 images in ")
    with engram.open("memory://bucket/a.egm") as opened:
        assert np.array_equal(opened[:][..., 0], IMAGES)
    assert [each.name for each in tmp_path.iterdir()] == ["images.npy"]


def test_what_is_there_is_replaced_by_force_only(memory: Any, tmp_path: Path) -> None:
    assert pack("memory://bucket/a.egm")[0] == 0
    before = memory.cat("/bucket/a.egm")
    code, _, error = pack("memory://bucket/a.egm", "--max-error", "4")
    assert code != 0
    assert "memory://bucket/a.egm exists already; choose another name, or replace it with --force" in str(error)
    assert memory.cat("/bucket/a.egm") == before
    assert pack("memory://bucket/a.egm", "--max-error", "4", "--force")[0] == 0
    assert len(memory.cat("/bucket/a.egm")) < len(before)


def test_a_model_that_is_left_out_lies_beside_it(memory: Any, tmp_path: Path) -> None:
    model = tmp_path / "model.egm"
    assert pack(str(model))[0] == 0
    assert pack("memory://bucket/a.egm", "-m", "model.egm", "--model-apart")[0] == 0
    assert sorted(memory.ls("/bucket", detail=False)) == ["/bucket/a.egm", "/bucket/a.egm.model"]
    with engram.open("memory://bucket/a.egm", "memory://bucket/a.egm.model") as opened:
        assert np.array_equal(opened[:][..., 0], IMAGES)


def test_a_scheme_without_whole_objects(tmp_path: Path, memory: Any) -> None:
    """A name of its own until all is there, then the right one."""
    assert pack(f"file://{tmp_path}/there/a.egm")[0] == 0
    assert [each.name for each in (tmp_path / "there").iterdir()] == ["a.egm"]


def test_a_file_of_the_name_here(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "a.egm").write_bytes(b"mine")
    _, _, error = pack("memory://bucket/a.egm")
    assert str(error) == "memory://bucket/a.egm is packed here first, to a.egm, which exists already; move it away"
    assert (tmp_path / "a.egm").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://user:secret@example.org/a.egm", "https://example.org/a.egm: archives are not written by http"),
        ("nothing://bucket/a.egm", "nothing://bucket/a.egm: fsspec does not know that scheme"),
    ],
)
def test_where_nothing_can_be_put(memory: Any, url: str, message: str) -> None:
    _, _, error = pack(url)
    assert str(error).startswith(message)
    assert "secret" not in str(error)


def test_a_store_that_fails_keeps_what_is_packed(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ConnectionError("https://user:secret@store")

    monkeypatch.setattr(type(memory), "put_file", fail)
    _, _, error = pack("memory://bucket/a.egm")
    assert isinstance(error, CannotWrite)
    assert str(error) == (
        "memory://bucket/a.egm could not be written (ConnectionError); what is packed lies whole in a.egm"
    )
    with engram.open(tmp_path / "a.egm") as opened:
        assert len(opened) == 100
    assert not memory.exists("/bucket/a.egm")
