"""engram repack as a person types it: in place or beside, in the same codes or in others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from PIL import Image

import engram
from engram import archive
from engram.archive import writer
from engram.archive.changing import remove
from engram.datasets import wardrobe
from engram.packing import repacking, to_archive

PIXELS = wardrobe.draw(130, 1).images[..., 0]


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """130 pictures of two sizes with a metadata file, packed, in blocks of 16; 30 of them appended."""
    for name, rows in (("pets", range(100)), ("more", range(100, 130))):
        lines = ["file_name,age"]
        for row in rows:
            place = tmp_path / name / ("cat", "dog")[row % 2] / f"{row:03}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(PIXELS[row] if row % 10 else PIXELS[row][:20]).save(place)
            lines.append(f"{place.relative_to(tmp_path / name).as_posix()},{row % 7}")
        (tmp_path / name / "metadata.csv").write_text("\n".join(lines))
    engram.pack(tmp_path / "pets", tmp_path / "pets.egm", budget=0, block_size=16)
    assert run("append", tmp_path / "pets.egm", tmp_path / "more").returncode == 0
    return tmp_path / "pets.egm"


def held(path: Path) -> Any:
    """All that an archive holds, by path."""
    with archive.open(path) as opened:
        table = {name: opened.table[name].tolist() for name in opened.column_names}
        images = {name: (image.shape, image.tobytes()) for name, image in zip(table["path"], opened, strict=True)}
        rows = dict(zip(table["path"], zip(*table.values(), strict=True), strict=True))
        return images, rows, repacking.kept_files(opened)


def test_in_its_own_codes_it_is_smaller_and_holds_the_same(pets: Path) -> None:
    remove(pets, np.arange(0, 130, 3))
    before, size = held(pets), pets.stat().st_size
    assert len(before[2]) == 2
    with archive.open(pets) as reader:
        told = run("repack", pets, "--json")
        assert told.returncode == 0, told.stderr
        assert [image.shape for image in reader] == [shape for shape, _ in before[0].values()], "it reads the old one"
    found = json.loads(told.stdout)
    assert held(pets) == before
    assert (found["bytes_before"], found["archive_bytes"]) == (size, pets.stat().st_size)
    assert found["archive_bytes"] < size - 43 * 100, "the pictures that were taken out are gone"
    assert found["blocks_coded"] > 0
    assert archive.info(pets).segments == 1


def test_in_another_code_and_block_size(pets: Path, tmp_path: Path) -> None:
    before = held(pets)
    done = run("repack", pets, "-o", tmp_path / "b.egm", "--budget", "0", "--block", "8")
    assert done.stdout.startswith(f"{tmp_path / 'b.egm'}: 130 images in ")
    assert "no loss, largest error 0" in done.stdout
    assert held(tmp_path / "b.egm") == before == held(pets)
    assert {group.block_size for group in archive.info(tmp_path / "b.egm").groups} == {8}
    done = run("repack", pets, "-o", tmp_path / "b.egm", "--budget", "0")
    assert (done.returncode, "exists already" in done.stderr) == (2, True)
    assert run("repack", pets, "-o", tmp_path / "b.egm", "-m", "generic-gray", "--force").returncode == 0
    assert held(tmp_path / "b.egm") == before


def test_what_has_lost_something_loses_more_only_by_force(pets: Path, tmp_path: Path) -> None:
    lossy = tmp_path / "lossy.egm"
    assert run("repack", pets, "-o", lossy, "--max-error", "6", "--budget", "0").returncode == 0
    before = held(lossy)
    for dial in ([], ["--max-error", "12"], ["-m", "generic-gray"]):
        done = run("repack", lossy, *dial)
        assert (done.returncode, done.stdout) == (2, "")
        assert "has lost something already" in done.stderr
        assert held(lossy) == before
    assert run("repack", lossy, "--lossless", "--budget", "0").returncode == 0
    assert held(lossy) == before
    with archive.open(lossy) as opened:
        assert all(coder.lossless for coder in opened.coders)
    assert run("repack", lossy, "--max-error", "6", "--budget", "0").returncode == 0, "its pixels are exact now"
    assert run("repack", lossy, "--max-error", "20", "--budget", "0", "--force").returncode == 0
    assert held(lossy)[1:] == before[1:]


def test_an_interrupted_repack_leaves_the_archive_and_is_gone_on_with(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH_BYTES", 16 * 28 * 28)
    before = pets.read_bytes()
    engram.repack(pets, tmp_path / "whole.egm", max_error=2, budget=0)

    def stop(what: str, done: int, total: int) -> None:
        if what == "Packing" and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engram.repack(pets, max_error=2, budget=0, progress=stop)
    assert pets.read_bytes() == before
    done = run("repack", pets, "--max-error", "2", "--budget", "0", "--resume", "--json")
    assert json.loads(done.stdout)["images_resumed"] > 0
    assert pets.read_bytes() == (tmp_path / "whole.egm").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more", "pets", "pets.egm", "whole.egm"]


def test_stopped_while_it_checks_the_old_one_is_whole(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(to_archive._Job, "_reached", stop)
    before = pets.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        engram.repack(pets, budget=0)
    assert pets.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more", "pets", "pets.egm"]


def test_a_shard_set_becomes_one_file(tmp_path: Path) -> None:
    engram.pack(PIXELS, tmp_path / "a.egm", budget=0, block_size=16)
    engram.shard([tmp_path / "a.egm"], tmp_path / "set", images=40)
    engram.append(engram.ImageSet(PIXELS[:5, ..., None]), tmp_path / "set")
    for words in ((tmp_path / "set",), (tmp_path / "set" / "shards.json",)):
        done = run("repack", *words)
        assert (done.returncode, "is a shard set" in done.stderr) == (2, True)
    for number, options in enumerate(([], ["--budget", "0"])):
        assert run("repack", tmp_path / "set", "-o", tmp_path / f"{number}.egm", *options).returncode == 0
        with archive.open(tmp_path / f"{number}.egm") as opened:
            np.testing.assert_array_equal(opened[:][..., 0], np.concatenate([PIXELS, PIXELS[:5]]))
            assert opened.info.model_embedded


def test_a_model_that_lies_beside_stays_there_or_comes_along(tmp_path: Path) -> None:
    engram.pack(PIXELS, tmp_path / "a.egm", model="generic-gray", model_apart=True)
    remove(tmp_path / "a.egm", [3], model=tmp_path / "a.egm.model")
    engram.repack(tmp_path / "a.egm", tmp_path / "b.egm")
    engram.repack(tmp_path / "a.egm")
    embedded = [archive.info(tmp_path / name).model_embedded for name in ("a.egm", "b.egm")]
    assert embedded == [False, True]
    with pytest.raises(engram.UsageError, match="name another archive: -o NEW"):
        engram.repack(tmp_path / "b.egm", budget=0, model_apart=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["memory://a.egm"], "is at a URL, where nothing is replaced"),
        (["nothing.egm"], "nothing.egm"),
        (["pets.egm", "--block", "0"], "a block has 1 to 65,536 images, not 0"),
        (["pets.egm", "--psnr", "30", "--max-error", "2"], "one dial at a time"),
    ],
)
def test_what_cannot_be_is_said(pets: Path, words: list[str], message: str) -> None:
    done = run("repack", *words, cwd=pets.parent)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
