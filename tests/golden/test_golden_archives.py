"""Archives written once and never again: they must decode to the same pixels for ever. A missing one fails."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from engram import archive
from engram.codecs import registry

FOLDER = Path(__file__).parent / "archives"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


def test_none_is_missing_and_none_is_unknown() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.egm")) == sorted(EXPECTED)


def test_every_codec_has_one() -> None:
    assert {expected["codec"] for expected in EXPECTED.values()} == set(registry.ids())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_it_decodes_to_the_same_pixels(name: str) -> None:
    path, expected = FOLDER / name, EXPECTED[name]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == expected["sha256"], "the file itself was changed"
    left_out = path.with_suffix(".model")
    model = left_out if left_out.exists() else None
    with archive.open(path, model) as opened:
        images = opened[:]
        shape = images[0].shape if len(images) else opened.image_shape
        assert [len(images), *shape] == expected["shape"]
        assert hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest() == expected["pixels_sha256"]
        one_by_one = b"".join(opened[row].tobytes() for row in range(len(opened)))
        assert hashlib.sha256(one_by_one).hexdigest() == expected["pixels_sha256"]
        assert opened.codecs[-1].id == expected["codec"]
        assert opened.class_names == tuple(expected["class_names"])
        assert (opened.labels is None) == (expected["labels"] is None)
        assert opened.labels is None or opened.labels.tolist() == expected["labels"]
        assert opened.names == (None if expected["names"] is None else tuple(expected["names"]))
    assert archive.verify(path, model).ok
