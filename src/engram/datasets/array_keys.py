"""What the arrays of a .npz are, by their names: images, labels, and of which split."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPLIT = "train|val|valid|validation|dev|test"
_IMAGES = "images|image|imgs|x|data|pixels"
_LABELS = "labels|label|y|targets|target"
_ONE_IMAGE_ARRAY = "arr_0"
"""What NumPy calls an array that is saved without a name."""


def roles_of(keys: Sequence[str], images_key: str = "", labels_key: str = "") -> dict[str, tuple[str, str]]:
    """The key of the images and of the labels ("" where there are none) of each split; that of all is "".

    Of images that are asked for by their key, the labels are those of their split. Nothing where no array is called as
    images are, or as it is asked for.
    """
    images_of, labels_of = (_by_split(keys, names) for names in (_IMAGES, _LABELS))
    if images_key or labels_key:
        images = images_key or images_of.get("", "")
        split = next((split for split, key in images_of.items() if key == images), "")
        labels = labels_key or labels_of.get(split, "")
        return {"": (images, labels)} if images in keys and labels in ("", *keys) else {}
    if not images_of and len(keys) == 1:
        images_of = {"": keys[0]}
    elif not images_of and _ONE_IMAGE_ARRAY in keys:
        images_of = {"": _ONE_IMAGE_ARRAY}
    if "" in images_of:
        images_of = {"": images_of[""]}
    return {split: (key, labels_of.get(split, "")) for split, key in images_of.items()}


def _by_split(keys: Sequence[str], names: str) -> dict[str, str]:
    """The first key for each split, those of training first."""
    found = dict[str, str]()
    for key in keys:
        word = key.lower()
        before = re.fullmatch(f"({_SPLIT})_?({names})", word)
        after = re.fullmatch(f"({names})_?({_SPLIT})", word)
        if re.fullmatch(names, word):
            found.setdefault("", key)
        elif before or after:
            split = before[1] if before else after[2] if after else ""
            found.setdefault(split, key)
    return {split: found[split] for split in ("", *_SPLIT.split("|")) if split in found}
