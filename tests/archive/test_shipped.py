"""The models that come with engram: found by name, and by what an archive asks for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import engram
from engram import archive as archives
from engram import models
from engram.archive import shipped
from engram.codecs.raw import Raw
from engram.codecs.restored.codec import Restored
from engram.codecs.spatial.codec import Spatial
from engram.datasets import wardrobe
from engram.evaluation.distortion import psnr_db
from engram.evaluation.judge import accuracy, judge_of
from engram.images import ImageSet

NAMES = shipped.names()


def test_there_are_some_and_each_has_a_card() -> None:
    assert "fashion-mnist-lossless" in NAMES
    assert {path.stem for path in shipped.FOLDER.glob("*.json")} == {*NAMES, *shipped.judges()}


def test_two_judges_come_with_engram_and_each_has_a_card() -> None:
    for name, method in (("fashion-mnist-classifier", "classifier"), ("fashion-mnist-judge", "judge")):
        card = json.loads((shipped.FOLDER / f"{name}.json").read_text())
        assert card["measured"]["model_bytes"] == shipped.judge(name).stat().st_size < 1_000_000
        assert (card["name"], card["method"]) == (name, method)
        assert models.load(shipped.judge(name)).facts["class_names"][0] == "T-shirt/Top"
    with pytest.raises(shipped.UnknownModel, match="'x' is no file, and no judge that comes with engram; there are f"):
        shipped.judge("x")


@pytest.mark.real
def test_the_judges_judge_as_their_cards_say() -> None:
    test = engram.load("fashion-mnist:test")
    assert isinstance(test, ImageSet)
    for name in shipped.judges():
        card = json.loads((shipped.FOLDER / f"{name}.json").read_text())
        found = accuracy(judge_of(name).confusion(test))
        assert found == pytest.approx(card["measured"]["accuracy_of_originals"], abs=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_does_what_its_card_says_it_is(name: str) -> None:
    codec = shipped.load(name)
    card = json.loads((shipped.FOLDER / f"{name}.json").read_text())
    assert card["name"] == name
    assert card["measured"]["model_bytes"] == len(codec.model) < 1_000_000
    if isinstance(codec, Spatial):
        return
    promised = card["options"]["max_error"] * (2 if isinstance(codec, Restored) else 1)
    assert codec.max_error == promised >= card["measured"]["max_error"]
    images = np.repeat(wardrobe.draw(20, 3).images, codec.image_shape[2], 3)
    decoded = codec.decode(codec.encode(images), len(images))
    assert np.abs(decoded.astype(int) - images).max() <= codec.max_error


def test_the_spatial_model_serves_every_rate_and_brings_its_analysis() -> None:
    codec = shipped.load("fashion-mnist-spatial")
    assert isinstance(codec, Spatial)
    measured = json.loads((shipped.FOLDER / "fashion-mnist-spatial.json").read_text())["measured"]
    analysis = (shipped.FOLDER / f"fashion-mnist-spatial{shipped.ANALYSIS}").stat().st_size
    assert measured["analysis_bytes"] == analysis
    assert analysis + len(codec.model) < 1_000_000
    rows = measured["curve"]
    assert len(rows) >= 8
    assert [row["psnr_db"] for row in rows] == sorted((row["psnr_db"] for row in rows), reverse=True)
    images = wardrobe.draw(16, 3).images
    sizes = [len(codec.at(row["step"]).encode(images)) for row in rows[::3]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.real
def test_the_spatial_model_does_what_its_card_says() -> None:
    test, codec = engram.load("fashion-mnist:test"), shipped.load("fashion-mnist-spatial")
    assert isinstance(test, ImageSet)
    assert isinstance(codec, Spatial)
    images = test.images[:512]
    for row in json.loads((shipped.FOLDER / "fashion-mnist-spatial.json").read_text())["measured"]["curve"][2::4]:
        at = codec.at(row["step"])
        data = at.encode(images)
        assert len(data) / len(images) == pytest.approx(row["bytes_per_image"], rel=0.05)
        assert psnr_db(images, at.decode(data, len(images))) == pytest.approx(row["psnr_db"], abs=0.2)


@pytest.mark.parametrize("max_error", [0, 3])
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(shipped.GENERIC)])
def test_a_generic_model_takes_images_of_any_size(name: str, max_error: int, tmp_path: Path) -> None:
    path, channels = tmp_path / "a.egm", shipped.load(name).image_shape[2]
    for number, shape in enumerate(((1, 1), (5, 40), (33, 20))):
        images = ImageSet(np.repeat(wardrobe.draw(30, number, shape).images, channels, 3))
        codec = shipped.load(name, images.image_shape, max_error)
        assert codec.max_error == max_error
        archives.pack(images, codec, path, embed_model=False, force=True)
        with engram.open(path) as archive:
            assert np.abs(archive[:].astype(int) - images.images).max() <= max_error
            assert archive.codec.model == shipped.load(name).model
    assert path.stat().st_size < 0.8 * len(Raw(images.image_shape).encode(images.images))
    assert shipped.load(name, (9, 9, 4 - channels)).image_shape[2] == channels


def test_an_archive_without_its_model_finds_it(tmp_path: Path) -> None:
    images, codec = wardrobe.draw(70, 0), shipped.load("fashion-mnist-lossless")
    archives.pack(images, codec, tmp_path / "a.egm", embed_model=False)
    with engram.open(tmp_path / "a.egm") as archive:
        assert np.array_equal(archive[:], images.images)
    assert (tmp_path / "a.egm").stat().st_size < len(codec.model)


def test_a_name_that_is_none_says_which_there_are() -> None:
    with pytest.raises(shipped.UnknownModel, match="no model called 'nothing' comes with engram; there are fashion"):
        shipped.load("nothing")
    assert shipped.find("0" * 64) is None
