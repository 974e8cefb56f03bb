"""Archives by URL: how many requests they take, what comes back, and what is said when it does not."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest
from drawing import draw
from serving import Server, serving

import engram
from engram import archive, models
from engram.archive.errors import ArchiveChanged, CorruptBlock
from engram.codecs.contract import Codec
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
from engram.datasets.source import UnknownData
from engram.errors import EngramError, MissingLibrary
from engram.images import ImageSet
from engram.layers import Dense
from engram.storage import remote, transport

LARGE = ImageSet(np.random.default_rng(0).integers(0, 256, (1500, 32, 32, 1), np.uint8))
"""24 blocks of 64 KiB, which is more than both ends that are read at once."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("large") / "a.egm"
    archive.pack(LARGE, Raw((32, 32, 1)), path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "WAITS_SECONDS", (0, 0, 0))


@pytest.fixture
def server(packed: Path, large: bytes) -> Iterator[Server]:
    with serving({"a.egm": packed.read_bytes(), "large.egm": large}) as server:
        yield server


def test_all_of_an_archive_by_http(server: Server, packed: Path, images: ImageSet) -> None:
    url = server.url("a.egm")
    with archive.open(url) as opened, archive.open(packed) as local:
        assert np.array_equal(opened[:], images.images)
        assert opened.paths == images.paths
        assert np.array_equal(opened.labels, images.labels)  # type: ignore[arg-type]
        assert np.array_equal(opened["0077.png"], images.images[77])
        assert opened.info == local.info
        assert opened.path == url
        assert repr(opened) == f"<Archive {url}: 150 gray images 4 x 3, raw>"
    assert archive.verify(url).ok
    assert archive.info(url) == archive.info(packed)
    found = engram.load(url)
    assert found.fingerprint() == images.fingerprint()


def test_memory(packed: Path, images: ImageSet) -> None:
    fsspec.filesystem("memory").pipe("/test/a.egm", packed.read_bytes())
    with archive.open("memory://test/a.egm") as opened:
        assert np.array_equal(opened[[149, 0, 77]], images.images[[149, 0, 77]])


def test_a_small_archive_takes_two_requests_for_everything(server: Server, images: ImageSet) -> None:
    with archive.open(server.url("a.egm")) as opened:
        assert np.array_equal(opened[77], images.images[77])
        assert np.array_equal(opened[:], images.images)
        assert opened.labels is not None
    assert server.taken() == 2


def test_one_image_of_a_large_archive(server: Server) -> None:
    """Its two ends at once, then the block; of another block the block alone; of one that was read nothing."""
    with archive.open(server.url("large.egm")) as opened:
        assert server.taken() == 2
        assert np.array_equal(opened[700], LARGE.images[700])
        assert server.taken() == 1
        assert np.array_equal(opened[900], LARGE.images[900])
        assert server.taken() == 1
        assert np.array_equal(opened[901], LARGE.images[901])
        assert np.array_equal(opened[701], LARGE.images[701])
        assert np.array_equal(opened[[3, 1499]], LARGE.images[[3, 1499]])  # in the ends
        assert server.taken() == 0


def test_what_is_kept_is_bounded(server: Server, large: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "CACHE_BYTES", 150_000)
    with archive.open(server.url("large.egm")) as opened:
        server.taken()
        for block, requests in ((10, 1), (12, 1), (10, 0), (14, 1), (10, 0), (12, 1)):
            opened.read_blocks([block])
            assert server.taken() == requests


def test_a_scan_reads_ahead_and_nothing_twice(server: Server, large: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.archive.blocks.BATCH_BYTES", 4 * 64 * 1024)
    with archive.open(server.url("large.egm")) as opened:
        server.taken()
        for rows, images in opened.batches():
            assert np.array_equal(images, LARGE.images[rows])
        middle = [tuple(map(int, each.removeprefix("bytes=").split("-"))) for each in server.requests]
    assert sum(stop + 1 - start for start, stop in middle) < len(large) - remote.END_BYTES
    assert len(middle) == 3


def test_images_read_one_after_another_come_with_those_that_follow(server: Server) -> None:
    with archive.open(server.url("large.egm")) as opened:
        server.taken()
        assert all(np.array_equal(opened[row], LARGE.images[row]) for row in range(len(opened)))
    assert server.taken() <= 6


def test_a_model_by_url(server: Server, tmp_path: Path, lossy: Codec) -> None:
    archive.pack(draw(20), lossy, tmp_path / "b.egm", embed_model=False)
    archive.pack(draw(0), lossy, tmp_path / "m.egm")
    network = fit_pca(draw(64), 3)
    models.Model(network).save(tmp_path / "m.safetensors")
    for name in ("b.egm", "m.egm", "m.safetensors"):
        server.files[name] = (tmp_path / name).read_bytes()
    server.files["b.egm.model"] = lossy.model
    with archive.open(tmp_path / "b.egm", lossy.model) as local:
        for model in ("b.egm.model", "m.egm"):
            with archive.open(server.url("b.egm"), server.url(model)) as opened:
                assert np.array_equal(opened[:], local[:])
    found, local_model = models.load(server.url("m.safetensors")), models.load(tmp_path / "m.safetensors")
    one, other = (model.network.synthesis[0] for model in (found, local_model))
    assert isinstance(one, Dense)
    assert isinstance(other, Dense)
    assert np.array_equal(one.weight, other.weight)


@pytest.mark.parametrize("fault", ["cut", "short", "503", "429"])
def test_what_fails_is_asked_for_again(server: Server, fault: str) -> None:
    with archive.open(server.url("large.egm")) as opened:
        server.taken()
        server.fault = lambda number: fault if number < 3 else ""
        assert np.array_equal(opened[700], LARGE.images[700])
        assert server.taken() == 3
    server.fault = lambda number: fault if number < 3 else ""
    with archive.open(server.url("large.egm")) as opened:
        assert len(opened) == 1500


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("cut", transport.ReadInterrupted, r"was interrupted 4 times \(ClientPayloadError\); try again later"),
        ("short", transport.ReadInterrupted, r"4 times \(fewer bytes came than were asked for\)"),
        ("503", transport.ReadInterrupted, r"4 times \(HTTP status 503\)"),
        ("whole", transport.RangesIgnored, "ignores ranges and sends the whole file; download it"),
        ("403", transport.Refused, r"refuses to give it \(HTTP status 403\)"),
        ("404", transport.NothingThere, "there is no such file"),
        ("410", transport.NothingThere, "there is no such file"),
    ],
)
def test_what_fails_for_good_has_its_error(server: Server, fault: str, error: type[EngramError], message: str) -> None:
    """At opening and afterwards; and what could be a secret is in no message, nor in a traceback."""
    url = server.url("large.egm?token=hush", "ann:hush@")
    with archive.open(url) as opened:
        server.fault = lambda number: fault
        for ask in (lambda: opened[700], lambda: archive.open(url), lambda: archive.info(url)):
            with pytest.raises(error, match=rf"^http://127\.0\.0\.1:\d+/large\.egm: .*{message}") as caught:
                ask()
            assert "hush" not in "".join(traceback.format_exception(caught.value))
        assert "hush" not in repr(opened) + str(opened.path)


def test_a_whole_file_is_not_downloaded_where_ranges_are_ignored(server: Server) -> None:
    server.files["huge.egm"] = bytes(1 << 26)
    server.fault = lambda number: "whole"
    with pytest.raises(transport.RangesIgnored):
        archive.open(server.url("huge.egm"))
    assert server.taken() <= 2


def test_a_file_that_changes_meanwhile(server: Server, large: bytes) -> None:
    with archive.open(server.url("large.egm")) as opened:
        server.files["large.egm"] = large + b"x"
        with pytest.raises(transport.FileChanged, match=r"bytes now, 1,\d+,\d+ when it was opened"):
            opened[700]
        server.files["large.egm"] = large[: len(large) // 2] + b"damaged" + large[len(large) // 2 + 7 :]
        with pytest.raises(CorruptBlock, match=r"large\.egm: block \d+ .* is damaged"):
            opened[:]


def test_other_places_that_are_none(packed: Path) -> None:
    with pytest.raises(transport.NothingThere, match=r"^memory://test/none\.egm: there is no such file$"):
        archive.open("memory://test/none.egm")
    with pytest.raises(transport.UnknownScheme, match=r"^nowhere://a\.egm has a scheme that fsspec does not know$"):
        archive.open("nowhere://a.egm")
    with pytest.raises(UnknownData, match=r"^http://host/a\.npz: by URL, DATA is an archive"):
        engram.load("http://host/a.npz?token=hush")


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingLibrary, match=r"reading URLs needs fsspec; `pip install 'engram-images\[remote\]'`"):
        archive.open("memory://test/a.egm")


def test_what_is_read_here_imports_no_fsspec(packed: Path) -> None:
    code = "import sys, engram; a = engram.open(sys.argv[1]); a[3]; a[:]; print('fsspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(packed)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def one(opened: archive.Archive, row: int) -> bytes:
    return opened[row].tobytes()


def test_threads_share_it(server: Server) -> None:
    rows = np.random.default_rng(1).integers(0, 1500, 100).tolist()
    with archive.open(server.url("large.egm")) as opened, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda row: one(opened, row), rows)) == [LARGE.images[row].tobytes() for row in rows]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_open_it_again(server: Server, method: str) -> None:
    with archive.open(server.url("large.egm")) as opened:
        opened[700]
        with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
            found = list(pool.map(one, [opened] * 3, (3, 700, 900)))
    assert found == [LARGE.images[row].tobytes() for row in (3, 700, 900)]


def inherited(opened: archive.Archive, queue: multiprocessing.Queue[bytes]) -> None:
    queue.put(np.concatenate([images for _, images in opened.batches()]).tobytes())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_that_inherits_it(server: Server) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with archive.open(server.url("large.egm")) as opened:
        opened[700]
        child = context.Process(target=inherited, args=(opened, queue))
        child.start()
        assert queue.get(timeout=60) == LARGE.images.tobytes()
        child.join()
        assert np.array_equal(opened[900], LARGE.images[900])


def test_another_file_under_the_same_url_is_found_out(server: Server, large: bytes) -> None:
    with archive.open(server.url("a.egm", "ann:hush@")) as opened:
        text = pickle.dumps(opened)
    server.files["a.egm"] = large
    with pytest.raises(ArchiveChanged, match=r"a\.egm is not the archive that was pickled") as caught:
        pickle.loads(text)
    assert "hush" not in str(caught.value)
