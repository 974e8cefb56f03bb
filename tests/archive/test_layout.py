from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.archive import layout
from engram.archive.errors import CorruptHeader, CorruptIndex, LimitExceeded, TruncatedArchive, UnsupportedVersion
from engram.archive.layout import Footer, Header, Index, Section

HEADER = Header("raw", {"image_shape": [4, 3, 1]}, 64, 0, "ab" * 32, True)


def box_of(text: bytes) -> bytes:
    box = layout.PRELUDE.pack(layout.MAGIC, 1, len(text)) + text
    return box + layout.CHECKSUM.pack(zlib.crc32(box))


def text_of(**changes: object) -> bytes:
    content = json.loads(layout.emit_header(HEADER)[16:-4]) | changes
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


sections = st.builds(Section, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
checksums = st.integers(0, 2**32 - 1)


def test_header_comes_back() -> None:
    box = layout.emit_header(HEADER)
    assert layout.header_size(box[:16]) == len(box)
    assert layout.parse_header(box) == HEADER


@given(
    st.builds(Footer, st.integers(0, 2**64 - 1), sections, sections, sections, st.integers(1, 4), checksums, checksums)
)
def test_footer_comes_back(footer: Footer) -> None:
    data = layout.emit_footer(footer)
    assert len(data) == layout.FOOTER.size == 68
    assert layout.parse_footer(data) == footer


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), checksums), max_size=9))
def test_index_comes_back(entries: list[tuple[int, int]]) -> None:
    lengths, sums = (np.array([entry[i] for entry in entries], np.int64) for i in (0, 1))
    index = Index(lengths, sums.astype(np.uint32))
    data = layout.emit_index(index)
    footer = Footer(0, Section(), Section(), Section(), index.width, zlib.crc32(data), 0)
    found = layout.parse_index(data, footer)
    assert found.lengths.tolist() == lengths.tolist()
    assert found.checksums.tolist() == sums.tolist()
    assert len(data) == len(entries) * (index.width + 4)


@pytest.mark.parametrize(("longest", "width"), [(0, 1), (255, 1), (256, 2), (65535, 2), (65536, 3), (2**32 - 1, 4)])
def test_width_is_the_fewest_bytes(longest: int, width: int) -> None:
    assert Index(np.array([0, longest]), np.zeros(2, np.uint32)).width == width


def test_a_wider_index_than_needed_is_refused() -> None:
    data = bytes(2 + 4)
    with pytest.raises(CorruptIndex, match="lengths have 2 bytes where 1 would do"):
        layout.parse_index(data, Footer(1, Section(), Section(), Section(), 2, zlib.crc32(data), 0))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 9999,
        text_of(extra=1),
        text_of(codec=7),
        text_of(config=[]),
        text_of(block_size=True),
        text_of(block_size=64.0),
        text_of(model={"bytes": -1, "embedded": True, "sha256": "ab" * 32}),
        text_of(model={"bytes": 0, "embedded": 1, "sha256": "ab" * 32}),
        text_of(model={"bytes": 0, "embedded": True, "sha256": "AB" * 32}),
        text_of(model={"bytes": 0, "embedded": True, "sha256": "ab"}),
        text_of(model={"bytes": 0, "embedded": True, "sha256": "ab" * 32, "more": 0}),
        text_of(config={"image_shape": [4, 3, 1], "x": float("nan")}),
        text_of().replace(b":64", b": 64"),
        text_of().replace(b'{"block_size":64,', b'{"block_size":64,"block_size":64,'),
    ],
)
def test_only_canonical_json_of_the_known_keys_is_a_header(text: bytes) -> None:
    with pytest.raises(CorruptHeader, match="not the canonical JSON"):
        layout.parse_header(box_of(text))


@pytest.mark.parametrize("shape", [[4, 3], [4, 3, 2], [0, 3, 1], [4, 3, 1.0], "431", None])
def test_a_header_needs_an_image_shape(shape: object) -> None:
    with pytest.raises(CorruptHeader, match="image_shape"):
        layout.parse_header(box_of(text_of(config={"image_shape": shape})))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_size": 0}, "blocks of 0 images"),
        ({"block_size": 65537}, "blocks of 65,537 images; a block has 1 to 65,536"),
        ({"block_size": 2**60}, "blocks of 1,152,921,504,606,846,976 images"),
        ({"config": {"image_shape": [65535, 65535, 3]}}, "blocks of .* bytes of pixels; the limit is 268,435,456"),
    ],
)
def test_sizes_beyond_the_limits_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(LimitExceeded, match=message):
        layout.parse_header(box_of(text_of(**changes)))


def test_prelude_is_believed_within_limits_only() -> None:
    with pytest.raises(UnsupportedVersion, match="version 2 is not known; this engram reads version 1"):
        layout.header_size(layout.PRELUDE.pack(layout.MAGIC, 2, 10))
    with pytest.raises(LimitExceeded, match=r"a header of 4,294,967,295 bytes .* limit is 1,048,576"):
        layout.header_size(layout.PRELUDE.pack(layout.MAGIC, 1, 2**32 - 1))


def test_footer_must_be_whole_and_right() -> None:
    data = layout.emit_footer(Footer(1, Section(), Section(), Section(), 1, 0, 0))
    for cut in (data[1:], data[:-1], b""):
        with pytest.raises(TruncatedArchive, match="does not end with its footer"):
            layout.parse_footer(cut)
    with pytest.raises(CorruptIndex, match="the footer's checksum is wrong"):
        layout.parse_footer(b"\2" + data[1:])
    with pytest.raises(CorruptIndex, match="lengths of 5 bytes are declared"):
        layout.parse_footer(layout.emit_footer(Footer(1, Section(), Section(), Section(), 5, 0, 0)))
