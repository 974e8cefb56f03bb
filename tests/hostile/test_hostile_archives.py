"""The reader against bytes that want to break it: never a crash, never another error, never a wrong pixel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crafted import BLOCKS, CODING, GROUP, column, directory_of, grown, integers, manifest
from crafted import archive as crafted
from refused_archives import FIRST, GOOD, HUGE, MODEL, REFUSED

from engram import archive
from engram.archive import Coder, errors
from engram.archive.archive import Archive
from engram.archive.errors import (
    ArchiveChanged,
    CorruptArchive,
    CorruptBlock,
    CorruptColumn,
    CorruptDirectory,
    CorruptModel,
    ModelMismatch,
    ModelMissing,
    NotAnArchive,
    TruncatedArchive,
    UnsupportedVersion,
)
from engram.archive.frame import PRELUDE, TRAILER
from engram.archive.shards import CorruptManifest, MissingShard
from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.network import CausalNetwork, WholeDense
from engram.codecs.raw import Raw
from engram.codecs.registry import UnknownCodec
from engram.coding.neighbourhood import Neighbourhood
from engram.datasets.collection import OfPictures
from engram.errors import EngramError, UsageError
from engram.images import ImageSet
from engram.table import column_of, texts

IMAGES = ImageSet(
    np.random.default_rng(0).integers(0, 256, (4, 2, 2, 1), np.uint8),
    np.array([0, 1, 0, 1]),
    ("cat", "dog"),
    ("a09.png", "a10.png", "b.png", "c.png"),
)

IN_PART: dict[str, tuple[type[CorruptArchive], ...]] = {
    "prelude": (NotAnArchive, UnsupportedVersion),
    "models": (CorruptModel,),
    "blocks": (CorruptBlock,),
    "column": (CorruptColumn,),
    "files": (CorruptColumn,),
    "index": (CorruptDirectory,),
    "directory": (CorruptDirectory, TruncatedArchive),
}


def raw_archive(path: Path) -> None:
    archive.pack(IMAGES, Raw((2, 2, 1)), path, block_size=2)


def frozen_archive(path: Path) -> None:
    archive.pack(IMAGES, freeze(fit_pca(IMAGES, 1), IMAGES), path, block_size=2)


def pixel_archive(path: Path) -> None:
    """By a network that expects the same of every value, but for the sum of its neighbours."""
    around = Neighbourhood((2, 2, 1), 1, 2)
    taken = around.inputs + around.features
    hidden = WholeDense(np.ones((taken, 1), np.int64), np.zeros(1, np.int64), 2)
    head = WholeDense(np.ones((taken + 1, 4), np.int64), np.array([0, 0, 2048 * 64, 130 * 64]), 6)
    archive.pack(IMAGES, Pixel(CausalNetwork(around, (hidden, head))), path, block_size=2)
    with archive.open(path) as opened:
        assert [data[:1] for data in opened.read_blocks([0, 1])] == [b"\0", b"\0"]  # decisions, not deflated values


def mixed_archive(path: Path) -> None:
    """Two kinds, padding, tiles, columns of several types, a file."""
    rng = np.random.default_rng(1)
    found = [rng.integers(0, 256, (h, w, c), np.uint8) for h, w, c in ((2, 3, 1), (3, 2, 1), (4, 2, 4), (1, 1, 1))]
    table = {
        "path": texts(list("abcd")),
        "number": column_of([1.5, None, 2, 3]),
        "json": column_of([[1], {}, 2, 3]),
    }
    collection = OfPictures("drawn", found, table)
    collection.files = {"more/metadata.csv": b"file_name,number"}
    groups = collection.groups()
    coders = [Coder(g.kind, tuple(Raw((*g.size, c)) for c in g.kind.layers)) for g in groups]
    archive.pack_collection(collection, groups, coders, path, block_size=2)


@pytest.fixture(params=[raw_archive, frozen_archive, pixel_archive, mixed_archive])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    request.param(tmp_path / "a.egm")
    return tmp_path / "a.egm"


def plain(value: Any) -> Any:
    """An answer as text, which can be compared."""
    return repr([np.asarray(each).tolist() for each in value])


def answers(opened: Archive) -> dict[str, Callable[[], Any]]:
    """All that may be asked of an archive."""
    found: dict[str, Callable[[], Any]] = {f"picture {row}": lambda row=row: plain(opened[row]) for row in range(3)}
    found |= {f"column {name}": lambda name=name: plain(opened.table[name]) for name in opened.column_names}
    for number, source in enumerate(opened.sources):
        for name in source.directory.files:
            found[f"file {name}"] = lambda number=number, name=name: opened.segment(number).kept_file(name)
    return found | {
        "all": lambda: plain(opened[:]),
        "classes": lambda: opened.class_names,
        "sizes": lambda: plain(opened.sizes),
        "a path": lambda: plain(opened["b"]) if "path" in opened.column_names else None,
        "verified": lambda: archive.verify(opened),
    }


def asked(path: Path) -> tuple[dict[str, Any], list[EngramError]]:
    """What an archive answers, and the errors; any other than engram's own passes."""
    found, failed = dict[str, Any](), list[EngramError]()
    try:
        with archive.open(path) as opened:
            for name, ask in answers(opened).items():
                try:
                    found[name] = ask()
                except EngramError as error:
                    failed.append(error)
                except (KeyError, IndexError):  # no such path, no such picture
                    pass
    except EngramError as error:
        failed.append(error)
    if "verified" in found:
        report = found.pop("verified")
        failed += [*report.damaged_blocks, *report.damaged_parts.values()]
    return found, failed


def parts_of(path: Path) -> list[str]:
    """What each byte of an archive belongs to."""
    parts = archive.info(path).bytes_by_part
    sizes = [("prelude", parts.pop("prelude")), *parts.items()]
    return [name.split(" ")[0] for name, size in sizes for _ in range(size)]


def test_the_table_of_parts_is_whole(tmp_path: Path) -> None:
    frozen_archive(tmp_path / "a.egm")
    mixed_archive(tmp_path / "b.egm")
    assert {*parts_of(tmp_path / "a.egm"), *parts_of(tmp_path / "b.egm")} == set(IN_PART)


def test_every_truncation_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for size in range(len(whole)):
        small.write_bytes(whole[:size])
        with pytest.raises((TruncatedArchive, NotAnArchive), match=r"does not end with its trailer|does not begin"):
            archive.open(small)


def test_every_lengthening_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for more in (b"\0", b"\n", whole, whole[12:], whole[-16:], whole[-8:], bytes(100)):
        small.write_bytes(whole + more)
        with pytest.raises(CorruptArchive):
            archive.open(small)


def test_every_changed_byte_is_found_and_named(small: Path) -> None:
    """A checksum of 32 bits finds any change of one byte, if it covers it: three of each. All 255 other values where
    bytes are read before their checksum is: in the prelude and the trailer."""
    whole, parts = small.read_bytes(), parts_of(small)
    right, failed = asked(small)
    assert not failed
    file = os.open(small, os.O_WRONLY)
    for offset, byte in enumerate(whole):
        is_inner = PRELUDE.size <= offset < len(whole) - TRAILER.size
        for change in (1, 0x80, 0xFF) if is_inner else range(1, 256):
            os.pwrite(file, bytes([byte ^ change]), offset)
            found, failed = asked(small)
            assert failed, f"byte {offset} ^ {change:#x} went unnoticed"
            assert all(isinstance(error, IN_PART[parts[offset]]) for error in failed), (offset, change, failed)
            assert all(found[name] == right[name] for name in found)
        os.pwrite(file, bytes([byte]), offset)
    os.close(file)
    assert asked(small) == (right, [])


def test_a_damaged_block_costs_its_own_images_only(small: Path) -> None:
    expected = [np.array(image) for image in archive.open(small)]
    data = bytearray(small.read_bytes())
    data[archive.open(small).segment(0).span(1)[0]] ^= 1
    small.write_bytes(data)
    with archive.open(small) as opened:
        lost = opened.rows_of(1).tolist()
        assert 0 < len(lost) < len(expected)
        for row, image in enumerate(expected):
            if row in lost:
                with pytest.raises(CorruptBlock, match=r"block 1 \("):
                    opened[row]
            else:
                assert np.array_equal(opened[row], image)


def test_swapped_blocks_are_found(tmp_path: Path) -> None:
    raw_archive(tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        (start, middle), (_, stop) = (opened.segment(0).span(block) for block in (0, 1))
    data = (tmp_path / "a.egm").read_bytes()
    assert middle - start == stop - middle
    (tmp_path / "a.egm").write_bytes(data[:start] + data[middle:stop] + data[start:middle] + data[stop:])
    assert [error.number for error in archive.verify(tmp_path / "a.egm").damaged_blocks] == [0, 1]


def test_two_halves_of_different_archives_do_not_fit(tmp_path: Path) -> None:
    raw_archive(tmp_path / "a.egm")
    archive.pack(IMAGES.with_images(IMAGES.images[::-1]), Raw((2, 2, 1)), tmp_path / "b.egm", block_size=2)
    a, b = ((tmp_path / name).read_bytes() for name in ("a.egm", "b.egm"))
    _, stop = archive.open(tmp_path / "a.egm").segment(0).span(1)
    (tmp_path / "a.egm").write_bytes(a[:stop] + b[stop:])
    assert len(archive.verify(tmp_path / "a.egm").damaged_blocks) == 2


def test_what_is_crafted_is_right_where_it_is_not_changed(tmp_path: Path) -> None:
    for data, rows in ((GOOD, 3), (grown({}, {}, {}), 9)):
        (tmp_path / "a.egm").write_bytes(data)
        found, failed = asked(tmp_path / "a.egm")
        assert not failed
        assert found["all"] == repr([[[[ord(c)]]] for c in "abc" * (rows // 3)])


@pytest.mark.parametrize(
    ("error", "message", "data"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_error(tmp_path: Path, error: str, message: str, data: bytes) -> None:
    """It is among those of all that may be asked; each says which file, and none takes long."""
    path = tmp_path / "a.egm"
    path.write_bytes(data)
    began = time.process_time()
    _, failed = asked(path)
    try:
        archive.unpack(path, tmp_path / "out")
        shutil.rmtree(tmp_path / "out")  # what is damaged was not in the way
    except EngramError as other:
        failed.append(other)
    assert time.process_time() - began < 5
    assert any(type(each) is getattr(errors, error) and message in str(each) for each in failed), failed
    assert all(str(path) in str(each) and isinstance(each, CorruptArchive) for each in failed)
    assert {each.exit_code for each in failed} == {3}
    assert os.listdir(tmp_path) == ["a.egm"]


def test_there_is_an_archive_for_each_error_of_bytes() -> None:
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CorruptArchive)
    }
    # a model given by hand is no byte of the archive
    assert {error for error, _, _ in REFUSED} == classes - {"CorruptArchive", "ModelMismatch"}


def test_what_is_left_out_and_what_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "a.egm"
    path.write_bytes(crafted(models=[MODEL | {"embedded": False}], codings=[CODING | {"model": 0}]))
    with archive.open(path) as opened, pytest.raises(ModelMissing, match=MODEL["sha256"]):
        opened[0]
    with archive.open(path, b"ac") as opened, pytest.raises(ModelMismatch, match=MODEL["sha256"]):
        opened[0]
    path.write_bytes(crafted(codings=[CODING | {"id": "of tomorrow"}], later=1, columns=[]))
    with archive.open(path) as opened, pytest.raises(UnknownCodec, match="of tomorrow"):
        opened[0]


def write_set(folder: Path, content: Any, *shards: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "shards.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    for number, data in enumerate(shards):
        (folder / f"{number}.egm").write_bytes(data)
    return folder


NO_NAMES = ("../0.egm", "", "a/b", "\ud800", "é" * 300, "nul")
HUGE_GROUP = GROUP | {"cells": HUGE, "block_size": 65536}
MANIFESTS: list[tuple[type[EngramError], str, Any]] = [
    (CorruptManifest, "is not the manifest of a shard set", b""),
    (CorruptManifest, "is not the manifest of a shard set", b"[]"),
    (CorruptManifest, "is not the manifest of a shard set", b"[" * 100_000),
    (CorruptManifest, "is not the manifest of a shard set", b'{"engram_shards": 2, "model": null, "shards": [1]}'),
    (CorruptManifest, "names no shard", {"engram_shards": 2, "model": None, "shards": []}),
    (CorruptManifest, "or one of them twice", manifest(GOOD, GOOD, name="1.egm")),
    (UnsupportedVersion, "of version 1; this engram reads version 2", {"engram_shards": 1}),
    (UnsupportedVersion, "of version 3; this engram reads version 2", manifest(GOOD) | {"engram_shards": 3}),
    (UnsupportedVersion, "needs time", manifest(GOOD, directory=directory_of(needs=["time"]))),
    *((CorruptManifest, "is not the manifest", manifest(GOOD, name=name)) for name in NO_NAMES),
    (CorruptManifest, "is not the manifest", manifest(GOOD) | {"model": "../model"}),
    (CorruptManifest, "is not the manifest", manifest(GOOD, bytes=HUGE + 1)),
    (CorruptManifest, "is not the manifest", manifest(GOOD, bytes=20)),
    (CorruptManifest, "is not the manifest", manifest(GOOD, crc32=1 << 32)),
    (CorruptManifest, "is not the manifest", manifest(GOOD, directory=directory_of(rows=HUGE, groups=[HUGE_GROUP]))),
    (
        CorruptManifest,
        "is not the manifest",
        manifest(*[GOOD] * 2, bytes=HUGE, directory=directory_of(rows=HUGE, groups=[HUGE_GROUP], width=1)),
    ),
    (
        CorruptManifest,
        "is not the manifest",
        manifest(GOOD, directory=directory_of(before=[FIRST])),
    ),
    (CorruptDirectory, "pictures cannot have", manifest(GOOD, directory=directory_of(rows=4))),
    (MissingShard, "9.egm is missing", manifest(GOOD, name="9.egm")),
    (ArchiveChanged, "is not the archive that", manifest(GOOD, bytes=len(GOOD) + 1)),
    (ArchiveChanged, "is not the archive that", manifest(GOOD, crc32=7)),
    (CorruptDirectory, "the index's checksum is wrong", manifest(GOOD, directory=directory_of(index_crc32=0))),
    (CorruptDirectory, "do not add up", manifest(GOOD, directory=directory_of(models=[MODEL]))),
]


@pytest.mark.parametrize(("error", "message", "content"), MANIFESTS, ids=lambda value: str(value)[:20])
def test_each_error_of_a_shard_set(tmp_path: Path, error: type[EngramError], message: str, content: Any) -> None:
    began = time.process_time()
    _, failed = asked(write_set(tmp_path / "set", content, GOOD, GOOD))
    assert any(type(each) is error and message in str(each) for each in failed), failed
    assert time.process_time() - began < 5


def test_a_crafted_set_is_right_where_it_is_not_changed(tmp_path: Path) -> None:
    found, failed = asked(write_set(tmp_path / "set", manifest(GOOD, GOOD), GOOD, GOOD))
    assert not failed
    assert found["all"] == repr([[[[ord(c)]]] for c in "abcabc"])


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from refused_archives import REFUSED
from test_hostile_archives import MANIFESTS, GOOD, asked, write_set
path = Path(sys.argv[2])
asked(write_set(path / "set", MANIFESTS[4][2], GOOD))
limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
for _, _, data in REFUSED:
    (path / "a.egm").write_bytes(data)
    asked(path / "a.egm")
for _, _, content in MANIFESTS:
    asked(write_set(path / "set", content, GOOD, GOOD))
print("done")
"""


def test_declared_sizes_take_no_memory(tmp_path: Path) -> None:
    """No more than the largest chunk that is allowed, and what its texts take."""
    run = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, str(Path(__file__).parent), str(tmp_path), str(3 << 26)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert run.stdout == "done\n", run.stderr


def test_a_picture_of_the_largest_size_takes_the_memory_of_its_cells(tmp_path: Path) -> None:
    """One column is 16384 high, in 64 cells; nothing of it is made before a cell is decoded."""
    cells = [{"kind": "gray", "codings": [0], "block_size": 1, "cells": 64}]
    pieces = [*[zlib.compress(bytes(256))] * 64, integers(16384)]
    changes = {"rows": 1, "groups": cells, "codings": [CODING | {"config": {"image_shape": [256, 1, 1]}}]}
    (tmp_path / "a.egm").write_bytes(crafted(pieces, **changes, columns=[column(".height", "integer")]))
    with archive.open(tmp_path / "a.egm") as opened:
        assert opened[0].shape == (16384, 1, 1)
        assert not opened[0].any()


def test_many_small_groups_take_no_long_time(tmp_path: Path) -> None:
    count = 4096
    groups = [GROUP | {"cells": 1}] * count
    pieces = [*[BLOCKS[1]] * count, integers(*range(count))]
    (tmp_path / "a.egm").write_bytes(crafted(pieces, rows=count, groups=groups, columns=[column(".group", "integer")]))
    began = time.process_time()
    with archive.open(tmp_path / "a.egm") as opened:
        assert len(opened[:]) == count
        assert archive.verify(opened).ok
    assert time.process_time() - began < 20


def test_a_file_that_shrinks_while_it_is_open(small: Path) -> None:
    with archive.open(small) as opened:
        os.truncate(small, 20)
        with pytest.raises(CorruptArchive):
            opened[:]


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no shards\.json, so it is no shard set"):
        archive.open(tmp_path)
