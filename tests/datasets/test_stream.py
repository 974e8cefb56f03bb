"""Streams: whatever the format, the pieces make up what `load` gives, and memory does not grow with the collection."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_source import KINDS

from engram.archive.errors import CorruptBlock
from engram.datasets import arrays, folders, stream, wardrobe
from engram.datasets.deflate import BrokenGzip
from engram.datasets.kinds import ChangedPicture
from engram.datasets.pictures import encode_picture
from engram.datasets.source import load
from engram.datasets.source import stream as stream_of
from engram.datasets.stream import CannotRead, InMemory
from engram.images import ImageSet

DRAWN = wardrobe.draw(40, 0)
FLAT = ImageSet(DRAWN.images, paths=tuple(f"{index:02}.png" for index in range(40)))
COLOUR = ImageSet(np.random.default_rng(0).integers(0, 256, (40, 5, 6, 3), np.uint8))


def joined(pieces: list[ImageSet]) -> ImageSet:
    labels = [piece.labels for piece in pieces if piece.labels is not None]
    paths = [piece.paths for piece in pieces if piece.paths is not None]
    return ImageSet(
        np.concatenate([piece.images for piece in pieces]),
        np.concatenate(labels) if labels else None,
        pieces[0].class_names,
        tuple(path for some in paths for path in some) if paths else None,
    )


def equal(one: ImageSet, other: ImageSet) -> bool:
    return (
        one.fingerprint() == other.fingerprint() and one.class_names == other.class_names and one.paths == other.paths
    )


@pytest.mark.parametrize("kind", [*KINDS, "memory"])
@settings(max_examples=12)
@given(
    count=st.integers(0, 40),
    images=st.sampled_from([DRAWN, FLAT, COLOUR]),
    piece_images=st.integers(1, 41),
    step=st.integers(1, 41),
    ends=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_pieces_make_up_the_whole(
    kind: str, count: int, images: ImageSet, piece_images: int, step: int, ends: tuple[int, int]
) -> None:
    if kind == "folder":
        count = max(1, count)  # a folder of none is no set
    if kind == "idx of another name":
        images = ImageSet(images.images)  # there is no name for its labels
    images = images[:count]
    start, stop = sorted(min(end, count) for end in ends)
    with tempfile.TemporaryDirectory() as folder:
        if kind == "memory":
            found = InMemory(images)
        else:
            name, save = KINDS[kind]
            save(Path(folder) / name, images)
            found = stream_of(Path(folder) / name)
        whole = found.load() if kind == "memory" else load(Path(folder) / name)
        assert isinstance(whole, ImageSet)
        with mock.patch.object(stream, "PIECE_BYTES", piece_images * images.images[:1].nbytes or 1):
            pieces = list(found.pieces())
            assert equal(joined(pieces), whole)
            assert max(map(len, pieces)) <= max(piece_images, 64 if kind == "archive" else 1)  # whole blocks
            assert equal(joined(list(found.pieces(range(0, count, step)))), whole[::step])
            assert equal(joined(list(found.pieces(range(start, stop, step)))), whole[start:stop:step])
            assert equal(found.load(), whole)
            sample = found.sample(7)
            assert equal(sample, whole[:: max(1, -(-count // 7))])
        assert len(sample) <= 7
        assert len(found) == count == len(whole)
        assert found.image_shape == images.image_shape


def test_divided_data_is_one_stream(tmp_path: Path) -> None:
    folders.save(replace(FLAT, columns={"split": ["train"] * 30 + ["test"] * 10}), tmp_path / "set", "png")
    whole, test = stream_of(tmp_path / "set"), stream_of(f"{tmp_path / 'set'}:test")
    assert (len(whole), len(test)) == (40, 10)
    assert equal(whole.load().split("test"), test.load())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_of_either_order_pass_in_pieces(
    order: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PIECE_BYTES", 7 * 784)
    array, path = np.asarray(DRAWN.images, order=order), tmp_path / f"a{suffix}"  # type: ignore[call-overload]
    np.save(path, array) if suffix == ".npy" else np.savez(path, images=array)
    np.testing.assert_array_equal(joined(list(arrays.stream(path).pieces())).images, DRAWN.images)


def test_progress_is_told_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PIECE_BYTES", 10 * 784)
    seen: list[tuple[int, int]] = []
    InMemory(DRAWN).sample(20, lambda *now: seen.append(now))
    assert seen == [(10, 20), (20, 20)]


def test_damage_is_found_where_it_passes(tmp_path: Path) -> None:
    for kind, error in (("idx.gz", BrokenGzip), ("npz", arrays.BrokenArrayFile), ("archive", CorruptBlock)):
        name, save = KINDS[kind]
        save(tmp_path / name, ImageSet(DRAWN.images))
        data = bytearray((tmp_path / name).read_bytes())
        data[len(data) // 2] ^= 0xFF
        (tmp_path / name).write_bytes(data)
        found = stream_of(tmp_path / name)
        with pytest.raises(error):
            list(found.pieces())


def test_a_picture_that_changed_meanwhile_is_named(tmp_path: Path) -> None:
    folders.save(FLAT, tmp_path / "set", "png")
    found = stream_of(tmp_path / "set")
    for image in (COLOUR.images[0], np.zeros((28, 28, 3), np.uint8)):
        (tmp_path / "set" / "07.png").write_bytes(encode_picture(image, ".png", 95))
        with pytest.raises(ChangedPicture, match=r"07\.png was changed meanwhile"):
            found.load()


def test_a_file_that_is_gone_meanwhile_is_named(tmp_path: Path) -> None:
    arrays.save(tmp_path / "a.npz", DRAWN)
    found = arrays.stream(tmp_path / "a.npz")
    (tmp_path / "a.npz").unlink()
    with pytest.raises(CannotRead, match=r"a\.npz: could not be read \(No such file or directory\)"):
        found.load()


PEAK = """
import sys
from engram import archive
from engram.codecs.raw import Raw
from engram.datasets import source

found = source.stream(sys.argv[1])
sample = found.sample(10)
archive.pack(found, Raw(sample.image_shape), sys.argv[2])
[peak] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak.split()[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of one process apart from its parent's")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "idx of another name"])
def test_memory_does_not_grow_with_the_collection(kind: str, tmp_path: Path) -> None:
    peaks_kilobytes = []
    for megabytes in (24, 96):
        place = tmp_path / str(megabytes)
        place.mkdir()
        name, save = KINDS[kind]
        save(place / name, ImageSet(np.zeros((16 * megabytes, 256, 256, 1), np.uint8)))
        command = [sys.executable, "-c", PEAK, str(place / name), str(place / "packed.egm")]
        peaks_kilobytes.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert peaks_kilobytes[1] - peaks_kilobytes[0] < 40 << 10, peaks_kilobytes  # buffers, not 72 MB
