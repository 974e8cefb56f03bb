"""Which codec does what is asked of a collection best, and at which setting of its dial."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from engram.codecs.candidate import Candidate
from engram.codecs.goals import Goal, Size
from engram.codecs.spatial.codec import Spatial
from engram.coding.grid import COARSEST, FINEST

TURNS = 10
"""How often a dial is turned to half of what is left of it: a thousandth of its octaves."""


def cheapest(goal: Goal, candidates: Iterable[Candidate]) -> Candidate | None:
    """The best of the candidates that meet the goal; of equal ones the first, and None where there is none."""
    return min(filter(goal.is_met, candidates), key=goal.rank, default=None)


def at_goal(candidate: Candidate, goal: Goal) -> Candidate:
    """The candidate of a spatial code at the step that just meets the goal on its images, as `turn` has it."""
    codec = candidate.codec
    assert isinstance(codec, Spatial)

    def at(step: float) -> Candidate:
        return replace(candidate, codec=codec.at(round(step)))

    return turn(goal, at, COARSEST, FINEST)


def turn(goal: Goal, at: Callable[[float], Candidate], coarse: float, fine: float) -> Candidate:
    """The candidate of a dial, turned from coarse to fine (positive numbers), that just meets the goal.

    What is to be small is met from the coarse end on and sought as fine as can be; what is to be good, the other way
    round. Where no setting meets the goal it is the candidate that comes nearest, of the end where it would be met.
    """
    met, missed = (coarse, fine) if isinstance(goal, Size) else (fine, coarse)
    best = at(met)
    if not goal.is_met(best):
        return best
    beyond = at(missed)
    if goal.is_met(beyond):
        return beyond
    for _ in range(TURNS):
        if goal.is_close(best):
            break
        middle = math.sqrt(met * missed)
        tried = at(middle)
        if goal.is_met(tried):
            best, met = tried, middle
        else:
            missed = middle
    return best
