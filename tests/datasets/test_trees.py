"""A .zip and a .tar are what their folder is, and a picture is a collection of one; each bad one says what it is."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from boxes import BOXES, add, as_folder, as_tar, as_zip, content, png, values
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.datasets import folders, tree
from engram.datasets.collection import Collection, NoSuchSplit
from engram.datasets.kinds import UnreadablePicture
from engram.datasets.names import UnsafeName
from engram.datasets.source import Reading, collection
from engram.datasets.tree import CompressedTar, DamagedContainer, DamagedMember, TwiceInContainer
from engram.errors import EngramError

TREE = {
    "train/cat/1.png": png(1),
    "train/dog/ä 猫.png": png(2, (5, 4)),
    "val/cat/2.png": png(3),
    "val/cat/deep/3.png": png(4),
    "metadata.csv": b"file_name,age\ntrain/cat/1.png,7\nval/cat/2.png,8\n",
    ".hidden/a.png": b"no picture",
    "train/.a.png": b"no picture",
    "readme.md": b"no picture",
}
LEFT_OUT = "no picture, by its name, or a link that leads to none: left out"


@pytest.mark.parametrize("kind", BOXES)
def test_a_box_is_what_its_folder_is(kind: str, tmp_path: Path) -> None:
    box = BOXES[kind](dict(reversed(TREE.items())), tmp_path / f"a.{kind}")
    there, here = taken(as_folder(TREE, tmp_path / "a")), taken(box)
    assert content(here) == content(there)
    assert [notice.what for notice in here.notices] == [LEFT_OUT]
    assert here.notices[0].first == f"{box}/readme.md"
    assert here.where(0) == f"{box}/train/cat/1.png"


NAMES = st.text(st.sampled_from("ab.-Z0ä"), min_size=1, max_size=3)


@settings(max_examples=20)
@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=5))
def test_any_tree_is_the_same_in_a_box(found: set[tuple[str, ...]]) -> None:
    trees = sorted((*(f"{name}_" for name in below), f"{name}.png") for *below, name in found)
    files = {"/".join(path): png(number) for number, path in enumerate(trees)}
    with tempfile.TemporaryDirectory() as below:
        folder = as_folder(files, Path(below) / "a")
        results = [outcome(path) for path in (folder, *(BOXES[k](files, folder.with_suffix(f".{k}")) for k in BOXES))]
    assert results[0] == results[1] == results[2]


def taken(path: Path) -> Collection:
    """What a box has, and its notices are not told."""
    found = tree.tree_of(path)
    assert found is not None
    return folders.collection(found)


def outcome(path: Path) -> object:
    """What a tree gives, or the kind of its error."""
    try:
        return content(taken(path))
    except EngramError as error:
        return type(error)


@pytest.mark.parametrize("kind", BOXES)
def test_a_split_of_a_box(kind: str, tmp_path: Path) -> None:
    box = BOXES[kind](TREE, tmp_path / f"a.{kind}")
    with pytest.warns(UserWarning, match=LEFT_OUT):
        assert values(collection(f"{box}:val"), "path") == ["val/cat/2.png", "val/cat/deep/3.png"]
    with pytest.raises(NoSuchSplit, match="has no split 'test', only train, val"):
        collection(f"{box}:test")


def test_paths_may_begin_with_the_folder_that_they_are_in(tmp_path: Path) -> None:
    files = {"./a.png": png(1), "./x/b.png": png(2)}
    for kind in BOXES:
        found = collection(BOXES[kind](files, tmp_path / f"a.{kind}"))
        assert values(found, "path") == ["a.png", "x/b.png"]


def test_a_picture_is_a_collection_of_one(tmp_path: Path) -> None:
    as_folder({"a/x.PNG": png(7), "a/y.png": png(8), "a/metadata.csv": b"no table"}, tmp_path)
    found = collection(tmp_path / "a" / "x.PNG")
    assert (values(found, "path"), list(found.table)) == (["x.PNG"], ["path"])
    (tmp_path / "a" / "x.PNG").write_bytes(b"")
    with pytest.raises(UnreadablePicture, match=re.escape(f"{tmp_path / 'a' / 'x.PNG'} cannot be read as a picture")):
        collection(tmp_path / "a" / "x.PNG")


@pytest.mark.parametrize("path", ["/a.png", "../a.png", "a/../../b.png", "a//b.png", "a\\b.png", "C:a.png"])
@pytest.mark.parametrize("kind", BOXES)
def test_a_path_that_leaves_its_folder(kind: str, path: str, tmp_path: Path) -> None:
    box = BOXES[kind]({"ok.png": png(), path: png()}, tmp_path / f"a.{kind}")
    with pytest.raises(UnsafeName, match=f"^{re.escape(str(box))}: .* is not a plain file name"):
        collection(box)


def test_links_of_a_tar(tmp_path: Path) -> None:
    """Symbolic ones lead elsewhere and are left out; a hard one is the same file once more."""
    with tarfile.open(tmp_path / "a.tar", "w") as box:
        add(box, "a.png", png(5))
        add(box, "b.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(box, "c.png", type=tarfile.LNKTYPE, linkname="./a.png")
        add(box, "d.png", type=tarfile.LNKTYPE, linkname="../e.png")
        add(box, "e.png", type=tarfile.FIFOTYPE)
    with pytest.warns(UserWarning, match=rf"{LEFT_OUT}; 3 of 5 files, the first .*b\.png"):
        found = collection(tmp_path / "a.tar")
    _, pictures, _ = content(found)
    assert (values(found, "path"), pictures) == (["a.png", "c.png"], [bytes([5] * 6)] * 2)


def test_links_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as box:
        box.writestr("a.png", png())
        link = zipfile.ZipInfo("b.png")
        link.external_attr = 0o120777 << 16
        box.writestr(link, "/etc/passwd")
    with pytest.warns(UserWarning, match=rf"{LEFT_OUT}; 1 of 2 files, the first .*b\.png"):
        assert values(collection(tmp_path / "a.zip"), "path") == ["a.png"]


def test_links_beside_pictures_say_nothing_of_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as box:
        box.writestr("a.png", png())
        link = zipfile.ZipInfo("a.cls")
        link.external_attr = 0o120777 << 16
        box.writestr(link, "/etc/passwd")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "a.png", png())
        add(tar, "a.json", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    for path in (tmp_path / "a.zip", tmp_path / "a.tar"):
        with pytest.warns(UserWarning, match=rf"{LEFT_OUT}; 1 of 2 files"):
            assert list(collection(path).table) == ["path"]


def test_two_files_of_one_path(tmp_path: Path) -> None:
    patched(as_zip(TWO, tmp_path / "a.zip"), (LOCAL, CENTRAL), (30, 46), b"a.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "a.png", png())
        add(tar, "./a.png", png())
    for path in (tmp_path / "a.zip", tmp_path / "a.tar"):
        with pytest.raises(TwiceInContainer, match=f"^{re.escape(str(path))} has two files called a.png; take one out"):
            collection(path)


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
TWO = {"a.png": png(1), "b.png": png(2)}


def patched(box: Path, marks: tuple[bytes, ...], offsets: tuple[int, ...], data: bytes) -> Path:
    """Writes bytes behind the last of each mark."""
    whole = bytearray(box.read_bytes())
    for mark, offset in zip(marks, offsets, strict=True):
        at = whole.rindex(mark) + offset
        whole[at : at + len(data)] = data
    box.write_bytes(whole)
    return box


def bad_members(folder: Path) -> dict[str, Path]:
    """Boxes of which the picture b.png cannot be read."""
    encrypted = patched(as_zip(TWO, folder / "1.zip"), (LOCAL, CENTRAL), (6, 8), b"\1\0")
    large = patched(as_zip(TWO, folder / "2.zip"), (CENTRAL,), (24,), (1 << 30).to_bytes(4, "little"))
    damaged = patched(as_zip(TWO, folder / "3.zip", zipfile.ZIP_STORED), (b"IDAT",), (6,), b"\0\0")
    with zipfile.ZipFile(as_zip({"a.png": png(1)}, folder / "4.zip"), "a") as box:
        box.writestr("b.png", png(2), zipfile.ZIP_BZIP2)
    as_tar({"a.png": png(1)}, folder / "5.tar")
    member = tarfile.TarInfo("b.png")
    member.size = 1 << 29
    with open(folder / "5.tar", "r+b") as file:
        file.seek(1024)
        file.write(member.tobuf())
        file.truncate(2048 + member.size)  # the disk holds no such zeros
    return {
        "is encrypted": encrypted,
        "claims 1,073,741,824 bytes": large,
        "cannot be read (Bad CRC-32 for file 'b.png')": damaged,
        "is neither stored nor deflated": folder / "4.zip",
        "claims 536,870,912 bytes": folder / "5.tar",
    }


def test_a_member_that_cannot_be_read_is_named_or_left_out(tmp_path: Path) -> None:
    for reason, box in bad_members(tmp_path).items():
        with pytest.raises(DamagedMember, match=f"^{re.escape(f'{box}/b.png')}.*{re.escape(reason)}"):
            collection(box)
        with pytest.warns(UserWarning, match=r"left out; 1 of 2 files, the first .*b\.png"):
            assert values(collection(box, reading=Reading(skip_broken=True)), "path") == ["a.png"]


@pytest.mark.parametrize("kind", BOXES)
def test_each_cut_of_a_box_is_refused(kind: str, tmp_path: Path) -> None:
    whole = BOXES[kind](TWO, tmp_path / f"a.{kind}").read_bytes()
    ends = range(0, len(whole), 7) if kind == "zip" else range(0, 4 * 512 + 1, 64)  # more zeros come after the mark
    for end in ends:
        (tmp_path / f"b.{kind}").write_bytes(whole[:end])
        with pytest.raises(DamagedContainer, match=rf"b\.{kind} cannot be read \("):
            collection(tmp_path / f"b.{kind}")


def test_a_tar_of_garbage_in_the_middle_is_not_read_to_there(tmp_path: Path) -> None:
    whole = bytearray(as_tar(TWO, tmp_path / "a.tar").read_bytes())
    whole[1024:1536] = bytes(range(256)) * 2
    (tmp_path / "a.tar").write_bytes(whole)
    with pytest.raises(DamagedContainer, match=r"no end mark at byte 1,024: it is cut, damaged or compressed"):
        collection(tmp_path / "a.tar")


def claiming(folder: Path) -> dict[str, Path]:
    """Boxes of some hundred bytes that claim 200 MB, in a file or in a header."""
    claimed = (200_000_000).to_bytes(4, "little")
    stored = patched(as_zip(TWO, folder / "1.zip", zipfile.ZIP_STORED), (CENTRAL, CENTRAL), (20, 24), claimed)
    deflated = patched(as_zip(TWO, folder / "2.zip"), (CENTRAL, CENTRAL), (20, 24), claimed)
    expanded = patched(as_zip(TWO, folder / "3.zip"), (CENTRAL,), (24,), claimed)
    found = {"stored": stored, "deflated": deflated, "expanded": expanded}
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
        member = tarfile.TarInfo("b.png")
        member.type, member.size = kind, 200_000_000
        found[str(kind)] = folder / f"{len(found)}.tar"
        found[str(kind)].write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    return found


def test_a_claim_takes_no_memory(tmp_path: Path) -> None:
    for what, box in claiming(tmp_path).items():
        tracemalloc.start()
        with pytest.raises((DamagedContainer, DamagedMember), match="claim"):
            collection(box)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 1 << 23, what


@pytest.mark.parametrize("kind", [b"9", tarfile.REGTYPE])
def test_a_size_below_zero_does_not_lead_back_for_ever(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("a.png")
    member.type, member.size = kind, -1024
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) * 2)
    with pytest.raises(DamagedContainer, match=r"a\.png has a size below 0"):
        collection(tmp_path / "a.tar")


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar", "a.TAR.GZ"])
def test_a_compressed_tar_says_how_to_expand_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(as_tar(TWO, tmp_path / "plain").read_bytes()))
    message = f"{path} is a compressed tar; expand it first: `gunzip < {path} > expanded.tar`"
    with pytest.raises(CompressedTar, match=f"^{re.escape(message)}$"):
        collection(path)


@pytest.mark.parametrize("kind", BOXES)
def test_a_box_without_a_picture(kind: str, tmp_path: Path) -> None:
    with pytest.raises(EngramError, match=r"no picture in it or its sub-folders"):
        collection(BOXES[kind]({"a.txt": b""}, tmp_path / f"a.{kind}"))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(BOXES)), st.data())
def test_bytes_that_are_changed_give_pictures_or_an_error_of_ours(kind: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = bytearray(BOXES[kind](TWO | {"a.json": b"{}"}, Path(folder) / f"a.{kind}").read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(0, min(len(whole), 2600) - 1))] = data.draw(st.integers(0, 255))
        (Path(folder) / f"a.{kind}").write_bytes(whole)
        outcome(Path(folder) / f"a.{kind}")


def test_what_is_opened_is_what_pillow_reads(tmp_path: Path) -> None:
    box = tree.Zip(as_zip(TWO, tmp_path / "a.zip"))
    opened = tree.opened(box.at("b.png"))
    assert isinstance(opened, io.BytesIO)
    assert opened.getvalue() == TWO["b.png"]
