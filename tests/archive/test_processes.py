"""One open archive in many threads and processes, and in one that has no torch."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from drawing import draw, load, pack_pictures, picture

from engram import archive
from engram.archive.errors import ArchiveChanged
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.images import ImageSet

ROWS = np.random.default_rng(1).integers(0, 150, 400).tolist()


def one(opened: archive.Archive, row: int) -> bytes:
    return opened[row].tobytes()


def test_threads(packed: Path, images: ImageSet) -> None:
    with archive.open(packed) as opened, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: one(opened, row), ROWS))
    assert found == [images.images[row].tobytes() for row in ROWS]


def test_threads_share_columns_and_pictures_of_many_sizes(tmp_path: Path) -> None:
    pictures = [picture(3 + row % 2, 4, seed=row) for row in range(60)]
    pack_pictures(pictures, tmp_path / "a.egm", block_size=4)
    rows = [row % 60 for row in ROWS]
    with archive.open(tmp_path / "a.egm") as opened, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: opened[f"{row:03}.png"].tobytes(), rows))
    assert found == [pictures[row].tobytes() for row in rows]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes(packed: Path, images: ImageSet, method: str) -> None:
    with archive.open(packed) as opened:
        opened[0]
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, context) as pool:
            found = list(pool.map(one, [opened] * 20, ROWS[:20]))
    assert found == [images.images[row].tobytes() for row in ROWS[:20]]


def inherited(opened: archive.Archive, queue: multiprocessing.Queue[list[bytes]]) -> None:
    queue.put([one(opened, row) for row in ROWS[:20]])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_that_inherits_an_open_archive(packed: Path, images: ImageSet) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with archive.open(packed) as opened:
        children = [context.Process(target=inherited, args=(opened, queue)) for _ in range(2)]
        for child in children:
            child.start()
        found = [queue.get(timeout=60) for _ in children]
        for child in children:
            child.join()
        assert one(opened, 7) == images.images[7].tobytes()
    assert found == [[images.images[row].tobytes() for row in ROWS[:20]]] * 2


def test_it_pickles_as_a_path(packed: Path, images: ImageSet) -> None:
    with archive.open(packed) as opened:
        opened[:]
        text = pickle.dumps(opened)
    assert len(text) < 300 + len(str(packed))
    with pickle.loads(text) as again:
        assert np.array_equal(again[:], images.images)


def test_a_given_model_goes_along(tmp_path: Path, lossy: Codec) -> None:
    archive.pack(draw(20), lossy, tmp_path / "a.egm", embed_model=False)
    with archive.open(tmp_path / "a.egm", lossy.model) as opened, pickle.loads(pickle.dumps(opened)) as again:
        assert np.array_equal(again[:], opened[:])


def test_another_file_under_the_same_path_is_found_out(packed: Path, raw: Raw) -> None:
    with archive.open(packed) as opened:
        text = pickle.dumps(opened)
    archive.pack(draw(150, seed=1), raw, packed, block_size=16, force=True)
    with pytest.raises(ArchiveChanged, match=r"a\.egm is not the archive that was pickled"):
        pickle.loads(text)


def test_another_file_of_the_same_size_is_found_out(tmp_path: Path, raw: Raw) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 4, 3, 1), np.uint8)
    archive.pack(ImageSet(noise), raw, tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        text, size = pickle.dumps(opened), opened.info.archive_bytes
    archive.pack(ImageSet(noise[::-1]), raw, tmp_path / "a.egm", force=True)
    assert (tmp_path / "a.egm").stat().st_size == size
    with pytest.raises(ArchiveChanged, match="is not the archive that was pickled"):
        pickle.loads(text)


WITHOUT = """
import sys
for name in ("torch", "matplotlib", "rich", "typer", "PIL"):
    sys.modules[name] = None
from engram import archive
with archive.open(sys.argv[1]) as opened:
    print(len(opened), opened[3].sum(), opened[:].sum(), len(opened.labels), opened.paths[-1], opened.codec.id)
print(archive.verify(sys.argv[1]).ok, archive.info(sys.argv[1]).columns["label"])
"""


def test_reading_needs_numpy_only(tmp_path: Path, lossy: Codec) -> None:
    archive.pack(draw(70), lossy, tmp_path / "a.egm")
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path / "a.egm")], check=True, capture_output=True, text=True
    )
    images = load(tmp_path / "a.egm").images
    numbers = ["70", str(images[3].sum()), str(images.sum()), "70"]
    assert run.stdout.split() == [*numbers, "0069.png", "frozen", "True", "category"]
