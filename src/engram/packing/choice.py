"""Which code a collection is packed with, and why: of what is at hand and what is learned, the best for the goal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from engram.codecs.candidate import Candidate
from engram.codecs.choice import at_goal, cheapest
from engram.codecs.contract import Codec
from engram.codecs.dial import ERRORS, OutOfReach
from engram.codecs.goals import Fidelity, Goal, LargestError, Size
from engram.codecs.pixel.codec import Pixel
from engram.codecs.spatial.codec import Spatial
from engram.packing.learners import Progress, Sample, learned
from engram.training.budget import Budget


@dataclass(frozen=True, eq=False)
class Choice:
    """A codec, a sentence that says why it, and what it was chosen by: the bytes of all images and its model."""

    codec: Codec
    why: str
    bytes_in_all: float


def choose(
    goal: Goal,
    sample: Sample,
    budget: Budget,
    progress: Progress | None = None,
    *,
    present: Sequence[Codec] = (),
) -> Choice:
    """The best of what is at hand and what the budget teaches.

    present: codecs whose models are in the file already. Raises OutOfReach where nothing meets the goal.
    """
    there = [*_at_hand(goal, sample, present), *(_present(codec, goal, sample) for codec in present)]
    if not sample.images:
        return Choice(there[0].codec, "there is no image", 0)
    candidates = [*there, *(learned(goal, sample, budget, progress) if budget else [])]
    best = cheapest(goal, candidates)
    if best is None:
        assert isinstance(goal, Size)
        least = min(candidates, key=lambda candidate: candidate.bytes_per_image)
        raise OutOfReach(
            f"{goal.asked or goal.bytes_per_image:g} bytes an image are out of reach: the fewest that images like "
            f"these were brought to are {least.bytes_per_image / goal.share:.3g}, at {least.psnr_db:.2f} dB"
        )
    others = [candidate for candidate in candidates if candidate.name != best.name]
    return Choice(best.codec, _reason(goal, best, cheapest(goal, others)), best.bytes_in_all)


def _reason(goal: Goal, best: Candidate, second: Candidate | None) -> str:
    def figure(candidate: Candidate) -> str:
        taken = f"{candidate.bytes_in_all / candidate.count:.2f} bytes an image with its model"
        return f"{taken}, {candidate.psnr_db:.2f} dB" if isinstance(goal, Size) else taken

    chosen = f"{best.name}: {figure(best)}, by a sample"
    return chosen if second is None else f"{chosen}; next best {second.name}, {figure(second)}"


def _at_hand(goal: Goal, sample: Sample, present: Sequence[Codec]) -> list[Candidate]:
    """What needs no learning, at its best for the goal: deflate, and the models that engram brings for these images.

    Those that are present are left out: they take no model's bytes.
    """
    from engram.archive import shipped
    from engram.codecs.pixel.generic import brought_to
    from engram.codecs.raw import Raw

    images, shape = sample.measured.images, sample.measured.image_shape
    found = [Candidate(Raw(shape), images, sample.images, 0, "raw")]
    exact = goal.max_error if isinstance(goal, LargestError) else 0
    for name in shipped.names():
        codec = _shipped(name)
        generic = isinstance(codec, Pixel) and name.startswith(shipped.GENERIC) and codec.image_shape[2] == shape[2]
        if codec.image_shape != shape and not generic:
            continue
        if not codec.can_encode or any(codec.model == other.model for other in present):
            continue
        if generic:
            assert isinstance(codec, Pixel)
            codec = brought_to(codec, shape, exact)
        candidate = Candidate(codec, images, sample.images, len(codec.model), name)
        found.append(_coarsened(candidate, goal, sample) if generic else _at_its_best(candidate, goal))
    return found


@cache
def _shipped(name: str) -> Codec:
    """The codec of a model that engram brings, which is asked for again for each size of pictures."""
    from engram.archive import shipped

    return shipped.load(name)


def _present(codec: Codec, goal: Goal, sample: Sample) -> Candidate:
    name = f"{codec.id}, as for other sizes"
    candidate = Candidate(codec, sample.measured.images, sample.images, 0, name)
    return _coarsened(candidate, goal, sample) if isinstance(codec, Pixel) else _at_its_best(candidate, goal)


def _at_its_best(candidate: Candidate, goal: Goal) -> Candidate:
    turns = isinstance(candidate.codec, Spatial) and not isinstance(goal, LargestError) and len(candidate.measured)
    return at_goal(candidate, goal) if turns else candidate


def _coarsened(candidate: Candidate, goal: Goal, sample: Sample) -> Candidate:
    """A pixel code that takes any largest error, at the one that suits the goal."""
    from engram.codecs.pixel.generic import brought_to

    def at(max_error: int) -> Candidate:
        assert isinstance(candidate.codec, Pixel)
        return replace(candidate, codec=brought_to(candidate.codec, candidate.codec.image_shape, max_error))

    if isinstance(goal, LargestError) or not len(candidate.measured):
        return candidate
    if isinstance(goal, Fidelity):
        return replace(at(sample.largest_error(goal)), counts=sample.known)
    return _fitting(at, goal)


def _fitting(at: Callable[[int], Candidate], goal: Goal) -> Candidate:
    """The finest that meets a size, found by halving; the coarsest where none does."""
    errors = sorted({0, *ERRORS})
    low, high = 0, len(errors) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if goal.is_met(at(errors[middle])) else (middle + 1, high)
    return at(errors[high])
