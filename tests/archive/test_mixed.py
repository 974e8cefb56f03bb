"""Pictures of many sizes: each comes back at its own, in its place; what needs one size says so."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import coder_of, collection_of, flip_block, load, pack_pictures, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive import source, writer
from engram.archive.archive import Archive
from engram.archive.errors import CorruptBlock, ManySizes, ResumeMismatch
from engram.archive.interrupted import interrupted
from engram.datasets.cells import Group, share
from engram.datasets.collection import MixedSizes, OfPictures
from engram.errors import UsageError
from engram.kinds import KINDS, AnyPixels

SIZES = [(5, 4), (4, 5), (5, 4), (9, 2), (1, 1), (5, 4), (4, 5)]
KIND_NAMES = list(KINDS)


def pictures_of(sizes: Sequence[tuple[int, int]], kind: str = "gray") -> list[AnyPixels]:
    return [picture(*size, kind, number) for number, size in enumerate(sizes)]


def pack(collection: OfPictures, path: Path, fewest: int = 2, **options: Any) -> archive.Packed:
    """In groups of at least so many pictures, as `share` makes them, in blocks of 2."""
    groups = share(collection.sizes, collection.kinds, collection.kind_numbers, fewest)
    coders = [coder_of(group.size, group.kind.name) for group in groups]
    return archive.pack_collection(collection, groups, coders, path, block_size=2, **options)


def same(found: Any, expected: Sequence[AnyPixels]) -> bool:
    return len(found) == len(expected) and all(
        one.dtype == other.dtype and np.array_equal(one, other) for one, other in zip(found, expected, strict=True)
    )


@pytest.fixture
def pictures() -> list[AnyPixels]:
    return pictures_of(SIZES)


@pytest.fixture
def mixed(tmp_path: Path, pictures: list[AnyPixels]) -> Path:
    """Groups of 3 cells of 5 x 4, 2 of 4 x 5, and 2 of 9 x 2."""
    pack(collection_of(pictures, age=range(7)), tmp_path / "a.egm")
    return tmp_path / "a.egm"


def in_places(pictures: archive.Pictures) -> dict[int, AnyPixels]:
    """All pictures as `batches` gives them, by their places."""
    return {
        place: image
        for places, images in pictures.batches()
        for place, image in zip(places.tolist(), images, strict=True)
    }


def check(opened: Archive, expected: Sequence[AnyPixels]) -> None:
    """However pictures are asked for, they are these."""
    count = len(expected)
    assert opened.sizes.tolist() == [list(each.shape[:2]) for each in expected]
    assert same(list(opened), expected)
    assert same([opened[row] for row in range(count)], expected)
    assert same(opened[::-1], expected[::-1])
    batches = in_places(opened)
    assert same([batches[row] for row in range(count)], expected)
    assert opened.paths == tuple(f"{row:03}.png" for row in range(count))
    assert np.concatenate([opened.rows_of(block) for block in range(opened.blocks)]).size >= count


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from(KIND_NAMES)), min_size=1, max_size=30),
    st.integers(1, 5),
)
def test_any_sizes_and_kinds_come_back(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[int, int, str]], fewest: int
) -> None:
    path = tmp_path_factory.mktemp("mixed") / "a.egm"
    expected = [picture(*each, seed) for seed, each in enumerate(given)]
    done = pack(collection_of(expected), path, fewest)
    assert [each.name for each in path.parent.iterdir()] == ["a.egm"]
    assert (done.info.images, done.info.archive_bytes) == (len(given), path.stat().st_size)
    with archive.open(path) as opened:
        check(opened, expected)
    assert archive.verify(path).ok


@pytest.mark.parametrize(
    "sizes",
    [
        [(300, 200), (257, 1), (1, 257)],
        [(600, 600), (28, 28), (28, 28)],
        [(2500, 3)],
        [(3, 4000), (513, 512)],
        [(300, 300), (300, 300)],
    ],
)
def test_large_pictures_are_tiles(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    expected = pictures_of(sizes, "rgb")
    pack_pictures(expected, tmp_path / "a.egm", block_size=3)
    with archive.open(tmp_path / "a.egm") as opened:
        assert all(max(height, width) <= 256 for height, width, _ in opened.shapes)
        check(opened, expected)
    assert archive.verify(tmp_path / "a.egm").ok


def test_pictures_of_one_size_that_are_tiles_are_of_one_size(tmp_path: Path) -> None:
    expected, path = np.stack(pictures_of([(300, 290)] * 3, "rgb")), tmp_path / "a.egm"
    pack_pictures(expected, path)
    with archive.open(path) as opened:
        assert (opened.is_plain, opened.image_shape, opened.kind) == (False, (300, 290, 3), KINDS["rgb"])
        assert np.array_equal(opened[:], expected)
        assert np.array_equal(opened.where(path="001.png")[:], expected[1:2])
        assert opened[:0].shape == (0, 300, 290, 3)
        with pytest.raises(ManySizes, match="has pictures of several cells, or of many sizes"):
            _ = opened.block_starts
    assert np.array_equal(load(path).images, expected)
    archive.unpack(path, tmp_path / "a.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), expected)


def test_it_is_a_sequence(mixed: Path, pictures: list[AnyPixels]) -> None:
    with archive.open(mixed) as opened:
        assert same([opened[-1]], pictures[-1:])
        assert same(opened[[6, 0, 6]], [pictures[6], pictures[0], pictures[6]])
        assert same(opened[np.array([True] + 6 * [False])], pictures[:1])
        assert same([opened["004.png"]], pictures[4:5])
        assert opened[[]] == []
        assert pictures[3] in opened
        assert (opened.index(pictures[3]), opened.count(pictures[3])) == (3, 1)
        assert same(pickle.loads(pickle.dumps(opened))[2:4], pictures[2:4])
        assert repr(opened) == f"<Archive {mixed}: 7 gray images, 1 to 9 pixels high and 1 to 5 wide, raw>"
        for index in (7, -8):
            with pytest.raises(IndexError):
                opened[index]
        with pytest.raises(IndexError, match="image 9 is not among the 7 images"):
            opened[[9]]


def test_images_read_are_the_callers_own(mixed: Path, pictures: list[AnyPixels]) -> None:
    with archive.open(mixed) as opened:
        for _ in range(9):
            opened[4][:] = 0
            for image in opened[[3, 4]]:
                image[:] = 0
        assert same(opened[[3, 4]], pictures[3:5])


def test_a_view_of_many_sizes(mixed: Path, pictures: list[AnyPixels]) -> None:
    with archive.open(mixed) as opened:
        view = opened.where(age=[6, 1, 4])
        assert view.sizes.tolist() == [[4, 5], [1, 1], [4, 5]]
        assert same(view[:], [pictures[1], pictures[4], pictures[6]])
        assert same(list(view), view[:])
        assert same([in_places(view)[place] for place in range(3)], view[:])


def test_what_is_put_around_pictures_continues_their_edges(tmp_path: Path) -> None:
    """A cell that is padded costs little, and its padding is the last row and column."""
    collection = collection_of([picture(3, 2), picture(2, 4)])
    group = Group(KINDS["gray"], (3, 4), np.arange(2), collection.sizes)
    [cells] = [piece.images for piece in collection.cells(group).pieces()]
    for cell, whole in zip(cells, [picture(3, 2), picture(2, 4)], strict=True):
        height, width = whole.shape[:2]
        assert np.array_equal(cell, np.pad(whole, ((0, 3 - height), (0, 4 - width), (0, 0)), mode="edge"))


@pytest.mark.parametrize(
    "use",
    [
        lambda opened: opened.image_shape,
        lambda opened: opened.codec,
        lambda opened: opened.block_starts,
        lambda opened: opened.where(age=1).image_shape,
        lambda opened: opened.block_of([0]),
    ],
)
def test_what_needs_one_size_says_so(mixed: Path, use: Callable[[Archive], object]) -> None:
    with archive.open(mixed) as opened, pytest.raises(ManySizes, match=r"a\.egm has pictures of (many|several)"):
        use(opened)


def test_as_one_set_it_is_refused(mixed: Path) -> None:
    with pytest.raises(MixedSizes, match=r"a\.egm, image 0 is 4 x 5 pixels, .*a\.egm, image 1 is 5 x 4"):
        archive.load(mixed)


def test_an_archive_of_an_archive_is_the_same(mixed: Path, tmp_path: Path) -> None:
    pack(source.collection(mixed), tmp_path / "b.egm")  # type: ignore[arg-type]
    assert (tmp_path / "b.egm").read_bytes() == mixed.read_bytes()


class Killed(BaseException):
    """Stands for whatever ends a pack in the middle."""


def interrupt(collection: OfPictures, path: Path, at: int = 5) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 7
        if done >= at:
            raise Killed

    with pytest.raises(Killed):
        pack(collection, path, progress=stop)


def test_a_pack_that_is_interrupted_goes_on(tmp_path: Path, mixed: Path, pictures: list[AnyPixels]) -> None:
    collection, path = collection_of(pictures, age=range(7)), tmp_path / "b.egm"
    interrupt(collection, path)  # in the second group: the first is written
    assert not path.exists()
    begun = interrupted(path)
    assert begun is not None
    assert [coder.shape for coder in begun[0]] == [(5, 4, 1), (4, 5, 1), (9, 2, 1)]
    assert pack(collection, path, resume=True).images_resumed == 3
    assert path.read_bytes() == mixed.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.egm", "b.egm"]
    assert interrupted(path) is None


def test_a_picture_that_changed_under_its_name_is_found_when_a_pack_goes_on(
    tmp_path: Path, pictures: list[AnyPixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH_BYTES", 1)
    interrupt(collection_of(pictures), tmp_path / "a.egm", at=6)
    pictures[5] = 255 - pictures[5]
    with pytest.raises(ResumeMismatch, match=r"made from other images, the images of group 0 up to 3 are others"):
        pack(collection_of(pictures), tmp_path / "a.egm", resume=True)


def test_a_damaged_block_costs_the_pictures_that_have_a_cell_in_it(mixed: Path, pictures: list[AnyPixels]) -> None:
    flip_block(mixed, 2)  # of the second group: images 1 and 6
    report = archive.verify(mixed)
    assert [str(error).partition(";")[0] for error in report.damaged_blocks] == [
        f"{mixed}: block 2 (2 images between 1 and 6) is damaged: its checksum is wrong"
    ]
    assert (report.images_lost, report.damaged_parts) == (2, {})
    with archive.open(mixed) as opened:
        assert same(opened[[0, 2, 3, 4, 5]], [pictures[row] for row in (0, 2, 3, 4, 5)])
        for index in (6, [1]):
            with pytest.raises(CorruptBlock, match="2 images between 1 and 6"):
                opened[index]


def test_a_side_beyond_the_limit_is_refused_and_nothing_changes(tmp_path: Path, packed: Path) -> None:
    before, long = packed.read_bytes(), collection_of([picture(16385, 1)], label=[None])
    with pytest.raises(UsageError, match="a side has up to 16,384"):
        archive.append(long, packed)
    with pytest.raises(UsageError, match="a side has up to 16,384"):
        pack_pictures([picture(1, 16385)], tmp_path / "b.egm")
    assert packed.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [packed.name]
