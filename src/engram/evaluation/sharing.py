"""What many files have alike, stored once: the honest best of a format that writes a header into each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LENGTH = 4
"""Bytes of a number."""


def share(files: Sequence[bytes]) -> list[bytes]:
    """What all files, at least one, have alike at places counted from the front or the end; then what is left of each.

    Headers agree from the front even where a length among them differs, trailers from the end.
    """
    least = min(map(len, files))
    front = _alike([file[:least] for file in files], least)
    back = _alike([file[len(file) - least :] for file in files], least)
    before = np.concatenate([[0], np.cumsum(front)])
    after = np.concatenate([[0], np.cumsum(back[::-1])])[::-1]
    split = int((before + after).argmax())  # places up to it are counted from the front
    mask = np.concatenate([front[:split], back[split:]])
    ends = np.frombuffer(files[0][:split] + files[0][len(files[0]) - least + split :], np.uint8)
    numbers = b"".join(number.to_bytes(_LENGTH, "little") for number in (least, split))
    shared = numbers + np.packbits(mask).tobytes() + ends[mask].tobytes()
    return [shared, *(_without(file, mask, split, least) for file in files)]


def unshare(parts: Sequence[bytes]) -> list[bytes]:
    """The files that `share` took apart."""
    shared, *rests = parts
    least, split = (int.from_bytes(shared[at : at + _LENGTH], "little") for at in (0, _LENGTH))
    bits = np.frombuffer(shared, np.uint8, -(-least // 8), 2 * _LENGTH)
    mask = np.unpackbits(bits, count=least).astype(bool)
    ends = np.zeros(least, np.uint8)
    ends[mask] = np.frombuffer(shared, np.uint8, offset=2 * _LENGTH + len(bits))
    own_front = int((~mask[:split]).sum())
    own_back = int((~mask[split:]).sum())
    files = []
    for rest in rests:
        until = len(rest) - own_back
        ends[~mask] = np.frombuffer(rest[:own_front] + rest[until:], np.uint8)
        files.append(ends[:split].tobytes() + rest[own_front:until] + ends[split:].tobytes())
    return files


def _alike(parts: Sequence[bytes], length: int) -> NDArray[np.bool_]:
    """bool[length]: where all parts have the same byte."""
    alike = np.ones(length, bool)
    first = np.frombuffer(parts[0], np.uint8)
    for part in parts[1:]:
        alike &= np.frombuffer(part, np.uint8) == first
    return alike


def _without(file: bytes, mask: NDArray[np.bool_], split: int, least: int) -> bytes:
    """The file but what is shared."""
    until = len(file) - least + split
    ends = np.frombuffer(file[:split] + file[until:], np.uint8)[~mask]
    own_front = int((~mask[:split]).sum())
    return ends[:own_front].tobytes() + file[split:until] + ends[own_front:].tobytes()
