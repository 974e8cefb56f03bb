"""Files of each form of DATA with something wrong in them: what `read_data.py` opens. A number makes a file.

Half of the changes know the form (sizes in a zip's directory, a tar's header with its checksum made right, columns of
a Parquet file), the others change any bytes.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

NUMBERS = (0, 1, 2, 63, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
BIG = (*NUMBERS, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
NAMES = (
    *("a.png", "train/cat/1.png", "test/dog/2.png", "../x.png", "/tmp/engram-fuzz-escape.png", "a/../../x.png"),
    *("a\\b.png", "c:x.png", "con.png", "nul\0.png", ".hidden.png", "__MACOSX/a.png", "a//b.png", "a/./b.png", ".."),
    *("x" * 300 + ".png", "d/" * 600 + "x.png", "\udcff.png", "ä.png", "a.PNG", "a.txt", "a.cls", "a.json", "a.png/"),
    *("metadata.csv", "train/metadata.csv", "metadata.jsonl", "metadata-2.csv", "", "/", " ", "a.png/b.png", "\n.png"),
    "./a.png",
)
TEXTS = (
    *("", "0", "-1", "1e999", "007", "nan", "true", "[1, 2]", "[1,", "null", "{}", "cat", "a" * 999, "\0", '"', "\r\n"),
    *("9223372036854775808", "[" * 2000, '{"a": ' * 99, "\ufeff", "\ud800", "[1e999]", "1_000", "\u0661", "-0", "+5"),
    *("[NaN]", "9" * 5000, "1" + "0" * 400, "1" * 5000 + ".5", "cafe\u0301"),
)


def picture(rng: random.Random, kind: str = "PNG") -> bytes:
    """A small picture's file."""
    channels, sides = rng.choice((1, 3, 4)), [rng.randrange(1, 9) for _ in range(2)]
    values = np.frombuffer(rng.randbytes(sides[0] * sides[1] * channels), np.uint8).reshape(*sides, channels)
    file = io.BytesIO()
    Image.fromarray(values[..., 0] if channels == 1 else values).save(file, kind)
    return file.getvalue()


def changed(data: bytes, rng: random.Random) -> bytes:
    """Up to four changes of any bytes."""
    found = bytearray(data)
    for _ in range(rng.randrange(5)):
        at, size = rng.randrange(len(found) + 1), rng.randrange(1, 9)
        match rng.randrange(6):
            case 0:
                found[at : at + 1] = rng.randbytes(1)
            case 1:
                del found[at : at + rng.choice((size, 100 * size))]
            case 2:
                found[at:at] = found[at : at + 30 * size]
            case 3:
                found[at : at + size] = rng.choice((b"\0", b"\xff", b"\x7f")) * size
            case 4:
                found[at : at + 4] = struct.pack("<I", rng.choice(NUMBERS))
            case 5:
                found[at : at + size] = rng.randbytes(size)
    return bytes(found)


def sometimes(rng: random.Random, data: bytes, often: float = 0.5) -> bytes:
    return changed(data, rng) if rng.random() < often else data


def text_of(rng: random.Random) -> str:
    return rng.choice(TEXTS) if rng.random() < 0.5 else str(rng.randrange(-5, 300))


def value(rng: random.Random, deep: int = 0) -> Any:  # noqa: PLR0911
    """What JSON holds."""
    match rng.randrange(8 if deep < 3 else 6):
        case 0:
            return None
        case 1:
            return rng.choice((True, False))
        case 2:
            return rng.choice((0, -1, 1 << 63, 1 << 70, -(1 << 63), 7))
        case 3:
            return rng.choice((0.5, float("nan"), float("inf"), 1e308))
        case 4 | 5:
            return text_of(rng)
        case 6:
            return [value(rng, deep + 1) for _ in range(rng.randrange(4))]
        case _:
            return {text_of(rng): value(rng, deep + 1) for _ in range(rng.randrange(3))}


def columns(rng: random.Random) -> list[str]:
    """Names of columns, file_name among them as a rule."""
    known = ("age", "label", "split", "path", "text", "", ".width", "file_name", "metadata_label", "json", "a\0b", "é")
    found = [rng.choice(known) for _ in range(rng.randrange(4))]
    return (["file_name"] if rng.random() < 0.9 else []) + found


def metadata(rng: random.Random, paths: list[str], suffix: str) -> bytes:
    """A metadata file for pictures of these paths."""
    names, lines = columns(rng), list[str]()
    if suffix == ".csv":
        lines.append(",".join(f'"{name}"' if rng.random() < 0.3 else name for name in names))
    for path in paths + rng.choices(paths, k=rng.randrange(2)):
        row = {name: path if name == "file_name" else text_of(rng) for name in names}
        if suffix == ".csv":
            quoted = ['"' + each.replace('"', '""') + '"' if rng.random() < 0.7 else each for each in row.values()]
            lines.append(",".join(quoted))
        else:
            said = {name: each if name == "file_name" else value(rng) for name, each in row.items()}
            lines.append(json.dumps(said, ensure_ascii=rng.random() < 0.8))
    data = rng.choice(("\n", "\r\n", "\n\n")).join(lines).encode("utf-8", "surrogatepass")
    return sometimes(rng, rng.choice((b"", b"\xef\xbb\xbf")) + data, 0.4)


def _names(rng: random.Random) -> list[str]:
    plain = [f"{rng.choice(('', 'train/', 'test/cat/'))}{number}.png" for number in range(rng.randrange(1, 6))]
    return [rng.choice(NAMES) if rng.random() < 0.12 else name for name in plain]


def _files(rng: random.Random) -> list[tuple[str, bytes]]:
    """Files of a container: pictures, what lies beside them, and metadata."""
    names = _names(rng)
    found = [(name, sometimes(rng, picture(rng), 0.1)) for name in names]
    for name in names:
        if rng.random() < 0.3:
            suffix = rng.choice((".json", ".cls", ".txt"))
            said = json.dumps(value(rng)) if suffix == ".json" else text_of(rng)
            found.append((name.rpartition(".")[0] + suffix, sometimes(rng, said.encode("utf-8", "surrogatepass"), 0.2)))
    if rng.random() < 0.4:
        name = rng.choice(("metadata.csv", "metadata.jsonl", "train/metadata.csv"))
        found.append((name, metadata(rng, names, name[name.index(".") :])))
    rng.shuffle(found)
    return found


def a_zip(rng: random.Random) -> bytes:
    """A .zip, of which the directory's fields are changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = rng.choice((b"", b"PK\5\6" + bytes(18), b"x" * 99))
        for name, data in _files(rng):
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode() or "x")
            info.compress_type = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED))
            if rng.random() < 0.05:
                info.compress_type = rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            if rng.random() < 0.1:
                info.external_attr = rng.choice((0o120777, 0o40755, 0o20644)) << 16
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of two files of one name
                archive.writestr(info, b"\0" * (1 << 22) if rng.random() < 0.02 else data)  # one that inflates to 4 MiB
    found = bytearray(file.getvalue())
    for magic, fields in ((b"PK\1\2", _DIRECTORY_FIELDS), (b"PK\5\6", _END_FIELDS), (b"PK\3\4", _LOCAL_FIELDS)):
        for at in _places(found, magic):
            if rng.random() < 0.15:
                where, form = rng.choice(fields)
                number = rng.choice(NUMBERS) & ((1 << 8 * struct.calcsize(form)) - 1)
                found[at + where : at + where + struct.calcsize(form)] = struct.pack(form, number)
    return sometimes(rng, bytes(found), 0.3)


def _places(data: bytearray, magic: bytes) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(magic), data)]


_DIRECTORY_FIELDS = (
    *((8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (20, "<I"), (24, "<I"), (24, "<I"), (28, "<H"), (30, "<H")),
    *((32, "<H"), (38, "<I"), (42, "<I"), (42, "<I")),
)
"""Flags, method, CRC, sizes, lengths of name, extra and comment, attributes, and where the file lies."""
_LOCAL_FIELDS = ((6, "<H"), (8, "<H"), (18, "<I"), (22, "<I"), (26, "<H"), (28, "<H"))
_END_FIELDS = ((8, "<H"), (10, "<H"), (12, "<I"), (16, "<I"), (20, "<H"))


def a_tar(rng: random.Random) -> bytes:
    """A .tar, of which the headers' fields are changed and their checksums made right."""
    file = io.BytesIO()
    form = rng.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=file, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for name, data in _files(rng):
            info = tarfile.TarInfo(name.replace("\0", ""))
            info.size = len(data)
            if rng.random() < 0.1:
                info.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, b"V"))
                info.linkname, info.size = rng.choice(NAMES).replace("\0", ""), 0
            if form == tarfile.PAX_FORMAT and rng.random() < 0.2:
                key = rng.choice(
                    ("size", "path", "linkpath", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.major", "x")
                )
                info.pax_headers = {key: rng.choice((*map(str, BIG), "-1", "0,9", "a\nb", rng.choice(NAMES)))}
            try:
                archive.addfile(info, io.BytesIO(data))
            except ValueError:  # a name that the format has no room for
                continue
    found = bytearray(file.getvalue())
    for at in range(0, len(found) - 511, 512):
        if found[at + 257 : at + 262] == b"ustar" and rng.random() < 0.15:
            _change_header(found, at, rng)
    return sometimes(rng, bytes(found), 0.3)


def _change_header(found: bytearray, at: int, rng: random.Random) -> None:
    match rng.randrange(4):
        case 0:
            number = rng.choice(BIG)
            octal = f"{number:011o}".encode()[-11:] + b"\0"
            wide = b"\x80" + number.to_bytes(11, "big")
            found[at + 124 : at + 136] = rng.choice((octal, wide, b"\xff" * 12, b"-0000000001\0"))
        case 1:
            found[at + 156] = rng.choice(b"0123456789gxLKSVDMNA\0\xff")
        case 2:
            name = rng.choice(NAMES).encode("utf-8", "surrogateescape")[:100]
            found[at : at + 100] = name.ljust(100, b"\0")
        case 3:
            name = rng.choice(NAMES).encode("utf-8", "surrogateescape")[:100]
            found[at + 157 : at + 257] = name.ljust(100, b"\0")
    found[at + 148 : at + 156] = b" " * 8
    found[at + 148 : at + 156] = b"%06o\0 " % sum(found[at : at + 512])


def a_parquet(rng: random.Random) -> bytes:
    """A .parquet of pictures with other columns of any types, some of them missing or of another type."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = rng.randrange(5)
    files = [None if rng.random() < 0.08 else sometimes(rng, picture(rng), 0.1) for _ in range(rows)]
    paths = [
        rng.choice((None, f"{row}.png", rng.choice(NAMES))) if rng.random() < 0.3 else f"{row}.png"
        for row in range(rows)
    ]
    paths = [path and path.encode("utf-8", "replace").decode() for path in paths]
    held: Any = pa.array(
        files, rng.choice((pa.binary(), pa.large_binary(), pa.string() if not any(files) else pa.binary()))
    )
    if rng.random() < 0.7:
        texts = pa.array(paths, pa.string())
        mask = pa.array([rng.random() < 0.05 for _ in range(rows)], pa.bool_())
        held = pa.StructArray.from_arrays([held, texts], ["bytes", rng.choice(("path", "path", "name"))], mask=mask)
    names, arrays = [rng.choice(("image", "image", "img", "x", ".image"))], [held]
    for _ in range(rng.randrange(4)):
        names.append(rng.choice(("label", "split", "path", "file_name", "age", "", ".x", "image", "box", "json")))
        arrays.append(_column(rng, rows, paths))
    metadata = {
        b"huggingface": _json(rng, {"info": {"features": {"label": {"names": ["cat", rng.choice(("dog", "cat"))]}}}}),
        b"engram": _json(
            rng, {"categories": {"split": ["test", "train"], "label": ["0", "1"]}, "json": ["json", "box"]}
        ),
    }
    schema = pa.schema([pa.field(name, array.type) for name, array in zip(names, arrays, strict=True)])
    table = pa.Table.from_arrays(arrays, schema=schema.with_metadata(metadata if rng.random() < 0.5 else {}))
    file = io.BytesIO()
    parquet.write_table(
        table,
        file,
        row_group_size=rng.choice((1, 2, 1000)),
        compression=rng.choice(("NONE", "SNAPPY", "ZSTD", "GZIP")),
        use_dictionary=rng.random() < 0.5,
        write_page_checksum=rng.random() < 0.5,
    )
    return sometimes(rng, file.getvalue(), 0.5)


def _json(rng: random.Random, plain: Any) -> bytes:
    return json.dumps(plain if rng.random() < 0.6 else value(rng)).encode() if rng.random() < 0.9 else b"\xff{"


def _column(rng: random.Random, rows: int, paths: list[str | None]) -> Any:  # noqa: PLR0911
    import pyarrow as pa

    def drawn(make: Callable[[], Any]) -> list[Any]:
        return [None if rng.random() < 0.1 else make() for _ in range(rows)]

    match rng.randrange(12):
        case 0:
            return pa.array(drawn(lambda: rng.randrange(-2, 3)), rng.choice((pa.int64(), pa.int8())))
        case 1:
            return pa.array(drawn(lambda: rng.choice((0, (1 << 64) - 1))), pa.uint64())
        case 2:
            return pa.array(drawn(rng.random), rng.choice((pa.float64(), pa.float32())))
        case 3:
            return pa.array(drawn(lambda: rng.choice(("train", "test", "cat", "", "{", "[1]", "nul"))), pa.string())
        case 4:
            return pa.array(paths, pa.string())
        case 5:
            return pa.array(drawn(lambda: [1.5, None]), pa.list_(pa.float64()))
        case 6:
            return pa.array(
                drawn(lambda: {"a": 1, "b": [b"x"]}), pa.struct({"a": pa.int8(), "b": pa.list_(pa.binary())})
            )
        case 7:
            return pa.array(drawn(lambda: rng.choice((0, 1 << 40, -(1 << 62)))), pa.timestamp(rng.choice(("us", "ns"))))
        case 8:
            return pa.array(drawn(lambda: rng.choice(("cat", "dog"))), pa.dictionary(pa.int8(), pa.string()))
        case 9:
            return pa.array(drawn(lambda: picture(rng)), pa.binary())
        case 10:
            return pa.array(drawn(lambda: [("a", 1), ("a", 2)]), pa.map_(pa.string(), pa.int64()))
        case _:
            return pa.array([None] * rows, pa.null())


def a_npy(rng: random.Random) -> bytes:
    """A .npy, of which the header is written anew."""
    return sometimes(rng, _npy(rng, _array(rng)), 0.3)


def _npy(rng: random.Random, array: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=True)
    if rng.random() > 0.2:
        return file.getvalue()
    shape = rng.choice((array.shape, (rng.choice(BIG), 8, 8), (-1, 8, 8), (2, 0, 8), (1 << 62, 1 << 62), (), (8,) * 70))
    types = ("|u1", "<f8", "|O", "<U9", "|V4", "|b1", "<u2", ">u2", "|S3", "<M8[s]", "x", [("a", "|u1")], "<U0", "<c16")
    header = f"{{'descr': {rng.choice(types)!r}, 'fortran_order': {rng.choice((True, False, 3))}, 'shape': {shape}, }}"
    text = rng.choice((header, header + " " * 70_000, "{" * 300, header[:-9], "__import__('os')")).encode() + b"\n"
    version = rng.choice((b"\1\0", b"\2\0", b"\3\0", b"\4\0"))
    length = struct.pack(
        "<H" if version == b"\1\0" else "<I", min(len(text), 0xFFFF if version == b"\1\0" else 1 << 30)
    )
    return b"\x93NUMPY" + version + length + text + np.asarray(array).tobytes()


def _array(rng: random.Random) -> Any:  # noqa: PLR0911
    """An array, of pictures as a rule."""
    count = rng.randrange(5)
    pixels = np.frombuffer(rng.randbytes(count * 60), np.uint8)
    match rng.randrange(10):
        case 0:
            return np.array(rng.choices(TEXTS[:-8], k=count), np.str_)
        case 1:
            return np.asfortranarray(pixels.reshape(count, 4, 5, 3))
        case 2:
            return pixels.view(np.uint16)[: count * 20].reshape(count, 4, 5)
        case 3:
            return pixels[: count * 8].view(rng.choice(("<f8", "<i8", ">u8", "<M8[s]", "|V8", "<c8")))
        case 4:
            return np.array([None, {}], object)
        case 5:
            return pixels[: count * 40].reshape(count, 4, 5, 2)
        case _:
            return pixels[: count * 20].reshape(count, 4, 5)


def a_npz(rng: random.Random) -> bytes:
    """A .npz with arrays of known and other names, of any types."""
    count, file = rng.randrange(5), io.BytesIO()
    pixels = np.frombuffer(rng.randbytes(count * 20), np.uint8).reshape(count, 4, 5)
    made: dict[str, Any] = {rng.choice(("images", "x_train", "data", "arr_0", "pixels", "test_images")): pixels}
    for _ in range(rng.randrange(5)):
        name = rng.choice(
            ("labels", "y_train", "class_names", "names", "age", "x_test", "", ".x", "a/b", "label", "path")
        )
        made[name] = rng.choice(
            (
                np.arange(count) % 2,
                np.arange(count) - 1,
                np.full(count, rng.choice((1 << 40, (1 << 63) - 1))),
                np.linspace(0, 1, count),
                np.array([rng.choice(NAMES) for _ in range(count)], np.str_),
                np.array([f"{row}.png" for row in range(count)], np.str_),
                np.array(["cat", rng.choice(("dog", "cat", "a\0b"))]),
                np.array(rng.choices((True, False), k=count)),
                np.arange(count, dtype=np.uint64) + (1 << 63),
                _array(rng),
            )
        )
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in made.items():
            kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            archive.writestr((name + rng.choice((".npy", ".npy", ".npy", "", ".txt"))) or "x", _npy(rng, array), kind)
    found = bytearray(file.getvalue())
    for at in _places(found, b"PK\1\2"):
        if rng.random() < 0.1:
            where, form = rng.choice(_DIRECTORY_FIELDS)
            number = rng.choice(NUMBERS) & ((1 << 8 * struct.calcsize(form)) - 1)
            found[at + where : at + where + struct.calcsize(form)] = struct.pack(form, number)
    return sometimes(rng, bytes(found), 0.3)


DOORS: dict[str, Callable[[random.Random], bytes]] = {
    "zip": a_zip,
    "tar": a_tar,
    "parquet": a_parquet,
    "npy": a_npy,
    "npz": a_npz,
    "csv": lambda rng: metadata(rng, PATHS, ".csv"),
    "jsonl": lambda rng: metadata(rng, PATHS, ".jsonl"),
}
"""What makes a file of each form. The last two lie in a folder of pictures, PATHS."""
PATHS = ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/cat/4.png"]
