"""Known sets: found where they lie, downloaded whole or not at all, and never used when damaged."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from engram.datasets import catalog, idx, wardrobe
from engram.datasets.download import PAUSES_SECONDS, DownloadFailed, WrongBytes, download, md5_of
from engram.errors import UsageError
from engram.files import CannotWrite

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
SIZE = len(CONTENT)


class Server(ThreadingHTTPServer):
    """Serves `files` by name, remembers each request's Range, and misbehaves as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.ranges: list[str | None] = []
        self.understands_ranges = True
        self.cuts: list[int] = []  # the next answers end after so many bytes

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        content = self.server.files.get(self.path[1:])
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.understands_ranges else 0
        if start >= len(content) > 0 and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = start + self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(content[start:stop])

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        server.files["file"] = CONTENT
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def at_once(target: Path, server: Server, size: int = SIZE, md5: str = MD5, **settings: object) -> list[float]:
    """Downloads without waiting; gives the waits there would have been."""
    waits: list[float] = []
    download(server.url + "file", target, size, md5, sleep=waits.append, **settings)  # type: ignore[arg-type]
    return waits


def test_a_whole_download(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "new" / "file"
    assert at_once(target, server, progress=lambda *now: seen.append(now)) == []
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    assert server.ranges == [None]
    assert seen[-1] == (SIZE, SIZE)
    assert seen == sorted(seen)


def test_a_cut_download_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000]
    assert at_once(tmp_path / "file", server) == list(PAUSES_SECONDS)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_part_of_an_earlier_day_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:200_000])
    at_once(tmp_path / "file", server)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == ["bytes=200000-"]


def test_a_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    server.understands_ranges = False
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    at_once(tmp_path / "file", server)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("length", [1000, SIZE, SIZE + 1])
def test_a_wrong_part_is_thrown_away(length: int, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"x" * length)
    at_once(tmp_path / "file", server)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_longer_than_what_is_served(server: Server, tmp_path: Path) -> None:
    server.files["file"] = CONTENT[:1000]
    (tmp_path / "file.part").write_bytes(CONTENT[:2000])
    with pytest.raises(DownloadFailed, match=r"file: HTTP status 416$"):
        at_once(tmp_path / "file", server)
    assert server.ranges == ["bytes=2000-", None, "bytes=1000-"]
    assert list(tmp_path.iterdir()) == []  # the next time starts afresh


@pytest.mark.parametrize("served", [b"x" * SIZE, CONTENT + b"x"], ids=["other", "longer"])
def test_wrong_bytes_are_never_used(served: bytes, server: Server, tmp_path: Path) -> None:
    server.files["file"] = served
    found = hashlib.md5(served[: SIZE + 1]).hexdigest()
    message = f"{server.url}file served a file with MD5 {found}, not {MD5}; nothing of it was kept"
    with pytest.raises(WrongBytes, match=f"^{re.escape(message)}$"):
        at_once(tmp_path / "file", server)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there(server: Server, tmp_path: Path) -> None:
    del server.files["file"]
    with pytest.raises(DownloadFailed, match=f"^{re.escape(server.url)}file: HTTP status 404$"):
        at_once(tmp_path / "file", server)
    assert server.ranges == [None]  # asking again would not help
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_is_cut_each_time(server: Server, tmp_path: Path) -> None:
    server.cuts = [10, 10, 10]
    with pytest.raises(DownloadFailed, match=r"file: ended after 30 of 300,000 bytes$"):
        at_once(tmp_path / "file", server)
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:30]
    assert not (tmp_path / "file").exists()


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match=r"inside\.part: could not be written \(.*\)\. Make room there$"):
        at_once(tmp_path / "file" / "inside", server)


DRAWN = wardrobe.draw(12, 0)
NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
FETCH = partial(catalog.fetch, download=partial(download, pauses=(0.0, 0.0)))


@pytest.fixture
def toy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalog.KnownSet:
    """A set of 8 and 4 images in the catalog, served over loopback; the cache is empty, ENGRAM_DATA is not set."""
    made = tmp_path / "made"
    made.mkdir()
    idx.save_set(made / NAMES[0], DRAWN[:8])
    idx.save_set(made / NAMES[2], DRAWN[8:])
    server.files = {name: (made / name).read_bytes() for name in NAMES}
    first, second, third, fourth = (
        catalog.RemoteFile(name, len(data), hashlib.md5(data).hexdigest()) for name, data in server.files.items()
    )
    known = catalog.KnownSet("toy", server.url, (first, second, third, fourth), (8, 4), DRAWN.class_names)
    monkeypatch.setitem(catalog.CATALOG, "toy", known)
    monkeypatch.setattr(catalog, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("ENGRAM_DATA", raising=False)
    return known


def given(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the set into a folder."""
    folder.mkdir(parents=True)
    for name, data in server.files.items():
        (folder / name).write_bytes(data)


def test_a_set_is_downloaded_once(toy: catalog.KnownSet, server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = FETCH("toy", progress=lambda *now: seen.append(now))
    total = sum(map(len, server.files.values()))
    assert folder == tmp_path / "cache" / "toy"
    assert seen[-1] == (total, total)
    assert len(server.ranges) == 4
    train, test = (half.load() for half in catalog.stream("toy"))
    assert (train.fingerprint(), test.fingerprint()) == (DRAWN[:8].fingerprint(), DRAWN[8:].fingerprint())
    assert train.class_names == DRAWN.class_names
    assert len(server.ranges) == 4


@pytest.mark.parametrize("place", ["", "toy"])
def test_given_data_wins_over_the_cache(
    place: str, toy: catalog.KnownSet, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FETCH("toy")
    given(tmp_path / "data" / place, server, monkeypatch)
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "data"))
    assert FETCH("toy") == tmp_path / "data" / place


def test_a_damaged_file_among_the_given_data_is_an_error(
    toy: catalog.KnownSet, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(tmp_path / "data", server, monkeypatch)
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "data"))
    damaged = tmp_path / "data" / NAMES[2]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    message = (
        f"{damaged}: MD5 is {md5_of(damaged)}, should be {toy.files[2].md5}; "
        "replace the file, or unset ENGRAM_DATA to download it"
    )
    with pytest.raises(catalog.DamagedFile, match=f"^{re.escape(message)}$"):
        FETCH("toy")
    assert server.ranges == []


def damage_bytes(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


def leave_a_part(path: Path) -> None:
    path.with_name(path.name + ".part").write_bytes(path.read_bytes()[:50])
    path.unlink()


@pytest.mark.parametrize(
    ("harm", "asked"),
    [(damage_bytes, None), (Path.unlink, None), (leave_a_part, "bytes=50-")],
    ids=lambda value: str(value)[:12],
)
def test_what_is_damaged_in_the_cache_is_downloaded_again(
    harm: Callable[[Path], None], asked: str | None, toy: catalog.KnownSet, server: Server
) -> None:
    folder = FETCH("toy")
    harm(folder / NAMES[0])
    server.ranges.clear()
    assert FETCH("toy") == folder
    assert server.ranges == [asked]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == server.files


@pytest.mark.parametrize("variable", [False, True])
def test_a_set_that_cannot_be_had_says_where_it_looked(
    variable: bool, toy: catalog.KnownSet, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "data"))
        places = f"{tmp_path}/data, {tmp_path}/data/toy, {tmp_path}/cache/toy"
    else:
        places = f"{tmp_path}/cache/toy (ENGRAM_DATA is not set)"
    server.files.clear()
    message = (
        f"toy is not here and could not be downloaded. Looked in {places}; "
        f"tried {server.url}{NAMES[0]}: HTTP status 404. "
        "Set ENGRAM_DATA to the folder with its files, or use the built-in set: wardrobe"
    )
    with pytest.raises(catalog.NotAvailable, match=f"^{re.escape(message)}$"):
        FETCH("toy")


def test_no_server_at_all(toy: catalog.KnownSet, server: Server) -> None:
    server.server_close()
    with pytest.raises(catalog.NotAvailable, match=r"tried http://127\.0\.0\.1:\d+/train-images.*: .*refused"):
        FETCH("toy")


def test_a_wrong_file_on_the_server_is_never_used(toy: catalog.KnownSet, server: Server, tmp_path: Path) -> None:
    server.files[NAMES[3]] = b"wrong"[: len(server.files[NAMES[3]])].ljust(len(server.files[NAMES[3]]))
    with pytest.raises(catalog.NotAvailable, match=rf"tried .*{NAMES[3]} served a file with MD5"):
        FETCH("toy")
    assert not (tmp_path / "cache" / "toy" / NAMES[3]).exists()


def test_an_unknown_set() -> None:
    with pytest.raises(UsageError, match=r"^'mnist' is not in the catalog, which has: fashion-mnist$"):
        catalog.fetch("mnist")


def test_the_cache_belongs_to_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert catalog.cache_folder().name == "engram"


@pytest.mark.real
def test_fashion_mnist_is_what_the_paper_says() -> None:
    train, test = (half.load() for half in catalog.stream("fashion-mnist"))
    for half, each in ((train, 6000), (test, 1000)):
        assert half.labels is not None
        assert half.image_shape == (28, 28, 1)
        assert np.bincount(half.labels).tolist() == [each] * 10
    assert train.class_names == wardrobe.CLASS_NAMES
