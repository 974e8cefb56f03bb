"""What learning a collection may take: a time, or a number of steps, which gives the same model on every run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Budget:
    """seconds: by the clock, all of it together. steps: of each network that is learned; None for what the time allows.

    A budget of 0 seconds or 0 steps learns nothing.
    """

    seconds: float = math.inf
    steps: int | None = None

    def __bool__(self) -> bool:
        return self.seconds > 0 and self.steps != 0

    def part(self, share: float) -> Self:
        """A share of the time, 0 to 1; the steps are those of each network, and stay."""
        return replace(self, seconds=self.seconds * share)

    def since(self, started: float) -> Self:
        """What is left of the time, where it began at this reading of `time.perf_counter`."""
        return replace(self, seconds=max(0.0, self.seconds - (time.perf_counter() - started)))
