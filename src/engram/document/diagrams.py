"""What is drawn of a judge, a network, a system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.document.malformed import check, check_name
from engram.layers import Network


@dataclass(frozen=True, eq=False)
class Confusion:
    """counts[true class, judged class]."""

    name: str
    caption: str
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_name(self.name)
        n = len(self.class_names)
        check(
            self.counts.shape == (n, n) and bool((self.counts >= 0).all()),
            f"confusion {self.name!r}: {n} classes need counts[{n}, {n}], none below 0, not {list(self.counts.shape)}",
        )


@dataclass(frozen=True, eq=False)
class Topology:
    """A network's layers, shapes and parameter counts, drawn from its own description."""

    name: str
    caption: str
    network: Network

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class Flow:
    """Steps and the arrows between them, each (from, to), by name; steps of one column stand below each other."""

    name: str
    caption: str
    columns: tuple[tuple[str, ...], ...]
    arrows: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        check_name(self.name)
        steps = [step for column in self.columns for step in column]
        check(len(set(steps)) == len(steps), f"flow {self.name!r}: two steps have one name")
        for step in (step for arrow in self.arrows for step in arrow):
            check(step in steps, f"flow {self.name!r}: an arrow names {step!r}, which is no step")
