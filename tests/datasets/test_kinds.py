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
from engram.datasets.pictures import SUFFIXES
from engram.images import ImageSet

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


def png(depth: int, colour: int, rows: bytes, after: bytes = b"") -> bytes:
    """A PNG of 2 x 1 pixels as the standard has it, with chunks after its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, depth, colour, 0, 0, 0))
    late = chunk(b"eXIf", after) if after else b""
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
}
CHANGED: dict[str, list[tuple[bytes, np.ndarray, kinds.Change]]] = {
    "EXIF orientation": [
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
    "16-bit gray, all values multiples of 257": [
        (wide(GRAY * np.uint16(257), "PNG"), GRAY, NARROWED),
        (wide(GRAY * np.uint16(257), "TIFF"), GRAY, NARROWED),
        (wide(GRAY * np.uint16(257), "TIFF", ">"), GRAY, NARROWED),
    ],
    "several pictures in one JPEG file (MPO)": [
        (
            file(RGB_PICTURE, "MPO", save_all=True, append_images=[GRAY_PICTURE.convert("RGB")], quality=95),
            np.asarray(Image.open(BytesIO(file(RGB_PICTURE, "JPEG", quality=95)))),
            FIRST,
        )
    ],
    "colour profile, not sRGB": [(file(RGB_PICTURE, "PNG", icc_profile=other_profile()), RGB, PROFILE)],
}
LOST = "which would be lost: convert it to 8-bit gray or RGB first"
FRAMES = (
    "is an animation or has several pages, all but the first of which would be lost: "
    "save what is wanted of it as pictures of their own"
)
REFUSED: dict[str, list[tuple[bytes, str]]] = {
    "alpha channel or transparent colour": [
        (file(with_alpha(GRAY_PICTURE, 254), "PNG"), f"has an alpha channel, {LOST}"),
        (file(with_alpha(RGB_PICTURE, 0), "WEBP", lossless=True), f"has an alpha channel, {LOST}"),
        (file(with_alpha(RGB_PICTURE, 1), "TIFF"), f"has an alpha channel, {LOST}"),
        (file(GRAY_PICTURE, "PNG", transparency=int(GRAY[0, 0])), f"has transparency, {LOST}"),
        (file(PALETTE, "PNG", transparency=PALETTE.getpixel((0, 0))), f"has transparency, {LOST}"),
        (file(PALETTE, "GIF", transparency=PALETTE.getpixel((0, 0))), f"has transparency, {LOST}"),
    ],
    "other 16-bit values": [
        (wide(GRAY * np.uint16(256), "PNG"), f"has 16-bit values, {LOST}"),
        (wide(GRAY * np.uint16(257) + (np.arange(54).reshape(6, 9) == 53), "TIFF"), f"has 16-bit values, {LOST}"),
        (png(16, 2, bytes(12)), f"has 16-bit values, {LOST}"),
        (png(16, 4, bytes(8)), f"has 16-bit values, {LOST}"),
        (png(16, 6, bytes(16)), f"has 16-bit values, {LOST}"),
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
    "animation, or several pages": [
        (file(RGB_PICTURE, format, save_all=True, append_images=[RGB_PICTURE.rotate(180)]), FRAMES)
        for format in ("GIF", "WEBP", "PNG", "TIFF")
    ],
}


def cases(table: dict[str, list[tuple[Any, ...]]]) -> Callable[[Any], Any]:
    each = [(f"{kind} {number}", case) for kind, some in table.items() for number, case in enumerate(some)]
    return pytest.mark.parametrize("case", [case for _, case in each], ids=[name for name, _ in each])


def load(folder: Path, *files: bytes) -> tuple[ImageSet, list[Notice]]:
    for number, data in enumerate(files):
        (folder / f"{number}.tif").write_bytes(data)  # Pillow goes by what a file holds, not by its name
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        images = source.load(folder)
    assert isinstance(images, ImageSet)
    notices = [warning.message for warning in told]
    assert all(isinstance(notice, Notice) for notice in notices)
    return images, notices  # type: ignore[return-value]


def same(images: ImageSet, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(images.images[0], expected.reshape(*expected.shape[:2], -1), strict=True)


@cases(KEPT)
def test_kept_in_silence(case: tuple[bytes, np.ndarray], tmp_path: Path) -> None:
    images, notices = load(tmp_path, case[0])
    same(images, case[1])
    assert not notices


@cases(CHANGED)
def test_changed_with_a_notice(case: tuple[bytes, np.ndarray, kinds.Change], tmp_path: Path) -> None:
    images, notices = load(tmp_path, case[0])
    same(images, case[1])
    assert [str(notice) for notice in notices] == [f"{case[2].value}; 1 of 1 files, the first {tmp_path / '0.tif'}"]


@cases(REFUSED)
@pytest.mark.parametrize("position", [0, 1])
def test_refused_with_the_reason(case: tuple[bytes, str], position: int, tmp_path: Path) -> None:
    files = [file(GRAY_PICTURE, "PNG")]
    files.insert(position, case[0])
    with pytest.raises(UnsupportedPicture, match=f"^{re.escape(f'{tmp_path}/{position}.tif {case[1]}')}$"):
        load(tmp_path, *files)


def test_the_guide_s_table_names_every_kind_that_is_tested() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", TABLE, re.MULTILINE))
    rows.pop("kind")
    tested = dict.fromkeys(KEPT, "kept") | dict.fromkeys(CHANGED, "notice") | dict.fromkeys(REFUSED, "refused")
    tested["gray beside colour"] = "notice"
    assert set(rows) == set(tested)
    for kind, word in tested.items():
        assert word in rows[kind]


def test_gray_beside_colour_is_told(tmp_path: Path) -> None:
    images, notices = load(tmp_path, file(RGB_PICTURE, "PNG"), file(GRAY_PICTURE, "PNG"))
    np.testing.assert_array_equal(images.images[1], np.repeat(GRAY[..., np.newaxis], 3, axis=2))
    assert [notice.as_dict() for notice in notices] == [
        {"what": "gray beside colour: made RGB", "images": 1, "total": 2, "first": str(tmp_path / "1.tif")}
    ]


def test_a_kind_is_told_once_however_many_there_are(tmp_path: Path) -> None:
    plain, opaque = file(RGB_PICTURE, "PNG"), file(with_alpha(RGB_PICTURE, 255), "PNG")
    _, [notice] = load(tmp_path, plain, opaque, opaque, opaque)
    assert (notice.images, notice.total, notice.first) == (3, 4, str(tmp_path / "1.tif"))


def test_a_divided_folder_tells_of_each_half_and_a_half_of_itself(tmp_path: Path) -> None:
    for half, data in (("train", file(RGB_PICTURE, "PNG")), ("test", file(GRAY_PICTURE, "PNG"))):
        (tmp_path / half).mkdir()
        (tmp_path / half / "0.png").write_bytes(data)
    with pytest.warns(Notice, match="1 of 1 files, the first .*test/0.png"):
        train, test = engram.stream(tmp_path)
    assert (len(train.notices), len(test.notices)) == (0, 1)
    assert not source.stream(f"{tmp_path}:train")[0].notices


def test_many_things_at_once(tmp_path: Path) -> None:
    data = turned(with_alpha(GRAY_PICTURE, 255), "PNG", 6, icc_profile=other_profile())
    images, notices = load(tmp_path, data)
    same(images, np.rot90(GRAY, -1))
    assert {notice.what for notice in notices} == {change.value for change in (EXIF, OPAQUE, PROFILE)}


def test_an_orientation_after_the_pixels_is_refused_when_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    message = "0.tif says only after its pixels how they are turned: save it as it is shown"
    with pytest.raises(UnsupportedPicture, match=re.escape(message)):
        load(tmp_path, png(8, 0, b"\1\2", exif.tobytes()[6:]))
    exif[0x0112] = 1
    same(load(tmp_path, png(8, 0, b"\1\2", exif.tobytes()[6:]))[0], np.array([[1, 2]], np.uint8))


@pytest.mark.parametrize("now", [file(RGB_PICTURE, "PNG"), turned(GRAY_PICTURE, "PNG", 6)], ids=["colour", "turned"])
def test_a_picture_that_was_changed_meanwhile(now: bytes, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(file(GRAY_PICTURE, "PNG"))
    [stream] = source.stream(tmp_path)
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
    assert kinds.orientation_in(prefix + exif_of(order, entries)) == orientation


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
    assert kinds.orientation_in(data) is None


@given(st.binary(max_size=60))
def test_any_exif_bytes_are_harmless(data: bytes) -> None:
    assert kinds.orientation_in(b"MM" + data) in (None, *range(1, 9))


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
                kinds.read(path, (*kinds.look(path).size, 3))
            except (UnreadablePicture, UnsupportedPicture):
                continue


def test_every_flipped_bit_of_a_png_is_found(tmp_path: Path) -> None:
    """Of its chunks. Before them are eight bytes, by which it is known; then it is no picture, or no PNG."""
    whole = file(RGB_PICTURE, "PNG")
    path = tmp_path / "a.png"
    for at in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
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
    assert np.array_equal(kinds.read(tmp_path / "a.png", expected.shape), expected)
    assert kinds.look(tmp_path / "a.png").changes == (kinds.Change.TURNED,)


@pytest.mark.parametrize("format", ["PPM", "TGA", "JPEG2000", "ICO", "AVIF"])
@pytest.mark.parametrize("picture", [GRAY_PICTURE, RGB_PICTURE], ids=["gray", "colour"])
def test_other_formats_are_pictures_too(format: str, picture: Image.Image, tmp_path: Path) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    options = {"JPEG2000": {"irreversible": False}, "ICO": {"sizes": [picture.size]}, "AVIF": {"quality": 100}}
    path = tmp_path / f"a{ {'JPEG2000': '.jp2'}.get(format, '.' + format.lower()) }"
    path.write_bytes(file(picture, format, **options.get(format, {})))
    images = folders.load(tmp_path).images[0]
    with Image.open(path) as opened:
        assert np.array_equal(
            images.squeeze(), np.asarray(opened.convert(picture.mode if images.shape[2] == 1 else "RGB"))
        )


def test_values_of_more_bits_in_a_portable_pixmap_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6 1 1 65535\n" + bytes(6))
    with pytest.raises(UnsupportedPicture, match="more than 8 bits"):
        folders.load(tmp_path)


def test_all_that_is_not_taken_is_counted(tmp_path: Path) -> None:
    for number in range(9):
        mode = "RGBA" if number % 4 else "RGB"
        Image.new(mode, (4, 4), (1, 2, 3, 4)[: len(mode)]).save(tmp_path / f"{number}.png")
    (tmp_path / "9.png").write_bytes(b"no picture")
    with pytest.raises(UnsupportedPicture) as caught:
        folders.load(tmp_path)
    first, others = str(caught.value).split("\n")
    assert first.startswith(f"{tmp_path / '1.png'} has an alpha channel")
    named = ", ".join(str(tmp_path / f"{number}.png") for number in (2, 3, 5, 6, 7))
    assert others == f"7 of 10 pictures are not taken, for such reasons: {named} and 1 more"


END_OF_REASON = ("repair it or take it out", "gray or RGB first", "as pictures of their own")


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_the_zoo_loads_or_is_refused_with_its_reason(tmp_path: Path) -> None:
    zoo = sorted((Path(os.environ["ENGRAM_DATA"]) / "zoo").iterdir())
    if not zoo:
        pytest.skip("there is no zoo")
    taken, reasons = 0, list[str]()
    for path in zoo:
        place = tmp_path / path.name
        place.mkdir()
        suffix = path.suffix if path.suffix.lower() in SUFFIXES else ".png"
        (place / f"a{suffix}").write_bytes(path.read_bytes())
        try:
            taken += len(folders.collection(place)[0])  # type: ignore[index]
        except (UnreadablePicture, UnsupportedPicture) as error:
            reasons.append(str(error))
    assert all(reason.endswith(END_OF_REASON) for reason in reasons), reasons
    assert taken > 60
