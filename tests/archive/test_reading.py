"""pack and open: whatever was packed comes back, however it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from drawing import draw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram import archive, datasets
from engram.archive.errors import ModelMismatch, ModelMissing
from engram.codecs.contract import Codec, Rows
from engram.codecs.raw import Raw
from engram.errors import UsageError
from engram.images import ImageSet, Pixels

reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 150])
@pytest.mark.parametrize("block_size", [1, 7, 64, 65_536])
def test_all_comes_back(tmp_path: Path, raw: Raw, count: int, block_size: int) -> None:
    images = draw(count)
    packed = archive.pack(images, raw, tmp_path / "a.egm", block_size=block_size)
    with archive.open(tmp_path / "a.egm") as opened:
        assert len(opened) == count
        assert opened.image_shape == (4, 3, 1)
        assert np.array_equal(opened[:], images.images)
        assert np.array_equal(np.array(list(opened)).reshape(images.images.shape), images.images)
        assert opened.labels is not None
        assert opened.labels.tolist() == images.labels.tolist()
        assert opened.class_names == images.class_names
        assert opened.names == images.names
        assert opened.info == packed.breakdown
    assert packed.breakdown.archive_bytes == (tmp_path / "a.egm").stat().st_size


@pytest.mark.parametrize(
    "images",
    [
        ImageSet(draw(5).images),
        ImageSet(draw(5).images, class_names=("a", "b")),
        ImageSet(draw(5).images, names=tuple("abcde")),
        ImageSet(draw(5).images, np.array([1, 0, 1, 0, 0]), ("a", "b")),
        ImageSet(draw(0).images, np.zeros(0, np.int64), (), ()),
    ],
)
def test_what_is_not_there_does_not_come_back(tmp_path: Path, raw: Raw, images: ImageSet) -> None:
    archive.pack(images, raw, tmp_path / "a.egm")
    found = archive.load(tmp_path / "a.egm")
    assert found.class_names == images.class_names
    assert found.names == images.names
    assert (found.labels is None) == (images.labels is None)
    assert found.fingerprint() == images.fingerprint()


@reuse_folder
@given(index=st.one_of(st.integers(-150, 149), st.slices(150)))
def test_integers_and_slices_are_those_of_an_array(packed: Path, images: ImageSet, index: int | slice) -> None:
    with archive.open(packed) as opened:
        assert np.array_equal(opened[index], images.images[index])


@reuse_folder
@given(rows=st.lists(st.integers(-150, 149)), as_array=st.booleans())
def test_lists_of_indices_are_those_of_an_array(
    packed: Path, images: ImageSet, rows: list[int], as_array: bool
) -> None:
    with archive.open(packed) as opened:
        found = opened[np.array(rows, np.int16) if as_array else rows]
    assert found.dtype == np.uint8
    assert np.array_equal(found, images.images[np.array(rows, np.intp)])


@reuse_folder
@given(seed=st.integers(0, 99), share=st.floats(0, 1))
def test_masks_are_those_of_an_array(packed: Path, images: ImageSet, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random(150) < share
    with archive.open(packed) as opened:
        assert np.array_equal(opened[mask], images.images[mask])
        assert np.array_equal(opened[mask.tolist()], images.images[mask])


def test_repeats_and_order_are_kept(packed: Path, images: ImageSet) -> None:
    with archive.open(packed) as opened:
        assert np.array_equal(opened[[7, 3, 7, -1]], images.images[[7, 3, 7, -1]])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (150, "image 150 is not among the 150 images of"),
        (-151, "image -151 is not among"),
        ([0, 150], "image 150 is not among"),
        (2**70, "image 1180591620717411303424 is not among"),
        ([2**70], "list of integers"),
        ([0.5], "list of integers or a mask of 150, not float64"),
        ([[1]], "list of integers"),
        (np.ones(149, bool), "a mask of 150"),
    ],
)
def test_other_indices_are_refused(packed: Path, index: object, message: str) -> None:
    with archive.open(packed) as opened, pytest.raises(IndexError, match=message):
        opened[index]  # type: ignore[call-overload]


def test_images_read_are_the_callers_own(packed: Path, images: ImageSet) -> None:
    with archive.open(packed) as opened:
        for _ in range(9):  # alone at first, from the cache in the end
            opened[3][:] = 0
            opened[[3, 4]][:] = 0
        assert np.array_equal(opened[3], images.images[3])


def test_lists_are_decoded_in_one_go_and_what_is_asked_often_is_kept(
    packed: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str | list[list[int]]] = []
    decode_one, decode_some = Raw.decode_one, Raw.decode_some

    def note_one(self: Raw, data: bytes, count: int, index: int) -> Pixels:
        calls.append("one")
        return decode_one(self, data, count, index)

    def note_some(self: Raw, blocks: Sequence[tuple[bytes, int, Rows]]) -> list[Pixels]:
        calls.append([rows.tolist() for _, _, rows in blocks])
        return decode_some(self, blocks)

    monkeypatch.setattr(Raw, "decode_one", note_one)
    monkeypatch.setattr(Raw, "decode_some", note_some)
    with archive.open(packed) as opened:
        assert np.array_equal(opened[[1, 17, 0, 1]], images.images[[1, 17, 0, 1]])
        assert calls == [[[0, 1, 1], [1]]]
        for row in range(16):
            opened[row]
        assert calls[1:] == ["one"] * 3 + [[list(range(16))]]
        assert np.array_equal(opened[[3, 20, 4]], images.images[[3, 20, 4]])
        assert calls[5:] == [[[4]]]
        for _ in range(5):
            assert np.array_equal(opened[[21, 20]], images.images[[21, 20]])
        assert calls[6:] == [[[4, 5]], [[4, 5]], [list(range(16))]]


def test_a_lossy_codec_decodes_as_itself(tmp_path: Path, lossy: Codec) -> None:
    images = draw(100)
    archive.pack(images, lossy, tmp_path / "a.egm")
    blocks = [images.images[first : first + 64] for first in (0, 64)]
    expected = np.concatenate(
        [lossy.decode(data, len(block)) for data, block in zip(lossy.encode_many(blocks), blocks, strict=True)]
    )
    with archive.open(tmp_path / "a.egm") as opened:
        assert np.array_equal(opened[:], expected)
        assert np.array_equal(opened[99], expected[99])
        assert opened.codec.model == lossy.model
        assert opened.info.bytes_by_part["model"] == len(lossy.model)


def test_a_model_left_out_must_be_given(tmp_path: Path, lossy: Codec) -> None:
    images = draw(100)
    archive.pack(images, lossy, tmp_path / "with.egm")
    archive.pack(images, lossy, tmp_path / "without.egm", embed_model=False)
    (tmp_path / "model").write_bytes(lossy.model)
    assert (tmp_path / "with.egm").stat().st_size - (tmp_path / "without.egm").stat().st_size == len(lossy.model) - 1
    expected = archive.load(tmp_path / "with.egm").images
    for model in (lossy.model, tmp_path / "model", str(tmp_path / "with.egm")):
        with archive.open(tmp_path / "without.egm", model) as opened:
            assert np.array_equal(opened[:], expected)
            assert opened.info.bytes_per_image_with_model == pytest.approx(
                opened.info.bytes_per_image + len(lossy.model) / 100
            )
    with (
        archive.open(tmp_path / "without.egm") as opened,
        pytest.raises(ModelMissing, match="packed without its model"),
    ):
        opened[0]
    with archive.open(tmp_path / "without.egm", b"x") as opened, pytest.raises(ModelMismatch, match="another model"):
        opened[0]
    with (
        archive.open(tmp_path / "without.egm", tmp_path / "none") as opened,
        pytest.raises(UsageError, match="No such"),
    ):
        opened[0]


def test_an_archive_is_data(packed: Path, images: ImageSet) -> None:
    found = datasets.load(str(packed))
    assert isinstance(found, ImageSet)
    assert found.fingerprint() == images.fingerprint()
    assert found.names == images.names


def test_equal_images_give_equal_bytes_however_they_are_cut(tmp_path: Path, raw: Raw, packed: Path) -> None:
    images = draw(150)
    with archive.Writer(tmp_path / "b.egm", raw, block_size=16) as writer:
        for rows in (slice(0, 1), slice(1, 1), slice(1, 90), slice(90, 150)):
            writer.append(images[rows])
    assert (tmp_path / "b.egm").read_bytes() == packed.read_bytes()


def test_bytes_are_accounted_for(packed: Path) -> None:
    parts = archive.info(packed).bytes_by_part
    assert sum(parts.values()) == packed.stat().st_size
    assert parts["checksums"] == 4 * 10
    assert parts["index"] == 10  # blocks shorter than 256 bytes
    assert parts["footer"] == 68


def test_index_and_checksums_cost_a_tenth_of_a_byte(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10_000, 5, 5, 1), np.uint8)
    parts = archive.pack(ImageSet(images), Raw((5, 5, 1)), tmp_path / "a.egm").breakdown.bytes_by_part
    assert parts["index"] + parts["checksums"] + parts["footer"] <= 0.11 * 10_000


def test_a_closed_archive_says_so(packed: Path) -> None:
    opened = archive.open(packed)
    opened.close()
    opened.close()
    with pytest.raises(UsageError, match="was closed; read it within"):
        opened[0]


def test_no_archive_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.egm cannot be opened: No such file"):
        archive.open(tmp_path / "none.egm")


def test_its_text_says_what_it_is(packed: Path) -> None:
    with archive.open(packed) as opened:
        assert repr(opened) == f"<Archive {packed}: 150 images 4 x 3 x 1, raw>"


def test_images_are_found_by_their_pixels(tmp_path: Path) -> None:
    images = draw(7)
    doubled = ImageSet(np.concatenate([images.images, images.images[2:3]]))
    archive.pack(doubled, Raw((4, 3, 1)), tmp_path / "a.egm", block_size=3)
    with archive.open(tmp_path / "a.egm") as opened:
        assert images.images[2] in opened
        assert images.images[2].tolist() in opened
        assert (opened.index(images.images[2]), opened.index(images.images[2], 3)) == (2, 7)
        assert (opened.count(images.images[2]), opened.count(images.images[0])) == (2, 1)
        for other in (np.zeros((4, 3, 1), np.uint8), np.zeros((9, 9), np.uint8), "a.png", None):
            assert other not in opened
        with pytest.raises(ValueError, match="no image has these pixels"):
            opened.index(np.zeros((4, 3, 1), np.uint8))


@pytest.mark.parametrize("location", [BytesIO(b"x"), b"a.egm", 7, None])
def test_what_is_no_path_is_refused(location: object) -> None:
    with pytest.raises(UsageError, match="an archive is opened by its path or URL, not as a "):
        archive.open(location)  # type: ignore[arg-type]
