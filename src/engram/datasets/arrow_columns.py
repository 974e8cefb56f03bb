"""Columns of Arrow, which Parquet files hold, as columns of pictures; and back.

A category is a text there, lists are lists where they all are of one type, and other JSON is its text. What a schema
says of itself is kept: the names of Hugging Face's ClassLabel, and of ours which categories there are and what is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engram.errors import MissingLibrary, UsageError
from engram.table import Column, column_of, parse_json

_KEY, _KEY_OF_HUGGING_FACE = b"engram", b"huggingface"


def parquet_library() -> Any:
    """pyarrow.parquet. Raises MissingLibrary."""
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise MissingLibrary("Parquet files need pyarrow; `pip install 'engram-images[parquet]'` brings it") from None
    return parquet


@dataclass
class Known:
    """What a schema says of its columns: categories by name, and the names of those of JSON."""

    categories: dict[str, list[str]] = field(default_factory=dict)
    json: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, schema: Any) -> Known:
        """That of a schema; what is unsound in it is ignored."""
        metadata: Mapping[bytes, bytes] = schema.metadata or {}
        ours, theirs = (_parsed(metadata.get(key, b"")) for key in (_KEY, _KEY_OF_HUGGING_FACE))
        features = _mapping(_mapping(theirs.get("info")).get("features"))
        named = {name: _mapping(feature).get("names") for name, feature in features.items()}
        categories = {name: _texts(texts) for name, texts in (named | _mapping(ours.get("categories"))).items()}
        return cls(categories, _texts(ours.get("json")))

    def metadata(self, image: str) -> dict[bytes, bytes]:
        """For a schema in which the column of pictures is called so; Hugging Face's library knows it by this."""
        features = {"info": {"features": {image: {"_type": "Image"}}}}
        return {
            _KEY_OF_HUGGING_FACE: _dumped(features),
            _KEY: _dumped({"categories": self.categories, "json": self.json}),
        }


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        return _mapping(parse_json(data))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(values: Any) -> list[str]:
    """The values, if they are texts."""
    return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else []


def from_arrow(name: str, values: Any, known: Known) -> Column:
    """A column of a pyarrow.ChunkedArray. Raises UsageError for values that no column holds."""
    import pyarrow

    types, kind = pyarrow.types, values.type
    try:
        if types.is_temporal(kind) or types.is_decimal(kind):
            values = values.cast(pyarrow.string())
        elif types.is_floating(kind):
            values = values.cast(pyarrow.float64())
        found = values.to_pylist()
    except (pyarrow.ArrowException, ValueError) as error:
        raise UsageError(f"column {name!r} holds {kind} ({error})") from error
    if name in known.json or isinstance(kind, pyarrow.JsonType):
        found = _from_json(found)
    return _category(found, known.categories.get(name)) or column_of(found, f"column {name!r}")


def _from_json(texts: list[Any]) -> list[Any]:
    """The values of JSON; the texts as they are if one is none."""
    try:
        return [None if text is None else parse_json(text.encode()) for text in texts]
    except (ValueError, RecursionError, AttributeError):
        return texts


def _category(values: list[Any], names: Sequence[str] | None) -> Column | None:
    """Texts, or the numbers of texts, that are all among the names; -1 is a missing number."""
    if not names or len(set(names)) < len(names):
        return None
    places: dict[Any, int] = {None: -1, -1: -1}
    if any(isinstance(value, int) for value in values):
        places |= {number: number for number in range(len(names))}
    else:
        places |= {name: number for number, name in enumerate(names)}
    try:
        numbers = np.array([places[value] for value in values], np.int64)
    except (KeyError, TypeError):
        return None
    present = numbers >= 0
    return Column("category", np.maximum(numbers, 0), tuple(names), None if present.all() else present)


def to_arrow(name: str, column: Column, known: Known) -> Any:
    """A column as a pyarrow.Array; what its type does not say is added to `known`."""
    import pyarrow

    mask = None if column.present is None else ~column.present
    if column.type in ("integer", "number", "boolean"):
        return pyarrow.array(column.values, mask=mask)
    if column.type == "category":
        known.categories[name] = list(column.categories)
        names, numbers = pyarrow.array(column.categories, pyarrow.string()), pyarrow.array(column.values, mask=mask)
        return pyarrow.DictionaryArray.from_arrays(numbers, names).cast(pyarrow.string())
    values = column.values.tolist()
    if column.type == "text":
        return pyarrow.array(values, pyarrow.string())
    return _lists(values) or _as_json(name, values, known)


def _lists(values: list[Any]) -> Any:
    """Lists that are all of one type; None where they would come back as something else."""
    import pyarrow

    try:
        found = pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError):
        return None
    inner = found.type
    while pyarrow.types.is_list(inner):
        inner = inner.value_type
    is_plain = inner != found.type and not pyarrow.types.is_nested(inner)  # an empty struct cannot be written
    return found if is_plain and repr(found.to_pylist()) == repr(values) else None


def _as_json(name: str, values: list[Any], known: Known) -> Any:
    import pyarrow

    known.json.append(name)
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return pyarrow.array(texts, pyarrow.string())
