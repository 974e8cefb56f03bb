"""Each kind of picture that docs/guides/pictures.md names: what becomes of it, and what is told."""

from __future__ import annotations

import os
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, features
from PIL.PngImagePlugin import PngInfo

import engram
from engram.datasets import folders, kinds, source
from engram.datasets.kinds import ChangedPicture, UnreadablePicture, UnsupportedPicture
from engram.datasets.notices import Notice
from engram.datasets.orientation import orientation_in
from engram.datasets.pictures import encode_picture
from engram.kinds import kind_of

TABLE = (Path(__file__).parents[2] / "docs" / "guides" / "pictures.md").read_text()
GRAY = np.random.default_rng(0).integers(0, 256, (6, 9), np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)
GRAY_PICTURE, RGB_PICTURE = Image.fromarray(GRAY), Image.fromarray(RGB)
PALETTE = RGB_PICTURE.quantize(8)


def file(picture: Image.Image, format: str, **options: Any) -> bytes:
    target = BytesIO()
    picture.save(target, format, **options)
    return target.getvalue()


def turned(picture: Image.Image, format: str, orientation: int, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return file(picture, format, exif=exif, **options)


def with_alpha(picture: Image.Image, alpha: int) -> Image.Image:
    picture = picture.copy()
    picture.putalpha(255)
    bands = list(picture.split())
    bands[-1].putpixel((8, 5), alpha)
    return Image.merge(picture.mode, bands)


def png(depth: int, colour: int, rows: bytes, after: bytes = b"", between: tuple[bytes, bytes] | None = None) -> bytes:
    """A PNG of 2 x 1 pixels as the standard has it, with chunks before and after its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, depth, colour, 0, 0, 0))
    late = chunk(b"eXIf", after) if after else b""
    size += chunk(*between) if between else b""
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(b"\0" + rows)) + late + chunk(b"IEND", b"")


def wide(values: np.ndarray, format: str, order: str = "<") -> bytes:
    return file(Image.fromarray(values.astype(f"{order}u2")), format)


def other_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


EXIF = kinds.Change.TURNED
OPAQUE = kinds.Change.OPAQUE
NARROWED = kinds.Change.NARROWED
PROFILE = kinds.Change.PROFILE
FIRST = kinds.Change.FIRST
ALPHA = np.random.default_rng(2).integers(0, 256, (6, 9, 1), np.uint8)
RGBA, GRAY_ALPHA = np.dstack([RGB, ALPHA]), np.dstack([GRAY, ALPHA])
WIDE = np.random.default_rng(3).integers(0, 1 << 16, (6, 9), np.uint16)
WIDE_RGB = np.random.default_rng(4).integers(0, 1 << 16, (6, 9, 3), np.uint16)
CLEAR = (np.array(PALETTE) != PALETTE.getpixel((0, 0)))[..., None] * np.uint8(255)
"""The alpha of the palette's picture where the colour of its first pixel is transparent."""


def tiff_of_wide_colours(values: np.ndarray, order: str, planes: int = 1) -> bytes:
    """A TIFF of 16-bit RGB, which Pillow does not write, by hand."""
    height, width, _ = values.shape
    data = values.astype(f"{order}u2").tobytes()
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 14)]
    tags += [(277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data)), (284, 3, 1, planes)]
    packed = [
        struct.pack(f"{order}HHI", *tag[:3])
        + (
            struct.pack(
                f"{order}HH" if tag[1] == 3 and tag[0] != 258 else f"{order}I",
                *([tag[3], 0] if tag[1] == 3 and tag[0] != 258 else [tag[3]]),
            )
        )
        for tag in tags
    ]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 14 + len(data))
    return (
        head
        + struct.pack(f"{order}3H", 16, 16, 16)
        + data
        + struct.pack(f"{order}H", len(tags))
        + b"".join(packed)
        + bytes(4)
    )


KEPT: dict[str, list[tuple[bytes, np.ndarray]]] = {
    "8-bit gray or RGB": [
        (file(GRAY_PICTURE, "PNG"), GRAY),
        (file(RGB_PICTURE, "BMP"), RGB),
        (file(RGB_PICTURE, "WEBP", lossless=True), RGB),
        (file(RGB_PICTURE, "PNG", icc_profile=srgb()), RGB),
        (turned(RGB_PICTURE, "PNG", 1), RGB),
        (png(2, 0, b"\x10"), np.array([[0, 85]], np.uint8)),
    ],
    "one bit": [(file(Image.fromarray(GRAY > 127), "PNG"), (GRAY > 127) * np.uint8(255))],
    "palette": [
        *((file(PALETTE, format), np.asarray(PALETTE.convert("RGB"))) for format in ("PNG", "GIF", "TIFF", "BMP")),
        (file(GRAY_PICTURE, "GIF"), GRAY),
        (file(GRAY_PICTURE.convert("RGB").quantize(256), "PNG"), GRAY),
    ],
    "alpha channel or transparent colour": [
        *((file(Image.fromarray(RGBA), format), RGBA) for format in ("PNG", "TIFF", "ICO", "TGA")),
        (file(Image.fromarray(RGBA), "WEBP", lossless=True, exact=True), RGBA),
        *((file(Image.fromarray(GRAY_ALPHA), format), GRAY_ALPHA) for format in ("PNG", "TIFF", "TGA")),
        (
            file(GRAY_PICTURE, "PNG", transparency=int(GRAY[0, 0])),
            np.dstack([GRAY, (GRAY[0, 0] != GRAY) * np.uint8(255)]),
        ),
        *(
            (file(PALETTE, format, transparency=PALETTE.getpixel((0, 0))), np.dstack([PALETTE.convert("RGB"), CLEAR]))
            for format in ("PNG", "GIF")
        ),
        (png(4, 0, b"\x5a", between=(b"tRNS", b"\0\5")), np.array([[[85, 0], [170, 255]]], np.uint8)),
    ],
    "16-bit gray or RGB": [
        (wide(WIDE, "PNG"), WIDE),
        (wide(WIDE, "TIFF"), WIDE),
        (wide(WIDE, "TIFF", ">"), WIDE),
        (wide(WIDE, "JPEG2000"), WIDE),
        (b"P5 9 6 65535\n" + WIDE.astype(">u2").tobytes(), WIDE),
        (png(16, 2, bytes(range(12))), np.arange(12, dtype=np.uint8).view(">u2").reshape(1, 2, 3)),
        (encode_picture(WIDE_RGB, ".png", 95), WIDE_RGB),
        (tiff_of_wide_colours(WIDE_RGB, "<"), WIDE_RGB),
        (tiff_of_wide_colours(WIDE_RGB, ">"), WIDE_RGB),
    ],
}
CHANGED: dict[str, list[tuple[bytes, np.ndarray, kinds.Change]]] = {
    "orientation in EXIF or XMP": [
        (turned(RGB_PICTURE, format, orientation, **lossless), np.asarray(seen), EXIF)
        for format, lossless in {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}.items()
        for orientation, seen in (
            (2, ImageOps.mirror(RGB_PICTURE)),
            (3, RGB_PICTURE.rotate(180)),
            (4, ImageOps.flip(RGB_PICTURE)),
            (5, ImageOps.mirror(RGB_PICTURE.rotate(270, expand=True))),
            (6, RGB_PICTURE.rotate(270, expand=True)),
            (7, ImageOps.mirror(RGB_PICTURE.rotate(90, expand=True))),
            (8, RGB_PICTURE.rotate(90, expand=True)),
        )
    ],
    "alpha channel or transparent colour, opaque everywhere": [
        (file(with_alpha(GRAY_PICTURE, 255), "PNG"), GRAY, OPAQUE),
        (file(with_alpha(RGB_PICTURE, 255), "PNG"), RGB, OPAQUE),
        (file(with_alpha(RGB_PICTURE, 255), "TIFF"), RGB, OPAQUE),
        (file(PALETTE, "GIF", transparency=200), np.asarray(PALETTE.convert("RGB")), OPAQUE),
        (file(GRAY_PICTURE, "PNG", transparency=min(set(range(256)) - set(GRAY.ravel().tolist()))), GRAY, OPAQUE),
    ],
    "16-bit values, all multiples of 257": [
        (wide(GRAY * np.uint16(257), "PNG"), GRAY, NARROWED),
        (wide(GRAY * np.uint16(257), "TIFF"), GRAY, NARROWED),
        (wide(GRAY * np.uint16(257), "TIFF", ">"), GRAY, NARROWED),
        (encode_picture(RGB * np.uint16(257), ".png", 95), RGB, NARROWED),
    ],
    "several frames or pages": [
        *(
            (file(RGB_PICTURE, format, save_all=True, append_images=[RGB_PICTURE.rotate(180)], **lossless), RGB, FIRST)
            for format, lossless in {"WEBP": {"lossless": True}, "PNG": {}, "TIFF": {}}.items()
        ),
        (
            file(RGB_PICTURE, "MPO", save_all=True, append_images=[GRAY_PICTURE.convert("RGB")], quality=95),
            np.asarray(Image.open(BytesIO(file(RGB_PICTURE, "JPEG", quality=95)))),
            FIRST,
        ),
    ],
    "icon of several sizes": [(file(RGB_PICTURE, "ICO", sizes=[(4, 3), (9, 6)]), RGB, kinds.Change.LARGEST)],
    "colour profile, not sRGB": [(file(RGB_PICTURE, "PNG", icc_profile=other_profile()), RGB, PROFILE)],
}
LOST = "which would be lost: convert it first, to 8-bit RGBA say"
REFUSED: dict[str, list[tuple[bytes, str]]] = {
    "16-bit values with alpha": [
        (png(16, 4, bytes(8)), f"has 16-bit values, {LOST}"),
        (png(16, 6, bytes(16)), f"has 16-bit values, {LOST}"),
        (png(16, 0, b"\0\1\0\2", between=(b"tRNS", b"\0\2")), f"has transparency beside 16-bit values, {LOST}"),
        (tiff_of_wide_colours(WIDE_RGB, "<", planes=2), f"has 16-bit values, {LOST}"),
        (b"P6 1 1 65535\n" + bytes(6), f"has 16-bit values, {LOST}"),
    ],
    "32-bit or float values": [
        (file(Image.new("I", (9, 6)), "TIFF"), f"has 32-bit values, {LOST}"),
        (file(Image.new("F", (9, 6)), "TIFF"), f"has float values, {LOST}"),
    ],
    "CMYK, YCbCr or Lab values": [
        (file(RGB_PICTURE.convert("CMYK"), "JPEG"), f"has CMYK inks, {LOST}"),
        (file(RGB_PICTURE.convert("YCbCr"), "TIFF"), f"has YCbCr values, {LOST}"),
        (file(Image.new("LAB", (9, 6)), "TIFF"), f"has Lab values, {LOST}"),
    ],
    "a channel that has no name": [(file(Image.new("RGBX", (9, 6)), "TIFF"), f"has a further channel, {LOST}")],
}


def cases(table: dict[str, list[tuple[Any, ...]]]) -> Callable[[Any], Any]:
    each = [(f"{kind} {number}", case) for kind, some in table.items() for number, case in enumerate(some)]
    return pytest.mark.parametrize("case", [case for _, case in each], ids=[name for name, _ in each])


def taken(folder: Path, *files: bytes) -> tuple[list[np.ndarray], list[Notice]]:
    for number, data in enumerate(files):
        (folder / f"{number}.tif").write_bytes(data)  # Pillow goes by what a file holds, not by its name
    found = folders.collection(folder)
    pictures = found.read(np.arange(len(found)))
    assert [found.kinds[number] for number in found.kind_numbers] == [kind_of(picture) for picture in pictures]
    assert found.sizes.tolist() == [list(picture.shape[:2]) for picture in pictures]
    return list(pictures), list(found.notices)


def same(pictures: list[np.ndarray], expected: np.ndarray) -> None:
    native = expected.astype(expected.dtype.newbyteorder("="))
    np.testing.assert_array_equal(pictures[0], native.reshape(*expected.shape[:2], -1), strict=True)


def skip_where_pillow_cannot_read(data: bytes) -> None:
    """Before 13.0 it does not read some TIFF files that it wrote."""
    try:
        with Image.open(BytesIO(data)) as picture:
            picture.load()
    except OSError as error:
        pytest.skip(f"this Pillow does not read the file that it wrote: {error}")


@cases(KEPT)
def test_kept_in_silence(case: tuple[bytes, np.ndarray], tmp_path: Path) -> None:
    skip_where_pillow_cannot_read(case[0])
    pictures, notices = taken(tmp_path, case[0])
    same(pictures, case[1])
    assert not notices


@cases(CHANGED)
def test_changed_with_a_notice(case: tuple[bytes, np.ndarray, kinds.Change], tmp_path: Path) -> None:
    pictures, notices = taken(tmp_path, case[0])
    same(pictures, case[1])
    assert [str(notice) for notice in notices] == [f"{case[2].value}; 1 of 1 file, the first {tmp_path / '0.tif'}"]


@cases(REFUSED)
@pytest.mark.parametrize("position", [0, 1])
def test_refused_with_the_reason(case: tuple[bytes, str], position: int, tmp_path: Path) -> None:
    skip_where_pillow_cannot_read(case[0])
    files = [file(GRAY_PICTURE, "PNG")]
    files.insert(position, case[0])
    with pytest.raises(UnsupportedPicture, match=f"^{re.escape(f'{tmp_path}/{position}.tif {case[1]}')}$"):
        taken(tmp_path, *files)


def test_the_guide_s_table_names_every_kind_that_is_tested() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", TABLE, re.MULTILINE))
    rows.pop("kind")
    tested = dict.fromkeys(KEPT, "kept") | dict.fromkeys(CHANGED, "notice") | dict.fromkeys(REFUSED, "refused")
    tested["several kinds in one folder"] = "kept"
    assert set(rows) == set(tested)
    for kind, word in tested.items():
        assert word in rows[kind]


def test_each_picture_keeps_its_kind_and_a_stream_of_one_kind_widens_gray(tmp_path: Path) -> None:
    pictures, notices = taken(tmp_path, file(RGB_PICTURE, "PNG"), file(GRAY_PICTURE, "PNG"))
    assert [picture.shape[2] for picture in pictures] == [3, 1]
    assert not notices
    with pytest.warns(Notice, match="gray beside colour: made RGB; 1 of 2 files, the first .*1.tif"):
        images = source.load(tmp_path)
    np.testing.assert_array_equal(images.images[1], np.repeat(GRAY[..., np.newaxis], 3, axis=2))


def test_a_kind_is_told_once_however_many_there_are(tmp_path: Path) -> None:
    plain, opaque = file(RGB_PICTURE, "PNG"), file(with_alpha(RGB_PICTURE, 255), "PNG")
    _, [notice] = taken(tmp_path, plain, opaque, opaque, opaque)
    assert (notice.images, notice.total, notice.first) == (3, 4, str(tmp_path / "1.tif"))
    with pytest.warns(Notice, match="alpha channel, opaque everywhere: left out; 3 of 4 files"):
        engram.stream(tmp_path)


def test_many_things_at_once(tmp_path: Path) -> None:
    data = turned(with_alpha(GRAY_PICTURE, 255), "PNG", 6, icc_profile=other_profile())
    pictures, notices = taken(tmp_path, data)
    same(pictures, np.rot90(GRAY, -1))
    assert {notice.what for notice in notices} == {change.value for change in (EXIF, OPAQUE, PROFILE)}


@pytest.mark.parametrize("values", [RGBA, GRAY_ALPHA, WIDE], ids=["rgba", "gray-alpha", "gray16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_kind_is_turned(values: np.ndarray, orientation: int, tmp_path: Path) -> None:
    picture = Image.fromarray(values)
    (tmp_path / "a.png").write_bytes(turned(picture, "PNG", orientation))
    with Image.open(tmp_path / "a.png") as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    found = kinds.look(tmp_path / "a.png")
    assert found.size == expected.shape[:2]
    assert np.array_equal(kinds.read(tmp_path / "a.png").squeeze(), expected)


FRAMES = [Image.fromarray(np.full((4, 5, 3), (40 * k, 7, 9), np.uint8)) for k in range(3)]


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP", "MPO"])
def test_each_frame_is_a_picture_where_frames_are_asked_for(format: str, tmp_path: Path) -> None:
    options = {"WEBP": {"lossless": True}, "MPO": {"quality": 95}}.get(format, {})
    first, *others = (frame.copy() for frame in FRAMES)  # Pillow leaves its settings at pictures that it saves
    (tmp_path / "a.gif").write_bytes(file(first, format, save_all=True, append_images=others, **options))
    (tmp_path / "b.png").write_bytes(file(RGB_PICTURE, "PNG"))
    found = folders.collection(tmp_path, frames=True)
    assert found.table["path"].values.tolist() == ["a.gif#0", "a.gif#1", "a.gif#2", "b.png"]
    assert not found.notices
    pictures = found.read(np.array([2, 0, 3, 1]))
    with Image.open(tmp_path / "a.gif") as opened:
        for frame, picture in ((2, pictures[0]), (0, pictures[1]), (1, pictures[3])):
            opened.seek(frame)
            assert np.array_equal(picture, np.asarray(opened.convert("RGB")))
    assert np.array_equal(pictures[2], RGB)


def test_frames_are_in_the_order_of_their_paths(tmp_path: Path) -> None:
    shades = [Image.new("L", (2, 2), shade) for shade in range(12)]
    (tmp_path / "a.tif").write_bytes(file(shades[0], "TIFF", save_all=True, append_images=shades[1:]))
    (tmp_path / "a.tif!.png").write_bytes(file(GRAY_PICTURE, "PNG"))
    found = folders.collection(tmp_path, frames=True)
    paths = found.table["path"].values.tolist()
    assert paths == sorted(paths) == ["a.tif!.png", *(f"a.tif#{frame:02}" for frame in range(12))]
    assert [int(picture[0, 0, 0]) for picture in found.read(np.arange(1, 13))] == list(range(12))


def test_an_orientation_after_the_pixels_is_refused_when_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    message = "0.tif says only after its pixels how they are turned: save it as it is shown"
    with pytest.raises(UnsupportedPicture, match=re.escape(message)):
        taken(tmp_path, png(8, 0, b"\1\2", exif.tobytes()[6:]))
    exif[0x0112] = 1
    same(taken(tmp_path, png(8, 0, b"\1\2", exif.tobytes()[6:]))[0], np.array([[1, 2]], np.uint8))


@pytest.mark.parametrize(
    "now",
    [file(RGB_PICTURE, "PNG"), turned(GRAY_PICTURE, "PNG", 6), wide(WIDE, "PNG")],
    ids=["colour", "turned", "16 bits"],
)
def test_a_picture_that_was_changed_meanwhile(now: bytes, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(file(GRAY_PICTURE, "PNG"))
    stream = source.stream(tmp_path)
    (tmp_path / "0.png").write_bytes(now)
    with pytest.raises(ChangedPicture, match="was changed meanwhile: wait until no one writes there"):
        stream.load()


def exif_of(order: str, entries: list[tuple[int, int, int, int]], start: int = 8) -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    kinds = {3: "HHIHxx", 4: "HHII"}
    body = b"".join(struct.pack(order + kinds[entry[1]], *entry) for entry in entries)
    return head + struct.pack(f"{order}H", len(entries)) + body


@given(st.sampled_from("<>"), st.integers(2, 8), st.sampled_from([b"", b"Exif\0\0"]), st.sampled_from([3, 4]))
def test_an_orientation_is_found(order: str, orientation: int, prefix: bytes, kind: int) -> None:
    entries = [(0x0100, 4, 1, 7), (0x0112, kind, 1, orientation)]
    assert orientation_in(prefix + exif_of(order, entries)) == orientation


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II",
        b"Exif\0\0MM\0*",
        exif_of("<", [(0x0112, 3, 1, 6)], start=1 << 31),
        exif_of("<", [(0x0112, 3, 1, 6)])[:-6],
        exif_of("<", [(0x0112, 3, 1, 9)]),
        exif_of("<", [(0x0112, 3, 2, 6)]),
        exif_of(">", [(0x0100, 3, 1, 6)]),
    ],
)
def test_what_says_no_orientation(data: bytes) -> None:
    assert orientation_in(data) is None


@given(st.binary(max_size=60))
def test_any_exif_bytes_are_harmless(data: bytes) -> None:
    assert orientation_in(b"MM" + data) in (None, *range(1, 9))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "MPO"])
def test_a_damaged_picture_is_unreadable_or_a_picture(format: str, tmp_path: Path) -> None:
    more = {"save_all": True, "append_images": [RGB_PICTURE]} if format == "MPO" else {}
    whole, rng = turned(RGB_PICTURE, format, 6, **more), np.random.default_rng(0)
    path = tmp_path / "a.png"
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 200), 3):
            data[place] = rng.integers(0, 256)
        path.write_bytes(bytes(data[: rng.integers(1, len(data) + 1)]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert kinds.read(path).shape[:2] == kinds.look(path).size
            except (UnreadablePicture, UnsupportedPicture):
                continue


def test_a_flipped_bit_anywhere_in_a_png_is_found(tmp_path: Path) -> None:
    """Of its chunks. Before them are eight bytes, by which it is known; then it is no picture, or no PNG."""
    whole = file(RGB_PICTURE, "PNG")
    path = tmp_path / "a.png"
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(UnreadablePicture):
            kinds.look(path)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadablePicture):
            kinds.look(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Raw profile type exif", "\nexif\n      {size}\n{digits}\n"),
        ("XML:com.adobe.xmp", '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'),
        ("XML:com.adobe.xmp", "<rdf:Description><tiff:Orientation>6</tiff:Orientation></rdf:Description>"),
    ],
)
def test_png_files_say_in_text_too_how_they_are_turned(name: str, text: str, tmp_path: Path) -> None:
    """ImageMagick writes EXIF so, and Adobe's programs XMP."""
    exif = b"Exif\0\0" + exif_of("<", [(0x0112, 3, 1, 6)]) + bytes(4)  # no further directory
    info = PngInfo()
    words = text.format(size=len(exif), digits=exif.hex()) if "{" in text else text
    info.add_itxt(name, words) if name.startswith("XML") else info.add_text(name, words, zip=True)
    RGB_PICTURE.save(tmp_path / "a.png", pnginfo=info)
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()
        expected = np.asarray(ImageOps.exif_transpose(picture))
    assert np.array_equal(kinds.read(tmp_path / "a.png"), expected)
    assert kinds.look(tmp_path / "a.png").changes == (kinds.Change.TURNED,)


@pytest.mark.parametrize("format", ["PPM", "TGA", "JPEG2000", "ICO", "AVIF"])
@pytest.mark.parametrize("picture", [GRAY_PICTURE, RGB_PICTURE], ids=["gray", "colour"])
def test_other_formats_are_pictures_too(format: str, picture: Image.Image, tmp_path: Path) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    options = {"JPEG2000": {"irreversible": False}, "ICO": {"sizes": [picture.size]}, "AVIF": {"quality": 100}}
    path = tmp_path / f"a{ {'JPEG2000': '.jp2'}.get(format, '.' + format.lower()) }"
    path.write_bytes(file(picture, format, **options.get(format, {})))
    image = kinds.read(path)
    with Image.open(path) as opened:
        assert np.array_equal(
            image.squeeze(), np.asarray(opened.convert(picture.mode if image.shape[2] == 1 else "RGB"))
        )


def mixed_bag(folder: Path) -> None:
    for number in range(9):
        mode = "CMYK" if number % 4 else "RGB"
        Image.new(mode, (4, 4), (1, 2, 3, 4)[: len(mode)]).save(folder / f"{number}.tif")
    (folder / "9.png").write_bytes(b"no picture")


def test_all_that_is_not_taken_is_counted(tmp_path: Path) -> None:
    mixed_bag(tmp_path)
    with pytest.raises(UnsupportedPicture) as caught:
        folders.collection(tmp_path)
    first, others = str(caught.value).split("\n")
    assert first.startswith(f"{tmp_path / '1.tif'} has CMYK inks")
    named = ", ".join(str(tmp_path / f"{number}.tif") for number in (2, 3, 5, 6, 7))
    assert others == f"7 of 10 pictures are not taken, for such reasons: {named} and 1 more"


def test_what_is_not_taken_is_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    mixed_bag(tmp_path)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    (tmp_path / "cut.jpg").write_bytes(file(noise, "JPEG")[:-2000])  # its header says nothing of that
    found = folders.collection(tmp_path, skip_broken=True)
    assert found.table["path"].values.tolist() == ["0.tif", "4.tif", "8.tif"]
    assert [str(notice) for notice in found.notices] == [
        f"broken, or of a kind that is not taken: left out; 8 of 11 files, the first {tmp_path / '1.tif'}"
    ]
    for number in (0, 4, 8):
        (tmp_path / f"{number}.tif").unlink()
    with pytest.raises(UnsupportedPicture, match=r"8 of 8 pictures are not taken"):
        folders.collection(tmp_path, skip_broken=True)


END_OF_REASON = ("repair it or take it out", "to 8-bit RGBA say", "as it is shown")


def as_pillow_shows_it(path: Path) -> np.ndarray | None:
    """One 8- or 16-bit picture as Pillow gives it, with the alpha that it has; None where it does not open."""
    try:
        with Image.open(path) as picture:
            picture.load()
            if picture.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I", "I;16", "I;16B"):
                return None
            if picture.mode == "I" and picture.format == "TIFF" and picture.tag_v2[258] != (16,):  # type: ignore[attr-defined]
                return None
            upright = picture if picture.format == "TIFF" else ImageOps.exif_transpose(picture)
            return np.asarray(upright if upright.mode.startswith("I") else upright.convert("RGBA"))
    except Exception:
        return None


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.timeout(120)
def test_the_zoo_comes_back_as_pillow_shows_it_or_is_refused_with_its_reason() -> None:
    """At least 95 in 100 of the files that Pillow opens as one picture of 8 or 16 bits."""
    shown, exact, reasons = 0, 0, list[str]()
    for path in sorted((Path(os.environ["ENGRAM_DATA"]) / "zoo").iterdir()):
        expected = as_pillow_shows_it(path)
        shown += expected is not None
        try:
            looked, found = kinds.look(path), kinds.read(path)
        except (UnreadablePicture, UnsupportedPicture) as error:
            reasons.append(str(error))
            continue
        assert expected is not None
        assert (looked.size, looked.kind) == (found.shape[:2], kind_of(found))
        if expected.ndim == 3:
            colours = np.broadcast_to(found[..., : (found.shape[2] - 1) | 1], (*looked.size, 3))
            alpha = found[..., -1:] if looked.kind.has_alpha else np.full((*looked.size, 1), 255, np.uint8)
            found = np.concatenate([colours, alpha], axis=2)
        exact += np.array_equal(found.squeeze(), expected.squeeze())
    assert all(reason.endswith(END_OF_REASON) for reason in reasons), reasons
    print(f"{exact} of {shown} files of the zoo come back exactly, {len(reasons)} are refused")
    assert exact >= 0.95 * shown
