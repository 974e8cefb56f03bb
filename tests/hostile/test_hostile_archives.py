"""The reader against bytes that want to break it: never a crash, never another error, never a wrong pixel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from refused_archives import REFUSED

from engram import archive
from engram.archive import errors
from engram.archive.errors import (
    CorruptArchive,
    CorruptBlock,
    CorruptHeader,
    CorruptIndex,
    CorruptMetadata,
    CorruptModel,
    LimitExceeded,
    NotAnArchive,
    TruncatedArchive,
    UnsupportedVersion,
)
from engram.archive.layout import FOOTER, PRELUDE
from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.network import CausalNetwork, WholeDense
from engram.codecs.raw import Raw
from engram.coding.neighbourhood import Neighbourhood
from engram.errors import UsageError
from engram.images import ImageSet

IMAGES = ImageSet(
    np.random.default_rng(0).integers(0, 256, (4, 2, 2, 1), np.uint8),
    np.array([0, 1, 0, 1]),
    ("cat", "dog"),
    ("a09.png", "a10.png", "b.png", "c.png"),
)

IN_PART: dict[str, tuple[type[CorruptArchive], ...]] = {
    "header": (NotAnArchive, UnsupportedVersion, LimitExceeded, TruncatedArchive, CorruptHeader),
    "model": (CorruptModel,),
    "blocks": (CorruptBlock,),
    "class_names": (CorruptMetadata,),
    "labels": (CorruptMetadata,),
    "names": (CorruptMetadata,),
    "index": (CorruptIndex,),
    "checksums": (CorruptIndex,),
    "footer": (CorruptIndex, TruncatedArchive),
}


def test_the_table_of_parts_is_whole(tmp_path: Path) -> None:
    parts = archive.pack(IMAGES, Raw((2, 2, 1)), tmp_path / "a.egm", block_size=2).breakdown.bytes_by_part
    assert list(parts) == list(IN_PART)  # in the order of the file


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
        assert [opened.file.block(number)[:1] for number in (0, 1)] == [b"\0", b"\0"]  # decisions, not deflated values


@pytest.fixture(params=[raw_archive, frozen_archive, pixel_archive])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    request.param(tmp_path / "a.egm")
    return tmp_path / "a.egm"


def pieces(path: Path, expected: ImageSet) -> Iterator[CorruptArchive]:
    """The errors of all that is asked of an archive; what comes back instead of an error must be right."""
    try:
        opened = archive.open(path)
    except CorruptArchive as error:
        yield error
        return
    with opened:
        assert len(opened) == len(expected)
        for ask, right in (
            *((lambda row=row: opened[row], expected.images[row]) for row in range(len(expected))),
            (lambda: opened[:], expected.images),
            (lambda: opened.labels, expected.labels),
            (lambda: opened.class_names, expected.class_names),
            (lambda: opened.names, expected.names),
        ):
            try:
                assert np.array_equal(ask(), right)
            except CorruptArchive as error:
                yield error


def part_of(path: Path, offset: int) -> str:
    for name, size in archive.info(path).bytes_by_part.items():
        if offset < size:
            return name
        offset -= size
    raise AssertionError


def test_every_truncation_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    cut = small.with_name("cut.egm")
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        with pytest.raises(TruncatedArchive, match=r"file ends after|header would end at|does not end with its footer"):
            archive.open(cut)


def test_every_lengthening_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for more in (b"\0", b"\n", whole, whole[-8:], bytes(100)):
        small.write_bytes(whole + more)
        with pytest.raises(CorruptArchive):
            archive.open(small)


def test_every_changed_byte_is_found_and_named(small: Path) -> None:
    """Every bit of every byte and all of its bits at once: a checksum of 32 bits finds any change of one byte, if it
    covers it. All 255 other values where bytes are read before their checksum is: in the prelude and the footer."""
    whole = small.read_bytes()
    expected = archive.load(small)
    parts = [part_of(small, offset) for offset in range(len(whole))]
    few = {1 << bit for bit in range(8)} | {0xFF}
    file = os.open(small, os.O_WRONLY)
    for offset, byte in enumerate(whole):
        for change in few if PRELUDE.size <= offset < len(whole) - FOOTER.size else range(1, 256):
            os.pwrite(file, bytes([byte ^ change]), offset)
            found = list(pieces(small, expected))
            assert found, f"byte {offset} ^ {change:#x} went unnoticed"
            assert all(isinstance(error, IN_PART[parts[offset]]) for error in found), (offset, change, found)
        os.pwrite(file, bytes([byte]), offset)
    os.close(file)
    assert small.read_bytes() == whole
    assert list(pieces(small, expected)) == []


def test_a_damaged_block_costs_its_own_images_only(small: Path) -> None:
    expected = archive.load(small)
    offsets = archive.open(small).file.directory.block_offsets
    data = bytearray(small.read_bytes())
    data[offsets[1]] ^= 1
    small.write_bytes(data)
    with archive.open(small) as opened:
        for row in range(len(expected)):
            if row in (2, 3):
                with pytest.raises(CorruptBlock, match=r"block 1 \(images 2 to 3\)"):
                    opened[row]
            else:
                assert np.array_equal(opened[row], expected.images[row])


def test_swapped_blocks_and_blocks_of_another_archive_are_found(tmp_path: Path) -> None:
    raw_archive(tmp_path / "a.egm")
    offsets = archive.open(tmp_path / "a.egm").file.directory.block_offsets.tolist()
    data = (tmp_path / "a.egm").read_bytes()
    first, second = (data[offsets[k] : offsets[k + 1]] for k in (0, 1))
    assert len(first) == len(second)
    (tmp_path / "a.egm").write_bytes(data[: offsets[0]] + second + first + data[offsets[2] :])
    assert [error.number for error in archive.verify(tmp_path / "a.egm").damaged_blocks] == [0, 1]


def test_two_halves_of_different_archives_do_not_fit(tmp_path: Path) -> None:
    raw_archive(tmp_path / "a.egm")
    archive.pack(IMAGES, Raw((2, 2, 1)), tmp_path / "b.egm", block_size=3)
    a, b = ((tmp_path / name).read_bytes() for name in ("a.egm", "b.egm"))
    header_size = archive.info(tmp_path / "a.egm").bytes_by_part["header"]
    (tmp_path / "a.egm").write_bytes(a[:header_size] + b[header_size:])
    with pytest.raises(CorruptIndex, match="the footer belongs to another header"):
        archive.open(tmp_path / "a.egm")


@pytest.mark.parametrize(
    ("error", "message", "data"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_literal_bytes_for_each_error(tmp_path: Path, error: str, message: str, data: bytes) -> None:
    path = tmp_path / "a.egm"
    path.write_bytes(data)
    with pytest.raises(getattr(errors, error), match=re.escape(message)) as caught:
        archive.unpack(path, tmp_path / "out")
    assert type(caught.value) is getattr(errors, error)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 3
    assert os.listdir(tmp_path) == ["a.egm"]


def test_there_is_a_literal_for_each_error_of_bytes() -> None:
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CorruptArchive)
    }
    # a model given by hand is no byte of the archive
    assert {error for error, _, _ in REFUSED} == classes - {"CorruptArchive", "ModelMismatch"}


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from refused_archives import REFUSED
from engram import archive
from engram.archive.errors import CorruptArchive
path = Path(sys.argv[2])
limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
for error, _, data in REFUSED:
    path.write_bytes(data)
    try:
        archive.load(path)
    except CorruptArchive:
        pass
print("done")
"""


def test_declared_sizes_take_no_memory(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, str(Path(__file__).parent), str(tmp_path / "a.egm"), str(1 << 26)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert run.stdout == "done\n"


def test_a_file_that_shrinks_while_it_is_open(small: Path) -> None:
    with archive.open(small) as opened:
        os.truncate(small, opened.info.bytes_by_part["header"])
        with pytest.raises(CorruptArchive):
            opened[:]


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no shards\.json, so it is no shard set"):
        archive.open(tmp_path)
