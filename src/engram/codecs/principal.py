"""Principal components as an archive's codec: learned in a second, without torch, at any rate; the least that pays."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import prod

from engram.codecs.candidate import Candidate
from engram.codecs.choice import turn
from engram.codecs.contract import Codec
from engram.codecs.dial import LEAST_BITS, MOST_BITS
from engram.codecs.freeze import freeze
from engram.codecs.goals import Goal, Size
from engram.codecs.pca import fit_pca
from engram.images import ImageSet
from engram.layers import Network

UNITS = 4, 8, 16, 32, 64, 128, 256
"""How many components are tried; more of them make a larger model."""
CORRECTIONS = 3
"""How often a rate is corrected by what it gave."""
LARGEST = 3072
"""The numbers of an image, at most: the covariance has the square of these."""


def principal_components(
    goal: Goal, rest: ImageSet, measured: Callable[[Codec], Candidate], budget_seconds: float
) -> list[Candidate]:
    """The candidate of each number of components that just meets the goal, as long as more of them still help.

    rest: the images to learn from, none for no candidate. The time is looked at before each number but the first.
    """
    values, started = prod(rest.image_shape), time.perf_counter()
    found: list[Candidate] = []
    if not len(rest) or values > LARGEST:
        return found
    for units in _enough(goal, values):
        if found and time.perf_counter() - started > budget_seconds:
            break
        candidate = _at_goal(goal, units, _dial(fit_pca(rest, units), rest, measured))
        if found and goal.is_met(found[-1]) and goal.rank(candidate) > goal.rank(found[-1]):
            break
        found.append(candidate)
    return found


def _enough(goal: Goal, values: int) -> list[int]:
    """The numbers of components to try for images of so many values: those that can take what is asked for."""
    units = [units for units in UNITS if units < values]
    if not isinstance(goal, Size):
        return units
    return [number for number in units if number * MOST_BITS / 8 >= goal.bytes_per_image] or units[-1:]


def _at_goal(goal: Goal, units: int, at: Callable[[float], Candidate]) -> Candidate:
    """The candidate that just meets the goal, or comes nearest: bits are bytes, but for a little."""
    if not isinstance(goal, Size):
        return turn(goal, at, LEAST_BITS, MOST_BITS)
    bits = min(MOST_BITS, max(LEAST_BITS, 8 * goal.bytes_per_image / units))
    found = at(bits)
    for _ in range(CORRECTIONS):
        bits = min(MOST_BITS, max(LEAST_BITS, bits * goal.bytes_per_image / found.bytes_per_image))
        if goal.is_close(found):
            break
        found = at(bits)
    return found


def _dial(network: Network, rest: ImageSet, measured: Callable[[Codec], Candidate]) -> Callable[[float], Candidate]:
    """The candidate at a mean number of bits for a component."""
    return lambda bits: measured(freeze(network, rest, bits=bits))
