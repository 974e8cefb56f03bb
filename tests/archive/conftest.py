from __future__ import annotations

from pathlib import Path

import pytest
from drawing import draw

from engram import archive
from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
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
