"""The fuzz target, kept running: a few thousand inputs without a fuzzer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from read_archive import check, repair, seeds


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes: a byte, a run taken out, a run put in twice, a number made extreme, a digit."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(1, len(changed)))
        size = int(rng.integers(1, 9))
        match rng.integers(5):
            case 0:
                changed[at] = rng.integers(256)
            case 1:
                del changed[at : at + size]
            case 2:
                changed[at:at] = changed[at : at + size]
            case 3:
                changed[at : at + size] = rng.choice([b"\0", b"\xff", b"\x7f"]) * size
            case 4:
                digits = [place for place, byte in enumerate(changed) if 48 <= byte < 58] or [at]
                changed[rng.choice(digits)] = rng.integers(48, 58)
    return bytes(changed)


def test_seeds_are_read(tmp_path: Path) -> None:
    for name, seed in seeds().items():
        assert check(seed, tmp_path / "a.egm") == ("without-model" not in name), name
        assert seed[0] == 2 or repair(seed[1:]) == seed[1:]


def test_mutated_archives_are_refused_or_read_right(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corpus = [[seed for seed in seeds().values() if len(seed) < 3000 and seed[0] == mode] for mode in range(3)]
    taken = [0, 0, 0]
    for _ in range(3000):
        some = corpus[rng.integers(3)]
        seed = some[rng.integers(len(some))]
        data = mutate(seed, rng)
        taken[data[0]] += data != seed and check(data, tmp_path / "a.egm")
    assert taken[0] == 0  # a wrong checksum is never overlooked
    assert min(taken[1:]) > 10  # made right, some pass, and the two decoders agreed on them
