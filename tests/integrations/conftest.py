from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engram import archive as archives
from engram.codecs.raw import Raw
from engram.images import ImageSet

Write = Callable[..., tuple[Path, ImageSet]]


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes an archive of random images in blocks of 8, and gives its path and what it holds."""

    def make(count: int, shape: tuple[int, int, int] = (4, 3, 1), labels: bool = True) -> tuple[Path, ImageSet]:
        draw = np.random.default_rng(count)
        images = ImageSet(
            draw.integers(0, 256, (count, *shape), dtype=np.uint8),
            draw.integers(0, 3, count) if labels else None,
            ("a", "b", "c") if labels else (),
        )
        path = tmp_path_factory.mktemp("archives") / "images.egm"
        archives.pack(images, Raw(shape), path, block_size=8)
        return path, images

    return make


@pytest.fixture(scope="session")
def small(write: Write) -> tuple[Path, ImageSet]:
    return write(50)
