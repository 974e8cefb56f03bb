"""Numbers in sentences."""

from __future__ import annotations

_OF_MANY = {"is": "are", "was": "were", "": ""}


def counted(number: int, thing: str, verb: str = "") -> str:
    """How many things there are: 1 image, 5,000 images; with a verb, is or was: 1 image is, 5,000 images are.

    thing: in the singular; its plural has an s.
    """
    words = (f"{number:,}", thing, verb) if number == 1 else (f"{number:,}", f"{thing}s", _OF_MANY[verb])
    return " ".join(filter(None, words))
