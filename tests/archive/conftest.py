from __future__ import annotations

from pathlib import Path

import pytest
from drawing import draw, draw_rich

from engram import archive
from engram.archive import described, format, ranges, segment, table_writer, writer
from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
from engram.datasets import arrays
from engram.images import ImageSet


@pytest.fixture
def images() -> ImageSet:
    return draw(150)


@pytest.fixture
def raw() -> Raw:
    return Raw((4, 3, 1))


@pytest.fixture(scope="session")
def lossy() -> Codec:
    """A frozen network: a codec that has a model and decodes to other pixels than it was given."""
    training = draw(64)
    return freeze(fit_pca(training, 3), training)


@pytest.fixture
def packed(tmp_path: Path, images: ImageSet, raw: Raw) -> Path:
    archive.pack(images, raw, tmp_path / "a.egm", block_size=16)
    return tmp_path / "a.egm"


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16 rows, wherever chunks are spoken of."""
    for room in (table_writer, format, described, segment):
        monkeypatch.setattr(room, "ROWS_IN_CHUNK", 16)


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a column of each type; it is read only."""
    path = tmp_path_factory.mktemp("rich") / "rich.egm"
    archive.pack(draw_rich(), Raw((4, 3, 1)), path, block_size=16)
    return path


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two blocks of 16 images of 12 bytes."""
    for room in (writer, ranges):
        monkeypatch.setattr(room, "BATCH_BYTES", 2 * 16 * 12)


@pytest.fixture
def data(tmp_path: Path, images: ImageSet) -> str:
    arrays.save(tmp_path / "data.npz", images)
    return str(tmp_path / "data.npz")


@pytest.fixture
def whole(tmp_path: Path, images: ImageSet, raw: Raw) -> bytes:
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    return (tmp_path / "whole.egm").read_bytes()
