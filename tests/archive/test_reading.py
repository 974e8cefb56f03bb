"""pack and open: whatever was packed comes back, however it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import draw, load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive import blocks, segment
from engram.archive.errors import ModelMismatch, ModelMissing
from engram.codecs.contract import Codec, Rows
from engram.codecs.raw import Raw
from engram.errors import UsageError
from engram.images import ImageSet, Pixels
from engram.table import Column

reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 150])
@pytest.mark.parametrize("block_size", [1, 7, 64, 65_536])
def test_all_comes_back(tmp_path: Path, raw: Raw, count: int, block_size: int) -> None:
    images = draw(count)
    done = archive.pack(images, raw, tmp_path / "a.egm", block_size=block_size)
    with archive.open(tmp_path / "a.egm") as opened:
        assert len(opened) == count
        assert opened.image_shape == (4, 3, 1)
        assert np.array_equal(opened[:], images.images)
        assert np.array_equal(np.array(list(opened)).reshape(images.images.shape), images.images)
        assert np.array_equal(opened.labels, images.labels)  # type: ignore[arg-type]
        assert opened.class_names == images.class_names
        assert opened.paths == images.paths
        assert opened.sizes.tolist() == [[4, 3]] * count
        assert opened.info == done.info
    assert done.info.archive_bytes == (tmp_path / "a.egm").stat().st_size


@pytest.mark.parametrize(
    "images",
    [
        ImageSet(draw(5).images),
        ImageSet(draw(5).images, paths=tuple("abcde")),
        ImageSet(draw(5).images, np.array([1, 0, 1, 0, 0]), ("a", "b")),
        ImageSet(draw(0).images, np.zeros(0, np.int64), (), ()),
    ],
)
def test_what_is_not_there_does_not_come_back(tmp_path: Path, raw: Raw, images: ImageSet) -> None:
    archive.pack(images, raw, tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        assert opened.class_names == images.class_names
        assert (None if opened.paths is None else tuple(opened.paths)) == images.paths
        assert (opened.labels is None) == (images.labels is None)


def test_paths_are_a_lazy_sequence(packed: Path, images: ImageSet) -> None:
    with archive.open(packed) as opened:
        paths, known = opened.paths, images.paths
        assert paths is not None
        assert known is not None
        assert (len(paths), paths[0], paths[-1], paths[3:9:2]) == (150, "0000.png", "0149.png", known[3:9:2])
        assert list(paths) == list(known)
        assert paths == known
        assert paths != known[:-1]
        assert paths != (*known[:-1], "x")
        assert "0007.png" in paths
        assert paths.index("0007.png") == 7
        for row in (150, -151):
            with pytest.raises(IndexError, match="is not among the 150 images"):
                paths[row]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("rises", [True, False])
def test_a_picture_by_its_path(tmp_path: Path, rises: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    images, order = draw(150), np.arange(150) if rises else np.random.default_rng(0).permutation(150)
    paths = tuple(f"{row % 7}/{row:03}.png" for row in order)
    paths = tuple(sorted(paths)) if rises else paths
    archive.pack(ImageSet(images.images, paths=paths), Raw((4, 3, 1)), tmp_path / "a.egm", block_size=16)
    read, chunk = list[int](), segment.Segment.chunk

    def noted(self: segment.Segment, name: str, number: int) -> Column:
        read.append(number)
        return chunk(self, name, number)

    monkeypatch.setattr(segment.Segment, "chunk", noted)
    with archive.open(tmp_path / "a.egm") as opened:
        for row in (0, 15, 16, 77, 149):
            assert opened.row_of(paths[row]) == row
            assert np.array_equal(opened[paths[row]], images.images[row])
        assert len(read) <= 10 or not rises
        for path in ("", "none.png", "zzz.png", "3", "\udcff"):
            with pytest.raises(KeyError):
                opened[path]


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
def test_other_indices_are_refused(packed: Path, index: Any, message: str) -> None:
    with archive.open(packed) as opened, pytest.raises(IndexError, match=message):
        opened[index]


@pytest.mark.parametrize("index", [0.5, None, b"0001.png", np.float64(1)])
def test_what_is_no_index_is_refused(packed: Path, index: Any) -> None:
    with archive.open(packed) as opened, pytest.raises(TypeError, match="a path, a slice, a list or a mask, not by"):
        opened[index]


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
        assert calls == [[[1, 0, 1], [1]]]
        for row in range(16):
            opened[row]
        assert calls[1:] == ["one"] * 3 + [[list(range(16))]]
        assert np.array_equal(opened[[3, 20, 4]], images.images[[3, 20, 4]])
        assert calls[5:] == [[[4]]]
        for _ in range(5):
            assert np.array_equal(opened[[21, 20]], images.images[[21, 20]])
        assert calls[6:] == [[[5, 4]], [[5, 4]], [list(range(16))]]


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
        assert opened.info.bytes_by_part["models"] == len(lossy.model)


def test_a_model_left_out_must_be_given(tmp_path: Path, lossy: Codec) -> None:
    images = draw(100)
    archive.pack(images, lossy, tmp_path / "with.egm")
    archive.pack(images, lossy, tmp_path / "without.egm", embed_model=False)
    (tmp_path / "model").write_bytes(lossy.model)
    assert archive.info(tmp_path / "with.egm").bytes_by_part["models"] == len(lossy.model)
    assert archive.info(tmp_path / "without.egm").bytes_by_part["models"] == 0
    expected = load(tmp_path / "with.egm").images
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
    found = load(packed)
    assert found.fingerprint() == images.fingerprint()
    assert (found.paths, found.class_names) == (images.paths, images.class_names)


def test_batches_are_all_of_it_in_order(packed: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BATCH_BYTES", 2 * 16 * 12)
    with archive.open(packed) as opened:
        rows, pixels = zip(*opened.batches(), strict=True)
    assert [len(some) for some in rows] == [32, 32, 32, 32, 22]
    assert np.concatenate(rows).tolist() == list(range(150))
    assert np.array_equal(np.concatenate(pixels), images.images)


def test_blocks_hold_pictures_in_their_order(packed: Path) -> None:
    with archive.open(packed) as opened:
        assert opened.block_starts.tolist() == [*range(0, 150, 16), 150]
        assert opened.block_of([0, 15, 16, 149]).tolist() == [0, 0, 1, 9]
        assert opened.rows_of(9).tolist() == list(range(144, 150))


def test_bytes_are_accounted_for(packed: Path) -> None:
    info = archive.info(packed)
    assert sum(info.bytes_by_part.values()) == info.archive_bytes == packed.stat().st_size
    assert info.bytes_by_part["index"] == (1 + 4) * (10 + 1 + 2)  # blocks, and chunks of two columns with categories
    assert info.columns == {"path": "text", "label": "category"}
    assert [(group.kind, group.height, group.width, group.cells, group.codecs) for group in info.groups] == [
        ("gray", 4, 3, 150, ("raw",))
    ]
    assert (info.images, info.segments, info.files, info.blocks, info.model_bytes) == (150, 1, 1, 10, 0)


def test_what_is_no_block_costs_a_tenth_of_a_byte(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10_000, 5, 5, 1), np.uint8)
    parts = archive.pack(ImageSet(images), Raw((5, 5, 1)), tmp_path / "a.egm").info.bytes_by_part
    assert sum(parts.values()) - parts["blocks"] <= 0.13 * 10_000


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
        assert repr(opened) == f"<Archive {packed}: 150 gray images 4 x 3, raw>"


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
