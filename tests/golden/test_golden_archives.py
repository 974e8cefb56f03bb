"""Archives written once and never again: they must decode to the same for ever. A missing one fails."""

from __future__ import annotations

import json

import numpy as np
import pytest
from write_archives import FOLDER, content

from engram import archive
from engram.archive import Archive
from engram.archive.format import PLACES
from engram.codecs import registry
from engram.kinds import KINDS
from engram.table import TYPES

EXPECTED = json.loads((FOLDER / "expected.json").read_text())


def opened(name: str) -> Archive:
    left_out = (FOLDER / name).with_suffix(".model")
    return archive.open(FOLDER / name, left_out if left_out.exists() else None)


def test_none_is_missing_and_none_is_unknown() -> None:
    models = {path.with_suffix(".egm").name for path in FOLDER.glob("*.model")}
    assert {path.name for path in FOLDER.iterdir() if path.suffix in ("", ".egm")} == set(EXPECTED)
    assert models == {name for name in EXPECTED if "without-model" in name}


def test_there_is_one_of_everything() -> None:
    seen = set[object]()
    for name in EXPECTED:
        with opened(name) as each:
            seen.add(("segments", len(each.sources)))
            seen.add("files" if any(source.directory.files for source in each.sources) else "no files")
            seen.add("a set" if each.info.files > 1 else "one file")
            for group in each.info.groups:
                seen |= {("kind", group.kind), *(("codec", codec) for codec in group.codecs)}
            for column in each.column_names:
                seen.add(("type", each.column(column).type, each.column(column).present is None))
            cells = sum(group.cells for group in each.info.groups)
            seen.add("tiles" if cells > len(each) else "whole")
            seen.add("padding" if cells == len(each) and not each.is_plain else "exact")
            seen.add("none" if not len(each) else "some")
            seen |= {column.name for source in each.sources for column in source.directory.columns}
    wanted = {("segments", count) for count in (1, 2, 3)} | {"files", "a set", "tiles", "padding", "none"}
    wanted |= (
        {*PLACES, "path", "label"} | {("kind", kind) for kind in KINDS} | {("codec", codec) for codec in registry.ids()}
    )
    wanted |= {("type", type, whole) for type in TYPES for whole in (True, False)}
    assert wanted - seen == set()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_it_decodes_to_the_same(name: str) -> None:
    assert content(FOLDER / name) == EXPECTED[name]
    with opened(name) as each:
        assert archive.verify(each).ok
        rows = np.linspace(0, max(0, len(each) - 1), min(len(each), 50)).astype(int)
        assert all(np.array_equal(each[int(row)], one) for row, one in zip(rows, each[rows], strict=True))
