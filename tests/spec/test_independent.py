"""FORMAT.md against the archives: its example, and the independent decoder on every golden archive."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path

import independent
import numpy as np
import pytest

from engram import archive
from engram.archive import layout

FORMAT = Path(__file__).parents[2] / "FORMAT.md"
GOLDEN = Path(__file__).parents[1] / "golden" / "archives"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


def example() -> bytes:
    """The bytes of FORMAT.md's example, whose offsets must be right."""
    (block,) = re.findall(r"```egm\n(.*?)```", FORMAT.read_text(), re.DOTALL)
    data = b""
    for offset, row in re.findall(r"^ *(\d+)  ((?:[0-9a-f]{2} ?)+)", block, re.MULTILINE):
        assert int(offset) == len(data)
        data += bytes.fromhex(row)
    return data


def check_example(images: np.ndarray, labels: object, class_names: object, names: object) -> None:  # type: ignore[type-arg]
    assert images.tobytes() == bytes(range(0, 240, 20))
    assert images.shape == (3, 2, 2, 1)
    assert np.array_equal(labels, [1, 0, 1])  # type: ignore[call-overload]
    assert class_names == ("cat", "dog")
    assert names == ("a08.png", "a09.png", "b.png")


def test_the_example_is_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.egm").write_bytes(example())
    found = archive.load(tmp_path / "a.egm")
    check_example(found.images, found.labels, found.class_names, found.names)
    assert archive.info(tmp_path / "a.egm").block_size == 2


def test_the_independent_decoder_reads_the_example() -> None:
    found = independent.read(example())
    check_example(found["images"], found["labels"], found["class_names"], found["names"])


def test_the_limits_and_sizes_in_the_text_are_those_of_the_code() -> None:
    text = FORMAT.read_text()
    assert f"H at most {layout.MOST_HEADER_BYTES:,}" in text
    assert f"an integer, 1 to {layout.MOST_IMAGES_IN_BLOCK}" in text
    assert "B x height x width x channels MUST be at most 2^28" in text
    assert layout.MOST_BLOCK_PIXELS == 2**28
    assert f"| footer      | {layout.FOOTER.size} " in text
    assert f"version, u32: {layout.VERSION} " in text


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_independent_decoder_reads_the_golden_archives(name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    left_out = (GOLDEN / name).with_suffix(".model")
    model = left_out.read_bytes() if left_out.exists() else None
    found = independent.read_any(data, model)
    with archive.open(GOLDEN / name, model) as opened:
        assert len(found["images"]) == len(opened)
        assert all(map(np.array_equal, found["images"], opened[:]))
        assert np.array_equal(found["labels"], opened.labels)
        assert found["class_names"] == opened.class_names
        assert found["names"] == opened.names


@pytest.mark.parametrize(("name", "count"), [("grown.egm", 3), ("mixed.egm", 2)])
def test_the_independent_decoder_sees_damage_in_a_bundle(name: str, count: int) -> None:
    data = (GOLDEN / name).read_bytes()
    length, _ = struct.unpack("<II", data[-16:-8])
    directory = json.loads(data[-16 - length : -16])
    boxes = [member for part in directory["parts"] for member in part["members"]]
    assert len(boxes) == count
    sections = [part[name] for part in directory["parts"] for name in ("order", "sizes") if part[name]]
    places = [box["offset"] + at for box in boxes for at in (1, 900, box["bytes"] - 1)]
    places += [section["offset"] + 4 for section in sections]
    for offset in (*places, len(data) - 16 - length, len(data) - 15, len(data) - 1):
        with pytest.raises((independent.Refused, zlib.error)):
            independent.read_any(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])


@pytest.mark.parametrize("offset", [0, 20, 200, -70, -20, -1])
def test_the_independent_decoder_sees_damage(offset: int) -> None:
    data = bytearray(example())
    data[offset] ^= 1
    with pytest.raises(independent.Refused):
        independent.read(bytes(data))


def test_the_independent_decoder_is_independent() -> None:
    files = sorted(Path(__file__).parent.glob("independent*.py"))
    assert len(files) == 7
    allowed = {"hashlib", "json", "lzma", "re", "struct", "zlib", "numpy", *(file.stem for file in files)}
    for file in files:
        assert set(re.findall(r"^(?:import|from) (\w+)", file.read_text(), re.MULTILINE)) <= allowed
