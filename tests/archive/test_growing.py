"""What happens while an archive grows: whoever reads meanwhile, or after a crash, sees the old state or the new."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from drawing import bare, collection_of, content, draw, more, picture
from serving import serving

from engram import archive
from engram.archive import journal
from engram.archive import writer as writing
from engram.archive.errors import ArchiveBusy, ArchiveChanged, PackInterrupted, ResumeMismatch, TruncatedArchive
from engram.archive.extension import growing
from engram.codecs.raw import Raw
from engram.images import ImageSet

EVENTS = ("pwrite", "fsync", "posix_fallocate", "replace", "unlink", "ftruncate")


def at_each_event(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Acts before each call that changes files; and in the middle of what is written."""
    for name in EVENTS:
        monkeypatch.setattr(os, name, _watched(name, getattr(os, name), act))


def _watched(name: str, called: Callable[..., int], act: Callable[[], None]) -> Callable[..., int]:
    def call(*args: Any) -> int:
        act()
        if name != "pwrite" or len(args[1]) < 2:
            return called(*args)
        file, data, offset = args
        half = len(data) // 2
        called(file, data[:half], offset)
        act()
        return half + called(file, data[half:], offset + half)

    return call


@pytest.fixture(params=["packed", "grown", "mixed", "set"])
def place(request: pytest.FixtureRequest, packed: Path, tmp_path: Path) -> Path:
    """An archive that may grow, of each make."""
    if request.param == "grown":
        archive.append(more(30, 1), packed)
    elif request.param == "mixed":
        archive.append(collection_of([picture(3, 7), picture(9, 5)], label=["ape", "cat"]), packed)
    elif request.param == "set":
        archive.shard([packed], tmp_path / "set", images=64)
        return tmp_path / "set"
    return packed


def test_readers_see_the_old_state_or_the_new(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, seen = content(place), []
    with monkeypatch.context() as patched:
        at_each_event(patched, lambda: seen.append(content(place)))
        archive.append(more(50, 2), place)
    new = content(place)
    assert len(new[0]) == len(old[0]) + 50
    changed = [each == new for each in seen]
    assert all(each == (new if is_new else old) for each, is_new in zip(seen, changed, strict=True))
    assert changed == sorted(changed)
    assert len(seen) > 4
    assert not list(place.parent.glob("*.append")) + list(place.parent.glob("*.more*")) + list(place.rglob("*.part*"))


def test_every_open_beside_appends_succeeds(packed: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        appends = pool.submit(lambda: [archive.append(more(3, seed), packed) for seed in range(12)])
        seen = list[int]()
        while not appends.done():
            with archive.open(packed) as opened:
                seen.append(len(opened))
                assert opened[-1].shape == (4, 3, 1)
        appends.result()
    assert seen == sorted(seen)
    assert set(seen) <= set(range(150, 187, 3))


def die_at(event: int, path: Path, images: ImageSet) -> None:
    """Appends in this process, which dies at an event; exit code 9 says that it did."""
    left = [event]

    def act() -> None:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)

    with pytest.MonkeyPatch.context() as patched:
        at_each_event(patched, act)
        archive.append(images, path)
    os._exit(0)


def test_a_process_that_dies_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.egm", tmp_path / "a.egm"
    archive.pack(bare(draw(150)), Raw((4, 3, 1)), whole)
    shutil.copy(whole, tmp_path / "old.egm")
    archive.append(bare(more(50, 2)), whole)
    old, new = content(tmp_path / "old.egm"), content(whole)
    outcomes, event = set[bool](), 0
    code: int | None = 9
    while code == 9:
        shutil.copy(tmp_path / "old.egm", path)
        child = multiprocessing.get_context("fork").Process(target=die_at, args=(event, path, bare(more(50, 2))))
        child.start()
        child.join()
        code, found, event = child.exitcode, content(path), event + 1
        assert found in (old, new)
        outcomes.add(found == new)
        if found == old:
            done = archive.append(bare(more(50, 2)), path)
            assert done.bytes == whole.stat().st_size - (tmp_path / "old.egm").stat().st_size
            assert path.read_bytes() == whole.read_bytes()
        else:
            archive.append(bare(more(5, 3)), path)
            with archive.open(path) as opened:
                assert len(opened) == 205
        assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith("a.")) == ["a.egm"]
    assert (code, outcomes) == (0, {False, True})
    assert event > 8


def test_a_process_that_dies_leaves_a_set_as_it_was_or_grown(packed: Path, tmp_path: Path) -> None:
    place, kept, event = tmp_path / "set", tmp_path / "kept", 0
    code: int | None = 9
    archive.shard([packed], kept, images=64)
    old = content(kept)
    while code == 9:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(kept, place)
        child = multiprocessing.get_context("fork").Process(target=die_at, args=(event, place, more(50, 2)))
        child.start()
        child.join()
        code, found, event = child.exitcode, content(place), event + 1
        assert len(found[0]) == 200 or found == old
        if found == old:
            assert archive.append(more(50, 2), place).images == 50
        assert archive.verify(place).ok
        assert len(content(place)[0]) == 200
    assert event > 3


def test_an_interrupted_append_goes_on(packed: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BATCH_BYTES", 2 * 16 * 12)
    added, before = more(100, 1), packed.read_bytes()

    def stop(done: int, total: int) -> None:
        assert total == 100
        raise KeyboardInterrupt

    shutil.copy(packed, packed.with_name("b.egm"))
    with pytest.raises(KeyboardInterrupt):
        archive.append([added], packed, progress=stop)
    assert packed.read_bytes() == before
    with pytest.raises(ResumeMismatch, match=r"was made from other images"):
        archive.append(more(100, 5), packed, resume=True)
    done = archive.append(added, packed, resume=True)
    assert done.images_resumed == 96
    archive.append(added, packed.with_name("b.egm"))
    assert packed.read_bytes() == packed.with_name("b.egm").read_bytes()
    assert sorted(each.name for each in packed.parent.iterdir()) == ["a.egm", "b.egm"]


@pytest.mark.parametrize("name", ["posix_fallocate", "pwrite"])
def test_a_full_disk(packed: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BATCH_BYTES", 2 * 16 * 12)

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = packed.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, name, full)
        with pytest.raises(PackInterrupted, match=r"a\.egm could not grow \(No space left on device\)"):
            archive.append(more(100, 1), packed)
    assert packed.read_bytes() == before
    assert not journal.size_before(packed)
    done = archive.append(more(100, 1), packed, resume=True)
    assert done.images_resumed == (100 if name == "posix_fallocate" else 0)
    assert archive.verify(packed).ok


def test_one_process_at_a_time(packed: Path, images: ImageSet) -> None:
    with growing(packed), pytest.raises(ArchiveBusy, match=r"a\.egm is being appended to by another process; wait"):
        archive.append(more(5, 1), packed)


def test_a_lock_of_a_file_that_was_replaced_holds_off_nobody(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest is replaced by each append: who waited for its lock must look at the new one."""

    def replaced(file: int, operation: int) -> None:
        shutil.copy(packed, packed.with_name("other"))
        os.replace(packed.with_name("other"), packed)

    monkeypatch.setattr(fcntl, "flock", replaced)
    with pytest.raises(ArchiveBusy, match=r"a\.egm is being written by another process"), growing(packed):
        pass


def test_an_archive_that_was_replaced_meanwhile(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = writing.Writer.complete

    def replaced(writer: writing.Writer) -> Any:
        shutil.copy(packed, packed.with_name("other"))
        os.replace(packed.with_name("other"), packed)
        return complete(writer)

    monkeypatch.setattr(writing.Writer, "complete", replaced)
    before = packed.read_bytes()
    with pytest.raises(ArchiveChanged, match=r"a\.egm was replaced while images were encoded for it"):
        archive.append(more(5, 1), packed)
    assert packed.read_bytes() == before


def test_an_append_under_way_behind_a_url(packed: Path) -> None:
    archive.append(more(50, 1), packed)
    old, size = content(packed), packed.stat().st_size
    cut = packed.read_bytes() + b"half of an archive"
    with (
        serving({"a.egm": cut, "a.egm.append": b"%d" % size}) as server,
        archive.open(server.url("a.egm")) as opened,
    ):
        assert len(opened) == len(old[0])
    with serving({"a.egm": cut}) as server, pytest.raises(TruncatedArchive, match="does not end with its trailer"):
        archive.open(server.url("a.egm"))


@pytest.mark.parametrize("text", [b"", b"x", b"-5", b"9" * 30])
def test_a_journal_that_is_none(packed: Path, text: bytes) -> None:
    packed.with_name("a.egm.append").write_bytes(text)
    assert len(content(packed)[0]) == 150
    assert archive.append(more(5, 1), packed).images == 5


def test_appends_may_end_and_begin_between_any_two_looks(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader meets half of the first; when it has asked how long the archive was, half of the second."""
    states = [packed.read_bytes()]
    for seed in (1, 2):
        archive.append(more(5, seed), packed)
        states.append(packed.read_bytes())

    def half(number: int) -> None:
        before, after = states[number - 1 : number + 1]
        packed.write_bytes(after[: (len(before) + len(after)) // 2])
        journal.begin(packed, len(before))

    asked, looks = journal.size_before, list[int]()

    def between(location: Any) -> int | None:
        if looks:
            return asked(location)
        looks.append(1)
        journal.end(packed)
        half(2)
        return None

    half(1)
    monkeypatch.setattr(journal, "size_before", between)
    with archive.open(packed) as opened:
        assert opened.paths is not None
        assert opened.paths[-5:] == more(5, 1).paths
