"""What is fixed in an archive's bytes, as FORMAT.md draws it: prelude, index, directory, trailer. As parse and emit.

    prelude | segment | segment | ...
    segment = models | pieces (blocks, columns, files) | index | directory | trailer

What one write adds is a segment. Parsing believes no number before it is checked against the limits and against the
bytes that are there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import zlib
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

from engram.archive.errors import (
    CorruptDirectory,
    LimitExceeded,
    UnsupportedVersion,
)
from engram.archive.frame import END_MAGIC, PRELUDE, TRAILER
from engram.codecs.contract import Config, CorruptModel, image_shape_of
from engram.errors import UsageError
from engram.kinds import KINDS
from engram.table import MOST_CATEGORIES, parse_json

MOST_DIRECTORY_BYTES = 1 << 22
"""Inflated."""
MOST_EXPANSION = 64
"""Bytes of a directory for each of its deflated bytes: real ones have up to 45."""
MOST_LISTED = 1 << 12
"""Models, codecs, groups, columns, files, or segments before."""
MOST_SIDE = 1 << 14
"""Of a picture or a cell, in pixels."""
MOST_CELLS_IN_BLOCK = 1 << 16
MOST_BLOCK_BYTES = 1 << 28
"""Of a decoded block's pixels."""
ROWS_IN_CHUNK = 1 << 14
"""Rows of a column that are deflated together."""
GROUP, CELL, HEIGHT, WIDTH = ".group", ".cell", ".height", ".width"
PLACES = (GROUP, CELL, HEIGHT, WIDTH)
"""Columns of what cells a picture has: the number of its group, the first of its cells where these do not follow one
another, and its size where that is not its cell's."""
TYPE_OF = {"path": "text"} | dict.fromkeys(PLACES, "integer")
"""Of columns that have one type, and a value for each picture."""
_Kind = TypeVar("_Kind")
_HEX = re.compile(r"[0-9a-f]{64}")
Learned = bytes
"""A model's bytes; `Model` has a field that is called so."""


@dataclass(frozen=True)
class Model:
    """What a codec learned. embedded: whether it lies in this segment."""

    bytes: int
    sha256: str
    embedded: bool

    @classmethod
    def of(cls, model: Learned, embedded: bool) -> Model:
        return cls(len(model), hashlib.sha256(model).hexdigest(), embedded)


@dataclass(frozen=True)
class Coding:
    """A codec: its id, its configuration, and the number of its model in `Directory.models`, None for none."""

    id: str
    config: Config
    model: int | None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return image_shape_of(self.config, (1, 3) if self.kind is None else range(1, 5))

    @property
    def kind(self) -> Any:
        """The kind of the pictures that it codes whole, as files; None where it codes a layer."""
        return self.config.get("kind")


@dataclass(frozen=True)
class Group:
    """Cells of one kind and size, coded alike. codings: the numbers of the codecs of its layers, in their order."""

    kind: str
    codings: tuple[int, ...]
    block_size: int
    cells: int

    @property
    def blocks(self) -> int:
        return -(-self.cells // self.block_size)


@dataclass(frozen=True)
class ColumnHead:
    """A column. categories: of a column of type "category", how many there are.

    ordered: whether the texts of a column rise, compared by their bytes.
    """

    name: str
    type: str
    categories: int
    ordered: bool


@dataclass(frozen=True)
class Before:
    """A segment before: where it stops in the file, its rows, and the CRC-32 in its trailer."""

    stop: int
    rows: int
    crc32: int


@dataclass(frozen=True)
class Directory:
    """All of a segment but what lies in its models and pieces.

    width: bytes of a piece's length in the index; index_crc32: its checksum. files: the names of the files that are
    kept as they were.
    """

    rows: int
    models: tuple[Model, ...]
    codings: tuple[Coding, ...]
    groups: tuple[Group, ...]
    columns: tuple[ColumnHead, ...]
    files: tuple[str, ...]
    before: tuple[Before, ...]
    width: int
    index_crc32: int

    @property
    def start(self) -> int:
        """Where the segment starts in its file."""
        return self.before[-1].stop if self.before else PRELUDE.size

    @property
    def chunks(self) -> int:
        """How many a column has."""
        return -(-self.rows // ROWS_IN_CHUNK)

    @property
    def blocks(self) -> int:
        return sum(group.blocks for group in self.groups)

    @cached_property
    def first_pieces(self) -> dict[str, int]:
        """The number of each column's first piece, by its name; that of the first file by ""."""
        found, at = dict[str, int](), self.blocks
        for column in self.columns:
            found[column.name] = at
            at += (column.type == "category") + self.chunks
        return found | {"": at}

    @property
    def pieces(self) -> int:
        return self.first_pieces[""] + len(self.files)

    @property
    def index_bytes(self) -> int:
        return self.pieces * (self.width + 4)

    @property
    def model_bytes(self) -> int:
        """Of the models that lie in the segment."""
        return sum(model.bytes for model in self.models if model.embedded)

    def size_of(self, group: Group) -> tuple[int, int]:
        """(height, width) of a group's cells."""
        height, width, _ = self.codings[group.codings[0]].image_shape
        return height, width

    def cell_bytes(self, group: Group) -> int:
        """Bytes of a decoded cell's pixels."""
        height, width = self.size_of(group)
        return height * width * sum(KINDS[group.kind].layers)


def emit_directory(directory: Directory) -> bytes:
    """The directory and the trailer. Raises UsageError where the directory is too large."""
    content = asdict(directory) | {"needs": []}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > MOST_DIRECTORY_BYTES:
        raise UsageError(
            f"the archive's directory would have {len(text):,} bytes, and {MOST_DIRECTORY_BYTES:,} is the limit: it "
            "has too many columns, groups or appends; pack it in parts, or anew"
        )
    deflated = zlib.compress(text, 9)
    if len(text) > MOST_EXPANSION * len(deflated):
        deflated = zlib.compress(text, 0)
    return deflated + TRAILER.pack(len(deflated), zlib.crc32(deflated), END_MAGIC)


def parse_directory(deflated: bytes, checksum: int) -> Directory:
    """Raises CorruptDirectory, LimitExceeded and UnsupportedVersion."""
    if zlib.crc32(deflated) != checksum:
        raise CorruptDirectory("the directory's checksum is wrong")
    inflater, most = zlib.decompressobj(), min(MOST_DIRECTORY_BYTES, MOST_EXPANSION * len(deflated))
    try:
        text = inflater.decompress(deflated, most + 1)
    except zlib.error as error:
        raise CorruptDirectory(f"the directory is no zlib stream ({error})") from None
    if not inflater.eof or inflater.unused_data or len(text) > most:
        raise CorruptDirectory(f"the directory does not end within {most:,} bytes, or with its stream")
    try:
        return directory_of(parse_json(text))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise CorruptDirectory("the directory is not the JSON object that the format describes") from None


def directory_of(content: Any) -> Directory:
    """The directory of its JSON.

    Raises ValueError, TypeError or KeyError for other JSON; CorruptDirectory, LimitExceeded and UnsupportedVersion for
    what does not fit together.
    """
    directory = Directory(
        rows=whole(content["rows"]),
        models=tuple(_model(each) for each in _of(list, content["models"])),
        codings=tuple(_coding(each) for each in _of(list, content["codings"])),
        groups=tuple(_group(each) for each in _of(list, content["groups"])),
        columns=tuple(_column(each) for each in _of(list, content["columns"])),
        files=tuple(_text(each) for each in _of(list, content["files"])),
        before=tuple(_before(each) for each in _of(list, content["before"])),
        width=whole(content["width"], 4, 1),
        index_crc32=whole(content["index_crc32"], 0xFFFFFFFF),
    )
    if needs := [_text(each) for each in _of(list, content["needs"])]:
        raise UnsupportedVersion(f"the archive needs {', '.join(needs)}, which this engram does not know")
    check(directory)
    return directory


def check(directory: Directory) -> None:
    """Raises CorruptDirectory and LimitExceeded where its parts do not fit together."""
    lists = (directory.models, directory.codings, directory.groups, directory.columns, directory.files)
    if max(map(len, (*lists, directory.before))) > MOST_LISTED:
        raise LimitExceeded(f"more than {MOST_LISTED:,} models, codecs, groups, columns, files or appends")
    for coding in directory.codings:
        if coding.model is not None and coding.model >= len(directory.models):
            raise CorruptDirectory(f"a codec has model {coding.model}, and there are {len(directory.models)}")
        try:
            _ = coding.image_shape
        except CorruptModel as error:
            raise CorruptDirectory(str(error)) from None
    for group in directory.groups:
        _check_group(directory, group)
    cells = sum(group.cells for group in directory.groups)
    shared = any(column.name == CELL for column in directory.columns)
    if (directory.rows > cells and not shared) or (directory.rows == 0) != (cells == 0):
        raise CorruptDirectory(f"{directory.rows:,} pictures cannot have {cells:,} cells")
    _check_columns(directory)
    stops = [PRELUDE.size, *(each.stop for each in directory.before)]
    if any(later - earlier < TRAILER.size for earlier, later in itertools.pairwise(stops)):
        raise CorruptDirectory("the segments before do not lie one after another")


def _check_columns(directory: Directory) -> None:
    """Raises CorruptDirectory and LimitExceeded."""
    if max((column.categories for column in directory.columns), default=0) > MOST_CATEGORIES:
        raise LimitExceeded(f"a column of more than {MOST_CATEGORIES:,} categories")
    names = [column.name for column in directory.columns]
    if len(set(names)) < len(names) or "" in names:
        raise CorruptDirectory("two columns have one name, or one has none")
    for column in directory.columns:
        if column.type != TYPE_OF.get(column.name, column.type):
            raise CorruptDirectory(f"a column {column.name!r} of type {column.type!r}")
    if len(set(directory.files)) < len(directory.files):
        raise CorruptDirectory("two files have one name")


def _check_group(directory: Directory, group: Group) -> None:
    kind = KINDS.get(group.kind)
    if kind is None:
        raise UnsupportedVersion(f"the archive has pictures of kind {group.kind!r}, which this engram does not know")
    if any(number >= len(directory.codings) for number in group.codings):
        raise CorruptDirectory(f"a group names a codec, and there are {len(directory.codings)}")
    codings = [directory.codings[number] for number in group.codings]
    shapes = [coding.image_shape for coding in codings]
    layers = [kind.channels] if [coding.kind for coding in codings] == [kind.name] else list(kind.layers)
    if [channels for _, _, channels in shapes] != layers or len({shape[:2] for shape in shapes}) != 1:
        raise CorruptDirectory(f"the codecs of a group are not those of layers of {kind.name} pictures of one size")
    if max(directory.size_of(group)) > MOST_SIDE:
        raise LimitExceeded(f"cells of {directory.size_of(group)} pixels; a side has up to {MOST_SIDE:,}")
    if not 1 <= group.block_size <= MOST_CELLS_IN_BLOCK:
        raise LimitExceeded(f"blocks of {group.block_size:,} images; a block has 1 to {MOST_CELLS_IN_BLOCK:,}")
    size = group.block_size * directory.cell_bytes(group)
    if size > MOST_BLOCK_BYTES:
        raise LimitExceeded(f"blocks of {size:,} bytes of pixels; the limit is {MOST_BLOCK_BYTES:,}")


def whole(value: Any, most: int = (1 << 53) - 1, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    value.encode()  # a lone surrogate is no text: UnicodeEncodeError is a ValueError
    return value


def _of(kind: type[_Kind], value: Any) -> _Kind:
    if type(value) is not kind:
        raise TypeError
    return value


def _model(each: Any) -> Model:
    if not _HEX.fullmatch(_text(each["sha256"])):
        raise ValueError
    return Model(whole(each["bytes"], least=1), each["sha256"], _of(bool, each["embedded"]))


def _coding(each: Any) -> Coding:
    if type(each["config"]) is not dict:
        raise TypeError
    model = each["model"]
    return Coding(_text(each["id"]), each["config"], None if model is None else whole(model))


def _group(each: Any) -> Group:
    codings = tuple(whole(number) for number in _of(list, each["codings"]))
    return Group(_text(each["kind"]), codings, whole(each["block_size"]), whole(each["cells"]))


def _column(each: Any) -> ColumnHead:
    return ColumnHead(
        _text(each["name"]),
        _text(each["type"]),
        whole(each["categories"]),
        _of(bool, each["ordered"]),
    )


def _before(each: Any) -> Before:
    return Before(whole(each["stop"]), whole(each["rows"]), whole(each["crc32"], 0xFFFFFFFF))
