"""Columns: what is known of pictures beside their pixels, one value for each, or none."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import UsageError

TYPES = ("integer", "number", "boolean", "category", "text", "json")
"""Of columns. A category is a text of which there are few; "json" is what else JSON can hold, lists of numbers too."""
_DTYPES: dict[str, Any] = {"integer": np.int64, "number": np.float64, "boolean": np.bool_, "category": np.int64}
MOST_CATEGORIES = 1 << 16
MOST_NESTED = 64
"""Lists and objects within each other in JSON."""
_FEW = 16
"""So many times a text comes back, on average, where texts are categories."""


@dataclass(frozen=True, eq=False)
class Column:
    """One value for each picture.

    values: int64[n], float64[n] or bool[n]; of a category int64[n], numbers in `categories`; of text and json
    object[n]. present: bool[n], which values there are, or None where there are all; the others are 0 or None.
    """

    type: str
    values: NDArray[Any]
    categories: tuple[str, ...] = ()
    present: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | ArrayLike) -> Column:
        """The values of some pictures."""
        present = None if self.present is None else self.present[rows]  # type: ignore[index]
        return replace(self, values=self.values[rows], present=present)  # type: ignore[index]

    def array(self) -> NDArray[Any]:
        """The values for reading: numbers and booleans as such, texts and JSON as objects.

        Missing values are NaN among numbers, None among objects, and masked among integers and booleans.
        """
        if self.type in ("text", "json"):
            return self.values
        if self.type == "category":
            found = np.array([*self.categories, None], object)[self.values if len(self) else []]
            if self.present is not None:
                found[~self.present] = None
            return found
        if self.present is None:
            return self.values
        if self.type == "number":
            return np.where(self.present, self.values, np.nan)
        return np.ma.MaskedArray(self.values, ~self.present)

    def value(self, row: int) -> Any:
        """One value as Python has it; None where there is none."""
        if self.present is not None and not self.present[row]:
            return None
        value = self.values[row]
        if self.type == "category":
            return self.categories[value]
        return value.item() if isinstance(value, np.generic) else value

    def mask(self, wanted: Any) -> NDArray[np.bool_]:
        """bool[n]: where the value is this one, or one of these if it is a list, a set or a tuple; None is missing."""
        found = np.zeros(len(self), np.bool_)
        if isinstance(wanted, list | set | tuple) and self.type != "json":
            for each in wanted:
                found |= self.mask(each)
            return found
        present = ~found if self.present is None else self.present
        if wanted is None:
            return ~present
        if self.type == "category":
            found[:] = self.values == (self.categories.index(wanted) if wanted in self.categories else -1)
        elif self.type == "json":
            found[:] = [value == wanted for value in self.values]
        else:
            found[:] = self.values == wanted
        return found & present


def categories(numbers: NDArray[np.integer[Any]], names: Sequence[str]) -> Column:
    """The column of categories that are numbered already."""
    return Column("category", np.asarray(numbers, np.int64), tuple(names))


def texts(values: Sequence[str | None]) -> Column:
    """The column of texts as they are."""
    found = np.empty(len(values), object)
    found[:] = values
    present = np.array([value is not None for value in values], bool)
    return Column("text", found, (), None if present.all() else present)


def column_of(values: Iterable[Any], name: str = "a column") -> Column:
    """The column of Python values or an array, of the type that holds them all; None is a missing value.

    Raises UsageError for what no type holds: NaN in JSON, integers beyond 64 bits, objects.
    """
    if isinstance(values, Column):
        return values
    if isinstance(values, np.ma.MaskedArray):
        given: list[Any] = values.tolist()
    elif isinstance(values, np.ndarray):
        given = values.tolist()
    else:
        given = [each.tolist() if isinstance(each, np.generic | np.ndarray) else each for each in values]
    there = [each for each in given if each is not None]
    present = None if len(there) == len(given) else np.array([each is not None for each in given], bool)
    kinds = {type(each) for each in there}
    if kinds == {str}:
        return _texts_of(given, there, present, name)
    for kind, blank in (("boolean", False), ("integer", 0), ("number", math.nan)):
        if kinds and _are(kind, kinds, there):
            return _filled(kind, given, blank, present)
    objects = np.empty(len(given), object)
    for row, each in enumerate(given):
        objects[row] = _jsonable(each, name)
    return Column("json", objects, (), present)


def _are(kind: str, kinds: set[type], values: list[Any]) -> bool:
    """Whether a type holds all values."""
    if kind == "boolean":
        return kinds == {bool}
    if kind == "integer":
        return kinds == {int} and all(-(1 << 63) <= each < 1 << 63 for each in values)
    return kinds <= {int, float} and all(abs(each) <= 1 << 53 for each in values if type(each) is int)


def _texts_of(given: list[Any], there: list[str], present: NDArray[np.bool_] | None, name: str) -> Column:
    """Texts, or categories where there are few."""
    for each in there:
        _check_text(each, name)
    distinct = sorted(set(there))
    if len(distinct) * _FEW > len(there) or len(distinct) > MOST_CATEGORIES:
        return texts(given)
    numbers = {each: number for number, each in enumerate(distinct)}
    found = np.array([numbers.get(each, 0) for each in given], np.int64)
    return Column("category", found, tuple(distinct), present)


def columns_of(table: Mapping[str, Any], rows: int) -> dict[str, Column]:
    """The columns of a mapping of names to values. Raises UsageError where one is not as long as there are rows."""
    found = {name: column_of(values, f"column {name!r}") for name, values in table.items()}
    for name, column in found.items():
        if not isinstance(name, str) or not name or name.startswith("."):
            raise UsageError(f"a column is called by a text that does not begin with a dot, not {name!r}")
        if len(column) != rows:
            raise UsageError(f"column {name!r} has {len(column):,} values for {rows:,} pictures")
    return found


def joined(parts: Sequence[Column]) -> Column:
    """The values of all columns, in order; categories are known by their names. Of other types, it is JSON."""
    if len(parts) == 1:
        return parts[0]
    filled = [part for part in parts if len(part) and (part.present is None or part.present.any())] or list(parts[:1])
    kinds = {part.type for part in filled}
    present = None
    if any(part.present is not None for part in parts):
        present = np.concatenate([np.ones(len(p), bool) if p.present is None else p.present for p in parts])
    if kinds == {"category"}:
        names = tuple(dict.fromkeys(name for part in parts for name in part.categories))
        places = {name: number for number, name in enumerate(names)}
        moved = [
            np.array([places[name] for name in part.categories] or [0], np.int64)[part.values]
            if part.type == "category"
            else np.zeros(len(part), np.int64)
            for part in parts
        ]
        return Column("category", np.concatenate(moved), names, present)
    if len(kinds) == 1:
        [kind] = kinds
        blank = _DTYPES.get(kind, object)
        none = None if blank is object else 0
        values = [part.values if part.type == kind else np.full(len(part), none, blank) for part in parts]
        return Column(kind, np.concatenate(values), (), present)
    return column_of([part.value(row) for part in parts for row in range(len(part))])


def converted(column: Column, kind: str) -> Column:
    """The column as one of another type, where all its values can be so; else the column itself."""
    if column.type == kind or (column.present is not None and not column.present.any()):
        return column
    if {column.type, kind} == {"category", "text"}:
        values = column.array().tolist()
        if kind == "text":
            return texts(values)
        names = tuple(dict.fromkeys(value for value in values if value is not None))
        places = {name: number for number, name in enumerate(names)}
        numbers = np.array([places.get(value, 0) for value in values], np.int64)
        return Column("category", numbers, names, column.present)
    if (column.type, kind) == ("integer", "number"):
        return Column("number", column.values.astype(np.float64), (), column.present)
    if kind == "json":
        objects = np.empty(len(column), object)
        objects[:] = [column.value(row) for row in range(len(column))]
        return Column("json", objects, (), column.present)
    return column


def missing(rows: int) -> Column:
    """A column of no value."""
    return Column("json", np.full(rows, None, object), (), np.zeros(rows, bool))


def _filled(kind: str, given: list[Any], blank: Any, present: NDArray[np.bool_] | None) -> Column:
    values = given if present is None else [blank if each is None else each for each in given]
    return Column(kind, np.array(values, _DTYPES[kind]), (), present)


def _check_text(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} has a value that is not text that UTF-8 can hold: {text!r}") from None


def _jsonable(value: Any, name: str) -> Any:
    """The value as JSON gives it back."""
    try:
        return parse_json(json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        raise UsageError(f"{name} has a value that JSON cannot hold: {reprlib.repr(value)}") from None


def parse_json(data: bytes) -> Any:
    """The value of JSON in UTF-8, without NaN, doubled keys, lone surrogates and deep nesting.

    Raises ValueError and RecursionError.
    """
    value = json.loads(data.decode(), parse_constant=_refuse, object_pairs_hook=_object)
    if b"\\u" in data:
        json.dumps(value, ensure_ascii=False).encode()
    if data.count(b"[") + data.count(b"{") > MOST_NESTED and _is_deeper(value, MOST_NESTED):
        raise ValueError
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects lie within each other more often than that."""
    if not isinstance(value, list | dict):
        return False
    inner = value if isinstance(value, list) else value.values()
    return most == 0 or any(_is_deeper(each, most - 1) for each in inner)
