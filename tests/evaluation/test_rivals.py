"""The classical rivals: sizes move with their dials, lossless ones lose nothing, a missing library says so."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import features

from engram.datasets import wardrobe
from engram.errors import MissingLibrary
from engram.evaluation.distortion import max_error, psnr_db
from engram.evaluation.rivals import RIVALS, RivalFailed
from engram.evaluation.sharing import share, unshare
from engram.images import ImageSet

LOSSY = sorted(name for name, rival in RIVALS.items() if not rival.lossless)
LOSSLESS = sorted(name for name, rival in RIVALS.items() if rival.lossless)


def drawn(count: int, channels: int) -> ImageSet:
    """Wardrobe images; those of three channels have a tint each."""
    gray = wardrobe.draw(count, seed=3).images
    if channels == 1:
        return ImageSet(gray)
    tints = np.random.default_rng(3).integers(100, 256, (count, 1, 1, 3))
    return ImageSet((gray * tints // 255).astype(np.uint8))


@pytest.fixture(autouse=True)
def _skip_without_the_library(request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params.get("name", "") if hasattr(request.node, "callspec") else ""
    if name.startswith(("jxl", "jpeg2000", "jpeg-ls", "zstd")):
        pytest.importorskip("imagecodecs", reason="imagecodecs is not installed: pip install 'engram-images[rivals]'")
    if name.startswith("avif") and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", LOSSY)
def test_size_and_quality_of_a_lossy_rival_rise_with_its_dial(name: str, channels: int) -> None:
    images, rival = drawn(9, channels), RIVALS[name]
    coded = [rival.code(images, rival.dial[at]) for at in (0, len(rival.dial) // 2, -1)]
    sizes = [each.total_bytes for each in coded]
    decibels = [psnr_db(images.images, each.recovered) for each in coded]
    assert sizes == sorted(set(sizes))
    assert decibels == sorted(set(decibels))
    assert decibels[-1] < 65  # a setting that is ignored would be lossless


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_rival_loses_nothing(name: str, channels: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 28, 28, channels), np.uint8)
    images = ImageSet(np.concatenate([drawn(7, channels).images, noise]))
    for setting in RIVALS[name].dial:
        coded = RIVALS[name].code(images, setting)
        assert max_error(images.images, coded.recovered) == 0
        assert coded.total_bytes < images.images.size * 1.5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("name", sorted(RIVALS))
def test_no_images_and_one_image(name: str, count: int, channels: int) -> None:
    images, rival = drawn(count, channels), RIVALS[name]
    coded = rival.code(images, rival.dial[-1])
    assert coded.recovered.shape == images.images.shape
    assert coded.recovered.dtype == np.uint8
    assert (coded.total_bytes > 0) == (count > 0)
    assert psnr_db(images.images, coded.recovered) > 30


def test_only_files_of_their_own_give_random_access() -> None:
    images = drawn(4, 1)
    assert RIVALS["png-each"].code(images, 9).random_access
    assert not RIVALS["png-atlas"].code(images, 9).random_access
    assert not RIVALS["xz-stream"].code(images, 9).random_access


def test_a_shared_header_is_stored_once() -> None:
    images, rival = drawn(9, 1), RIVALS["jpeg-plain-shared"]
    shared, *rests = rival.encode(images.images, 50)
    whole = [rival.format.encode(image, 50) for image in images.images]
    assert all(len(file) - len(rest) > 320 for file, rest in zip(whole, rests, strict=True))
    assert len(shared) < 500
    assert unshare([shared, *rests]) == whole


ENDS = st.binary(max_size=12)


@given(ENDS, ENDS, st.lists(st.tuples(ENDS, ENDS), min_size=1, max_size=6))
def test_files_that_share_come_back(header: bytes, trailer: bytes, inner: list[tuple[bytes, bytes]]) -> None:
    files = [header + first + b"|" + second + trailer for first, second in inner]
    parts = share(files)
    assert unshare(parts) == files
    least = min(map(len, files))
    shared = min(least, len(header) + len(trailer))  # what is alike by chance is shared as well
    assert all(len(part) <= len(file) - shared for part, file in zip(parts[1:], files, strict=True))
    assert len(parts[0]) <= 8 + -(-least // 8) + least


def test_an_empty_file_among_others_shares_nothing() -> None:
    assert share([b"", b"abc"]) == [bytes(8), b"", b"abc"]
    assert unshare([bytes(8), b"", b"abc"]) == [b"", b"abc"]


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingLibrary, match=r"jpegxl needs imagecodecs; `pip install 'engram-images\[rivals\]'`"):
        RIVALS["jxl-atlas"].code(drawn(1, 1), 1.0)


def test_a_pillow_without_avif_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    with pytest.raises(MissingLibrary, match="this Pillow was built without AVIF"):
        RIVALS["avif-each"].code(drawn(1, 1), 50)


def test_a_picture_that_is_too_large_for_a_format_is_named() -> None:
    images = ImageSet(np.zeros((1, 1, 20_000, 1), np.uint8))  # WebP ends at 16,383
    with pytest.raises(
        RivalFailed, match=r"webp-atlas at 50 failed on ImageSet\(1 image of 1 x 20000 x 1, no labels\)"
    ):
        RIVALS["webp-atlas"].code(images, 50)
