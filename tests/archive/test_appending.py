"""Archives that grow: the images of both, in order; and whoever reads meanwhile, or after a crash, sees old or new."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import pickle
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import draw
from hypothesis import given
from hypothesis import strategies as st
from serving import serving
from typer.testing import CliRunner

from engram import archive
from engram.archive import bundle, journal
from engram.archive import writer as writing
from engram.archive.appending import CannotAppend
from engram.archive.errors import (
    ArchiveBusy,
    ArchiveChanged,
    CorruptBlock,
    ModelMissing,
    PackInterrupted,
    SeveralArchives,
)
from engram.archive.extension import growing
from engram.archive.grown import Grown
from engram.cli.main import app
from engram.codecs.contract import Codec, DecodeOnly
from engram.codecs.frozen import Frozen
from engram.codecs.raw import Raw
from engram.datasets.names import UnsafeName
from engram.errors import UsageError
from engram.images import ImageSet


def content(path: Path, model: bytes | None = None) -> tuple[bytes, object, object, tuple[str, ...]]:
    with archive.open(path, model) as opened:
        labels = None if opened.labels is None else opened.labels.tolist()
        return opened[:].tobytes(), labels, opened.names, opened.class_names


def more(count: int, seed: int) -> ImageSet:
    """Other images than `draw` gives alone, of other names."""
    images = draw(count, seed=seed)
    return replace(images, names=tuple(f"{seed}-{index}.png" for index in range(count)))


def bare(images: ImageSet) -> ImageSet:
    """Without names, so that any of them may be appended twice."""
    return ImageSet(images.images, images.labels, images.class_names)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.sampled_from([1, 7, 16]))
def test_it_reads_as_one_sequence(tmp_path_factory: pytest.TempPathFactory, counts: list[int], block_size: int) -> None:
    path = tmp_path_factory.mktemp("grown") / "a.egm"
    everything, ends = draw(sum(counts)), np.cumsum([0, *counts]).tolist()
    archive.pack(everything[: ends[1]], Raw((4, 3, 1)), path, block_size=block_size)
    for start, stop in pairwise(ends[1:]):
        before = path.read_bytes()
        done = archive.append(everything[start:stop], path)
        assert path.read_bytes().startswith(before)
        assert (done.images, done.bytes) == (stop - start, path.stat().st_size - len(before))
        assert done.breakdown == archive.info(path)
        assert done.breakdown.archive_bytes == path.stat().st_size
    assert sorted(each.name for each in path.parent.iterdir()) == ["a.egm"]
    archive.pack(everything, Raw((4, 3, 1)), path.with_name("b.egm"), block_size=block_size)
    assert content(path) == content(path.with_name("b.egm"))
    assert archive.verify(path).ok
    with archive.open(path) as opened:
        rows = np.random.default_rng(0).permutation(len(opened))
        assert np.array_equal(opened[rows], everything.images[rows])
        assert [image.tolist() for image in opened] == everything.images.tolist()
        assert all(np.array_equal(opened[row], everything.images[row]) for row in range(len(opened)))


def test_nothing_appended_changes_nothing(packed: Path, images: ImageSet) -> None:
    before = packed.read_bytes()
    done = archive.append(images[:0], packed)
    assert (done.images, done.bytes, packed.read_bytes()) == (0, 0, before)


def test_an_archive_that_is_open_or_pickled_stays_as_it_was(packed: Path, images: ImageSet) -> None:
    with archive.open(packed) as opened:
        kept = pickle.dumps(opened)
        archive.append(more(50, 1), packed)
        assert np.array_equal(opened[:], images.images)
    with archive.open(packed) as grown:
        kept_grown = pickle.dumps(grown)
        archive.append(more(20, 2), packed)
        assert len(grown) == 200
    for data, count in ((kept, 150), (kept_grown, 200)):
        with pickle.loads(data) as again:
            assert len(again) == count
            assert np.array_equal(again[:150], images.images)
    shutil.copy(packed, packed.with_name("b.egm"))
    archive.pack(images, Raw((4, 3, 1)), packed, force=True)
    for data in (kept, kept_grown):
        with pytest.raises(ArchiveChanged, match=r"a\.egm is not the archive that was pickled; it was written anew"):
            pickle.loads(data)


def test_classes_are_known_by_their_names(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.egm", draw(6).images
    archive.pack(ImageSet(pixels, np.array([0, 1, 0, 1, 1, 1]), ("ape", "bee")), Raw((4, 3, 1)), path)
    done = archive.append(ImageSet(pixels, np.array([0, 1, 2, 2, 0, 0]), ("cow", "ape", "bee")), path)
    assert done.new_class_names == ("cow",)
    with archive.open(path) as opened:
        assert opened.class_names == ("ape", "bee", "cow")
        assert opened.labels is not None
        assert opened.labels.tolist() == [0, 1, 0, 1, 1, 1, 2, 0, 1, 1, 2, 2]
    assert archive.append(ImageSet(pixels[:1], np.array([0]), ("bee",)), path).new_class_names == ()
    with archive.open(path) as opened:
        assert opened.class_names == ("ape", "bee", "cow")
        assert opened.labels_of(np.array([12, 6])).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: ImageSet(images.images[:, :2]), r"has images of 2 x 3 x 1, .*a\.egm of 4 x 3 x 1"),
        (lambda images: ImageSet(images.images), r"^ImageSet.* has no labels, and .*a\.egm has; all images have them"),
        (bare, r"^ImageSet.* has no names, and .*a\.egm has"),
    ],
)
def test_images_that_do_not_go_with_the_others(
    packed: Path, change: Callable[[ImageSet], ImageSet], message: str
) -> None:
    before = packed.read_bytes()
    with pytest.raises(CannotAppend, match=message):
        archive.append(change(more(20, 1)), packed)
    assert packed.read_bytes() == before
    assert sorted(each.name for each in packed.parent.iterdir()) == ["a.egm"]


def test_a_name_that_is_there_already(packed: Path, images: ImageSet) -> None:
    with pytest.raises(UnsafeName, match=r"a\.egm has an image called '.*' of this class already"):
        archive.append(images[7:8], packed)


def test_what_cannot_grow(packed: Path, tmp_path: Path, images: ImageSet) -> None:
    archive.shard([packed], tmp_path / "set")
    with pytest.raises(UsageError, match=r"set cannot be written to: Is a directory"):
        archive.append(images, tmp_path / "set")
    with pytest.raises(UsageError, match=r"none\.egm cannot be written to: No such file"):
        archive.append(images, tmp_path / "none.egm")
    with pytest.raises(CannotAppend, match=r"append writes to a file of this machine, not to a URL"):
        archive.append(images, "https://user:secret@example.org/a.egm")


def test_one_process_at_a_time(packed: Path, images: ImageSet) -> None:
    with growing(packed), pytest.raises(ArchiveBusy, match=r"a\.egm is being appended to by another process; wait"):
        archive.append(more(5, 1), packed)


def test_an_archive_that_was_replaced_meanwhile(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = writing.Writer.complete

    def replaced(writer: writing.Writer) -> tuple[int, int]:
        shutil.copy(packed, packed.with_name("other"))
        os.replace(packed.with_name("other"), packed)
        return complete(writer)

    monkeypatch.setattr(writing.Writer, "complete", replaced)
    before = packed.read_bytes()
    with pytest.raises(ArchiveChanged, match=r"a\.egm was replaced while images were encoded for it"):
        archive.append(more(5, 1), packed)
    assert packed.read_bytes() == before


def test_codecs_and_models(tmp_path: Path, lossy: Codec) -> None:
    """The model is added once, and serves what is appended later; where it is left out it stays out."""
    path = tmp_path / "a.egm"
    archive.pack(draw(40), Raw((4, 3, 1)), path, block_size=16)
    first = archive.append(more(30, 1), path, lossy)
    second = archive.append(more(30, 2), path, lossy)
    assert first.rate_before is None
    assert second.rate_before == first.rate
    with archive.open(path) as opened:
        assert isinstance(opened, Grown)
        assert [header.model_embedded for header in opened.members.headers] == [True, True, False]
        assert (opened.codec.id, [codec.id for codec in opened.codecs]) == ("frozen", ["raw", "frozen", "frozen"])
        expected = [draw(40).images]
        expected += [lossy.decode(lossy.encode(more(30, seed).images), 30) for seed in (1, 2)]
        assert np.array_equal(opened[:], np.concatenate(expected))
        assert np.array_equal(opened[[99, 3, 41]], np.concatenate(expected)[[99, 3, 41]])
    with pytest.raises(DecodeOnly, match=r"this frozen codec can only decode"):
        archive.append(more(30, 3), path)
    archive.pack(draw(40), lossy, path, embed_model=False, force=True)
    archive.append(more(30, 1), path, lossy, model=lossy.model)
    with pytest.raises(ModelMissing, match=r"a\.egm was packed without its model"):
        content(path)
    assert len(content(path, lossy.model)[0]) == 70 * 12


def test_drift_is_told(tmp_path: Path) -> None:
    from engram.codecs.raw import Raw

    random = np.random.default_rng(0)
    path = tmp_path / "a.egm"
    archive.pack(ImageSet(random.integers(0, 16, (300, 8, 8, 1), np.uint8)), Raw((8, 8, 1)), path)
    alike = archive.append(ImageSet(random.integers(0, 16, (300, 8, 8, 1), np.uint8)), path)
    assert (alike.drift is not None and abs(alike.drift) < 0.05, alike.bytes_to_save) == (True, 0)
    few = archive.append(ImageSet(random.integers(0, 256, (100, 8, 8, 1), np.uint8)), path)
    assert (few.drift, few.bytes_to_save) == (None, 0)
    path.unlink()
    archive.pack(ImageSet(random.integers(0, 16, (300, 8, 8, 1), np.uint8)), Raw((8, 8, 1)), path)
    other = archive.append(ImageSet(random.integers(0, 256, (300, 8, 8, 1), np.uint8)), path)
    assert other.rate_before is not None
    assert other.drift is not None
    assert other.drift > 0.3
    assert other.bytes_to_save == round((other.rate - other.rate_before) * 300)


# What happens in the middle.

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


@pytest.mark.parametrize("grown", [False, True])
def test_readers_see_the_old_state_or_the_new(packed: Path, grown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if grown:
        archive.append(more(30, 1), packed)
    old, seen = content(packed), []
    with monkeypatch.context() as patched:
        at_each_event(patched, lambda: seen.append(content(packed)))
        archive.append(more(50, 2), packed)
    new = content(packed)
    assert len(new[0]) == len(old[0]) + 50 * 12
    changed = [each == new for each in seen]
    assert all(each == (new if is_new else old) for each, is_new in zip(seen, changed, strict=True))
    assert changed == sorted(changed)
    assert len(seen) > 8


def die_at(event: int, path: Path) -> None:
    """Appends in this process, which dies at an event; exit code 9 says that it did."""
    left = [event]

    def act() -> None:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)

    with pytest.MonkeyPatch.context() as patched:
        at_each_event(patched, act)
        archive.append(bare(more(50, 2)), path)
    os._exit(0)


def test_a_process_that_dies_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.egm", tmp_path / "a.egm"
    archive.pack(bare(draw(150)), Raw((4, 3, 1)), whole)
    shutil.copy(whole, tmp_path / "old.egm")
    archive.append(bare(more(50, 2)), whole)
    old, new = content(tmp_path / "old.egm"), content(whole)
    outcomes, event, code = set(), 0, 9
    while code == 9:
        shutil.copy(tmp_path / "old.egm", path)
        child = multiprocessing.get_context("fork").Process(target=die_at, args=(event, path))
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


def test_an_interrupted_append_goes_on(packed: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "GROUP_BYTES", 2 * 16 * 12)
    added, before = more(100, 1), packed.read_bytes()

    def stop(done: int, total: int) -> None:
        assert total == 100
        raise KeyboardInterrupt

    shutil.copy(packed, packed.with_name("b.egm"))
    with pytest.raises(KeyboardInterrupt):
        archive.append([added], packed, progress=stop)
    assert packed.read_bytes() == before
    with pytest.raises(archive.errors.ResumeMismatch, match=r"was made from other images"):
        archive.append(more(100, 5), packed, resume=True)
    done = archive.append(added, packed, resume=True)
    assert done.images_resumed == 96
    archive.append(added, packed.with_name("b.egm"))
    assert packed.read_bytes() == packed.with_name("b.egm").read_bytes()
    assert sorted(each.name for each in packed.parent.iterdir()) == ["a.egm", "b.egm"]


@pytest.mark.parametrize("name", ["posix_fallocate", "pwrite"])
def test_a_full_disk(packed: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "GROUP_BYTES", 2 * 16 * 12)

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
    assert done.images_resumed == (96 if name == "posix_fallocate" else 0)
    assert archive.verify(packed).ok


# Where grown archives go.


def test_a_grown_archive_behind_a_url(packed: Path) -> None:
    archive.append(more(50, 1), packed)
    archive.append(more(50, 2), packed)
    with serving({"a.egm": packed.read_bytes()}) as server, archive.open(server.url("a.egm")) as opened:
        assert opened[:].tobytes() == content(packed)[0]
        assert np.array_equal(pickle.loads(pickle.dumps(opened))[170], opened[170])


def test_an_append_under_way_behind_a_url(packed: Path) -> None:
    archive.append(more(50, 1), packed)
    old, size = content(packed), packed.stat().st_size
    cut = packed.read_bytes() + b"half of an archive"
    with (
        serving({"a.egm": cut, "a.egm.append": b"%d" % size}) as server,
        archive.open(server.url("a.egm")) as opened,
    ):
        assert opened[:].tobytes() == old[0]
    with serving({"a.egm": cut}) as server, pytest.raises(archive.CorruptArchive, match="does not end with its footer"):
        archive.open(server.url("a.egm"))


@pytest.mark.parametrize("text", [b"", b"x", b"-5", b"9" * 30])
def test_a_journal_that_is_none(packed: Path, text: bytes) -> None:
    packed.with_name("a.egm.append").write_bytes(text)
    assert len(content(packed)[0]) == 150 * 12
    assert archive.append(more(5, 1), packed).images == 5


def test_shards_of_a_grown_archive(packed: Path, tmp_path: Path) -> None:
    archive.append(more(50, 1), packed)
    archive.shard([packed], tmp_path / "set", images=64)
    assert content(tmp_path / "set") == content(packed)
    with pytest.raises(SeveralArchives, match=r"a\.egm: it holds several archives, as `append` makes them"):
        archive.open(str(packed.parent / "*.egm"))


def test_a_shard_that_grew_is_read_as_the_manifest_names_it(packed: Path, tmp_path: Path, images: ImageSet) -> None:
    archive.shard([packed], tmp_path / "set", images=64)
    archive.append(more(10, 1), tmp_path / "set" / "00001.egm")
    assert content(tmp_path / "set")[0] == images.images.tobytes()


def test_damage_is_named_by_the_images_of_the_whole(packed: Path) -> None:
    archive.append(more(50, 1), packed)
    with archive.open(packed) as opened:
        assert isinstance(opened, Grown)
        member = opened.members.entries[1]
        offset = member.offset + opened.archive(1).file.directory.span_of(1)[0]
    data = bytearray(packed.read_bytes())
    data[offset] ^= 1
    packed.write_bytes(data)
    report = archive.verify(packed)
    assert [(each.number, each.first, each.stop) for each in report.damaged_blocks] == [(11, 166, 182)]
    with archive.open(packed) as opened, pytest.raises(CorruptBlock, match=r"a\.egm: block 11 \(images 166 to 181\)"):
        opened[170]


# Directories that are none.


def changed(path: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """The file with another directory, whose checksum is right."""
    data = path.read_bytes()
    length, _, _ = bundle.TRAILER.unpack(data[-bundle.TRAILER.size :])
    end = len(data) - bundle.TRAILER.size
    found = json.loads(data[end - length : end])
    text = json.dumps(change(found) or found, sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(data[: end - length] + text + bundle.TRAILER.pack(len(text), zlib.crc32(text), bundle.MAGIC))
    return path


def many(found: dict[str, Any]) -> None:
    for entry in (found["parts"][1], found["parts"][1]["members"][0]):
        entry["images"] = 10**12


def put(part: int, **values: object) -> Callable[[dict[str, object]], object]:
    return lambda found: found["parts"][part]["members"][0].update(values)  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.update(engram_bundle=2), "version 2 is not known"),
        (lambda found: found.update(more=1), "not the canonical JSON"),
        (lambda found: [1], "its directory of archives is none"),
        (lambda found: found.update(parts=[]), "its headers are not those of its archives"),
        (lambda found: found.update(parts=[], headers=[]), "have not the same number of channels"),
        (lambda found: found["parts"][1].update(members=[]), "a part has no archive, or numbers that are none"),
        (lambda found: found["parts"][1].update(images=51), "a part of 51 images has archives of others"),
        (lambda found: found["parts"][1].update(order={"bytes": 0, "crc32": 0, "offset": 9}), "an order belongs to"),
        (lambda found: found["headers"].append(found["headers"][0]), "its headers are not those of its archives"),
        (lambda found: found["headers"][0].update(block_size=0), "its directory of archives is none: blocks of 0"),
        (many, r"an archive of [\d,]+ bytes cannot have 1,000,000,000,000 images"),
        (put(1, header=1), "its directory of archives is none"),
        (put(1, offset=7), "its boxes overlap"),
        (put(0, offset=1), "its boxes overlap"),
        (put(1, bytes=10**9), "its boxes do not end before it"),
        (put(1, bytes=-1), "numbers that are none"),
        (put(1, images=True), "numbers that are none"),
        (put(1, footer_crc32=1), r"from byte \d[\d,]* on: this is not the archive that the directory"),
        (put(1, bytes=300), "from byte"),
    ],
)
def test_hostile_directories(packed: Path, change: Callable[[dict[str, object]], object], message: str) -> None:
    archive.append(more(50, 1), packed)
    with pytest.raises(archive.CorruptArchive, match=rf"a\.egm.*{message}"):
        content(changed(packed, change))


def test_a_damaged_directory(packed: Path) -> None:
    archive.append(more(50, 1), packed)
    data = packed.read_bytes()
    for at in range(len(data) - bundle.TRAILER.size - 30, len(data)):
        packed.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(archive.CorruptArchive):
            archive.open(packed)
    packed.write_bytes(data[: -bundle.TRAILER.size] + bundle.TRAILER.pack(1 << 30, 0, bundle.MAGIC))
    with pytest.raises(bundle.CorruptBundle, match=r"a directory of 1,073,741,824 bytes is declared, more than there"):
        archive.open(packed)


def test_archives_that_do_not_go_together(packed: Path, tmp_path: Path) -> None:
    """Right archives under a right directory, but one has labels and the other none."""
    archive.append(more(50, 1), packed)
    other = tmp_path / "other.egm"
    archive.pack(ImageSet(more(50, 1).images), Raw((4, 3, 1)), other, block_size=16)
    with archive.open(packed) as opened:
        assert isinstance(opened, Grown)
        found, start = opened.members.bundle, opened.members.entries[0].bytes
    with archive.open(other) as single:
        assert isinstance(single, archive.Archive)
        member = bundle.Member(*single.file.directory.identity, 0, 50, start)
    parts = (found.parts[0], replace(found.parts[1], members=(member,)))
    packed.write_bytes(packed.read_bytes()[:start] + other.read_bytes() + bundle.emit(replace(found, parts=parts)))
    with archive.open(packed) as opened:
        with pytest.raises(bundle.CorruptBundle, match=r"a\.egm: archive \d in it has other classes than the others"):
            _ = opened.labels
        with pytest.raises(bundle.CorruptBundle, match=r"a\.egm: archive 1 in it has no names, unlike the others"):
            _ = opened.names
        assert opened[:].tobytes() == draw(150).images.tobytes() + more(50, 1).images.tobytes()


def test_the_verb(packed: Path, tmp_path: Path, lossy: Codec) -> None:
    assert isinstance(lossy, Frozen)
    added = more(50, 1)
    known = {"labels": added.labels, "class_names": np.array(added.class_names), "names": np.array(added.names)}
    np.savez(tmp_path / "more.npz", images=added.images, **known)
    run = CliRunner().invoke(app, ["append", str(packed), str(tmp_path / "more.npz"), "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.output)
    assert (told["images_added"], told["images"], told["archive_bytes"]) == (50, 200, packed.stat().st_size)
    assert (told["drift"], told["bytes_to_save"], told["new_class_names"]) == (None, 0, [])
    said = CliRunner().invoke(app, ["info", str(packed)]).output
    assert "2 archives in one file; codec and model are those of the first" in said
    assert "directory" in said


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
        assert opened.names is not None
        assert opened.names[-5:] == more(5, 1).names


def test_a_file_that_grew_after_the_first_look_is_looked_at_again(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.append(more(5, 1), packed)
    read, looks = bundle.read, list[int]()
    monkeypatch.setattr(bundle, "read", lambda file: read(file) if looks or looks.append(1) else None)
    with archive.open(packed) as opened:
        assert isinstance(opened, Grown)
