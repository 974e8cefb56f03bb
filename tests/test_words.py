from __future__ import annotations

import pytest

from engram.words import counted


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((0, "image"), "0 images"),
        ((1, "image"), "1 image"),
        ((5000, "image"), "5,000 images"),
        ((1, "image", "is"), "1 image is"),
        ((2, "image", "is"), "2 images are"),
        ((1, "large image", "was"), "1 large image was"),
        ((3, "large image", "was"), "3 large images were"),
    ],
)
def test_one_is_singular(given: tuple, words: str) -> None:
    assert counted(*given) == words
