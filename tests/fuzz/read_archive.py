"""A fuzz target for the archive's reader, and what it asks of every input.

The first byte says what the others are: 0, an archive as it stands; 1, an archive whose checksums are made right first;
2, the plain content of an archive, which is deflated and put together with right checksums. So what lies behind
checksums and zlib is reached too. Then the reader must refuse the bytes with an EngramError, or agree with the
independent decoder on every pixel, label and name; it must not crash, hang, or take memory out of proportion.

    pip install atheris
    PYTHONPATH=src python tests/fuzz/read_archive.py -runs=1000000 -max_len=4096 CORPUS

CORPUS is a folder for what the fuzzer finds; the golden archives are put into it first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "spec"))

SEPARATOR = b"\xfe\xff"
BUNDLE = bytes.fromhex("89 45 42 4E 0d 0a 1a 0a")
MOST_PIXELS = 1 << 22
"""Archives of more bytes of pixels are opened and asked for one image, not for all."""


def check(data: bytes, path: Path) -> bool:
    """Whether the reader took the input; `path` is a file to write it to. Raises AssertionError for a wrong answer."""
    import independent

    from engram import archive
    from engram.errors import EngramError

    content = {b"\1": repair, b"\2": assemble}.get(data[:1], bytes)(data[1:])
    path.write_bytes(content)
    try:
        with archive.open(path) as opened:
            whole = opened.info.images * int(np.prod(opened.info.image_shape)) <= MOST_PIXELS
            if not whole:
                opened[opened.info.images - 1]
                return True
            report = archive.verify(path)
            images, labels, names = opened[:], opened.labels, opened.names
            class_names = opened.class_names
    except EngramError:
        return False
    if not report.ok:
        assert not len(images), report  # without images nothing asks for a model that makes no codec
        return False
    right = independent.read_any(content)
    assert [image.tolist() for image in images] == [image.tolist() for image in right["images"]]
    assert np.array_equal(labels, right["labels"])
    assert (class_names, names) == (right["class_names"], right["names"])
    return True


def repair(data: bytes) -> bytes:
    """The bytes with all checksums made right, as far as an archive can be made out in them; of a bundle the last."""
    if data.endswith(BUNDLE):
        (length,) = struct.unpack("<I", data[-16:-12])
        return data[:-12] + struct.pack("<I", zlib.crc32(data[max(0, len(data) - 16 - length) : -16])) + BUNDLE
    if len(data) < 20 + 68:
        return data
    (length,) = struct.unpack("<I", data[12:16])
    end = 16 + length
    if end + 4 + 68 > len(data):
        return data
    fields = list(struct.unpack("<QQIQIQIIIII", data[-68:-8]))
    text, middle, magic = data[16:end], data[end + 4 : -68], data[-8:]
    count, sections, width = fields[0], (fields[1], fields[3], fields[5]), fields[7]
    try:
        header = json.loads(text)
        blocks = -(-count // header["block_size"])
        model = middle[: header["model"]["bytes"]] if header["model"]["embedded"] else b""
    except (ValueError, TypeError, KeyError, ZeroDivisionError, RecursionError):
        return data
    if model:
        text = re.sub(rb'"sha256":"[^"]*"', b'"sha256":"%s"' % hashlib.sha256(model).hexdigest().encode(), text)
    start = len(middle) - blocks * (width + 4)
    if start - sum(sections) > 0 and blocks > 0:
        lengths, at = middle[start : start + blocks * width], len(model)
        checksums = b""
        for block in range(blocks):
            size = int.from_bytes(lengths[block * width : (block + 1) * width], "little")
            checksums += struct.pack("<I", zlib.crc32(middle[at : at + size]))
            at += size
        middle = middle[:start] + lengths + checksums
    at = start - sum(sections)
    for number, size in enumerate(sections):
        fields[2 + 2 * number] = zlib.crc32(middle[at : at + size]) if at >= 0 else 0
        at += size
    box = data[:12] + struct.pack("<I", len(text)) + text
    fields[8] = zlib.crc32(middle[start:]) if start >= 0 else 0
    fields[9] = zlib.crc32(box)
    footer = struct.pack("<QQIQIQIIII", *fields[:10])
    header_checksum = struct.pack("<I", zlib.crc32(box))
    return box + header_checksum + middle + footer + struct.pack("<I", zlib.crc32(footer)) + magic


def assemble(data: bytes) -> bytes:
    """An archive of images of one pixel: a byte for the block size, one for how far the count is off (128: not at all),
    then class names, labels, names and pixels as they are before deflating, between separators."""
    from engram.archive import layout
    from engram.codecs.raw import Raw

    class_names, labels, names, pixels, *_ = [*data[2:].split(SEPARATOR), b"", b"", b"", b""]
    pixels = pixels[:100]  # more blocks are slower and no different
    block_size = max(1, data[0]) if data else 1
    blocks = [zlib.compress(pixels[first : first + block_size]) for first in range(0, len(pixels), block_size)]
    count = max(0, len(pixels) + (data[1] - 128 if len(data) > 1 else 0))
    header = layout.emit_header(layout.Header.of("raw", Raw((1, 1, 1)).config(), b"", block_size, True))
    index = layout.Index(
        np.array([len(block) for block in blocks], np.int64), np.array([zlib.crc32(block) for block in blocks], "u4")
    )
    sections = [zlib.compress(text) if text else b"" for text in (class_names, labels, names)]
    index_box = layout.emit_index(index)
    footer = layout.Footer(
        count, *map(layout.Section.of, sections), index.width, zlib.crc32(index_box), zlib.crc32(header[:-4])
    )
    return header + b"".join(blocks) + b"".join(sections) + index_box + layout.emit_footer(footer)


def bundle() -> bytes:
    """An archive of images of one pixel that grew once, so none of its bytes are left over."""
    from engram import archive
    from engram.codecs.raw import Raw
    from engram.images import ImageSet

    with tempfile.TemporaryDirectory() as folder:
        path, pixels = Path(folder) / "a.egm", np.arange(8, dtype=np.uint8).reshape(8, 1, 1, 1)
        archive.pack(ImageSet(pixels[:5], np.arange(5) % 2, ("ape", "bee")), Raw((1, 1, 1)), path, block_size=4)
        archive.append(ImageSet(pixels[5:], np.arange(3), ("bee", "ape", "cow")), path)
        return path.read_bytes()


def mixed() -> bytes:
    """Images of three sizes, of which two share a canvas."""
    from PIL import Image

    from engram.archive.mixing import pack_mixed
    from engram.codecs.raw import Raw
    from engram.datasets import folders
    from engram.datasets.assortment import Assortment
    from engram.datasets.canvases import Canvas

    with tempfile.TemporaryDirectory() as folder:
        for row, (height, width) in enumerate([(1, 1), (2, 1), (1, 2), (1, 1)]):
            pixels = np.full((height, width), 40 * row, np.uint8)
            Image.fromarray(pixels).save(Path(folder) / f"{row}.png")
        images = folders.collection(folder)
        assert isinstance(images, Assortment)
        canvases = [Canvas((2, 1), np.array([0, 1, 3])), Canvas((1, 2), np.array([2]))]
        codecs = [Raw((*canvas.size, 1)) for canvas in canvases]
        pack_mixed(images, canvases, codecs, Path(folder) / "a.egm", block_size=2)
        return (Path(folder) / "a.egm").read_bytes()


def seeds() -> list[bytes]:
    """The golden archives, both ways, a bundle, both ways, and plain contents."""
    contents = [
        b"\3\x80" + SEPARATOR.join((b'["ape","bee"]', b"\0\1\1\0", b"\0\0\0079a8.png\1\xff\0\2\1b", b"abcd")),
        b"\1\x80" + SEPARATOR.join((b"", b"", b"\0\0\1a\0\1\x01\x39\1", b"abc")),
    ]
    several = [mode + data for data in (bundle(), mixed()) for mode in (b"\0", b"\1")]
    return [*_golden(), *several, *(b"\2" + content for content in contents)]


def _golden() -> list[bytes]:
    archives = [path.read_bytes() for path in sorted((TESTS / "golden" / "archives").glob("*.egm"))]
    return [bytes([mode]) + data for data in archives for mode in (0, 1)]


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["engram"]):
        from engram import archive  # noqa: F401

    corpus = Path(sys.argv[-1])
    if corpus.is_dir():
        for number, seed in enumerate(seeds()):
            (corpus / f"golden-{number}").write_bytes(seed)
    handle, name = tempfile.mkstemp(suffix=".egm", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    os.close(handle)
    atheris.Setup(sys.argv, lambda data: check(data, Path(name)) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
