"""A code for each group of cells, layer by layer, and what padding them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engram.archive import Coder
from engram.codecs.candidate import Candidate, divide
from engram.codecs.contract import Codec
from engram.codecs.goals import Goal, LargestError, Size
from engram.codecs.pixel.codec import Pixel
from engram.datasets.cells import Group, cut
from engram.datasets.collection import Collection
from engram.errors import EngramError, UsageError
from engram.images import ImageSet
from engram.packing.asked import Asked
from engram.packing.choice import Choice, choose
from engram.packing.learners import Progress, Sample
from engram.training.budget import Budget

LEARNED_SHARE, LEARNED_CELLS = 0.05, 256
"""Of all pixels, and cells: what one of several groups has to have for a model to be learned for it; others take what
there is."""
SAMPLE = 20_000
"""How many cells of a group are learned from, at most."""
SAMPLE_BYTES = 1 << 28
WEIGHED = 12
"""How many padded pictures tell what padding takes: each size has tables of its own to make."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What codes a group, and why, in a sentence."""

    coder: Coder
    why: str


class Chooser:
    """Chooses a code for each group, those with the most pixels first: what is learned on one serves the others.

    learned: what was learned before, and serves them too. A quality is that of cells, padding included.
    """

    def __init__(
        self,
        collection: Collection,
        groups: Sequence[Group],
        asked: Asked,
        model: Any,
        budget: Budget,
        progress: Progress | None,
        sampling: Progress | None = None,
        learned: Sequence[Pixel] = (),
    ) -> None:
        self._collection, self._groups, self._asked, self._model = collection, groups, asked, model
        self._budget, self._progress, self._shared = budget, progress, list(learned)
        self._sampling, self._sampled, self._fits = sampling, 0, model is None
        self._pixels = [group.cells * group.size[0] * group.size[1] for group in groups]

    def all(self) -> list[Chosen]:
        """One for each group, in their order. Raises OutOfReach and UsageError."""
        found: dict[int, Chosen] = {}
        for k in sorted(range(len(self._groups)), key=lambda k: -self._pixels[k]):
            found[k] = self._of(k)
        if not self._fits:
            raise UsageError(f"no picture of {self._collection.name} has as many channels as -m is for; leave it out")
        return [found[k] for k in range(len(self._groups))]

    def _of(self, number: int) -> Chosen:
        group = self._groups[number]
        sample = self._sample(group)
        layers = [ImageSet(layer) for layer in group.kind.split(sample.images)]
        goals = self._goals(number, layers)
        part = self._part(number)
        chosen: list[Choice | None] = [None] * len(layers)
        for k in reversed(range(len(layers))):  # alpha before colours, which take what it leaves
            goal = goals[k]
            if isinstance(goal, Size) and k == 0 and len(layers) > 1:
                goal = self._less(goal, chosen[1:], layers[1:], group.cells)
            given = self._given(layers[k], group, goal) if self._model is not None and k == 0 else None
            if given is None:
                chosen[k] = self._choose(goal, layers[k], group.cells, part.part(1 / len(layers)))
            else:
                chosen[k], self._fits = Choice(given, "its model was given"), True
        whole = [choice for choice in chosen if choice is not None]
        names = (
            ("",) if len(whole) == 1 else ("high bytes: ", "low bytes: ") if group.kind.bits == 16 else ("", "alpha: ")
        )
        why = "; ".join(f"{name}{choice.why}" for name, choice in zip(names, whole, strict=True))
        return Chosen(Coder(group.kind, tuple(choice.codec for choice in whole)), why)

    def _sample(self, group: Group) -> ImageSet:
        """Some of the cells of a group; told of by the share of all cells that they speak for."""
        size = group.size[0] * group.size[1] * group.kind.channels * group.kind.bits // 8
        before, cells, sampling = self._sampled, sum(each.cells for each in self._groups), self._sampling
        self._sampled += group.cells
        told = sampling and (lambda done, total: sampling(before + group.cells * done // total, cells))
        return self._collection.cells(group).sample(max(1, min(SAMPLE, SAMPLE_BYTES // size)), told)

    def _goals(self, number: int, layers: Sequence[ImageSet]) -> list[Goal]:
        """What is asked of each layer: alpha is exact, and so are the high bytes of 16 bits."""
        group, exact = self._groups[number], LargestError(0)
        bits = self._asked.bits is not None and self._model is not None  # its own code says what they come to
        goal = exact if bits else self._asked.goal(group.cells)
        if isinstance(goal, Size):  # the bytes that are asked for are those of a mean picture
            mean = (
                goal.bytes_per_image * self._pixels[number] / group.cells / (sum(self._pixels) / len(self._collection))
            )
            goal = Size(mean, goal.bytes_per_image)
        if group.kind.bits == 16:
            return [exact, goal if isinstance(goal, LargestError) else exact]
        return [goal, *(exact for _ in layers[1:])]

    def _less(self, goal: Size, chosen: Sequence[Choice | None], layers: Sequence[ImageSet], cells: int) -> Size:
        """What the other layers leave of a size."""
        taken = sum(
            Candidate(choice.codec, layer.images, cells, 0).bytes_per_image
            for choice, layer in zip(chosen, layers, strict=True)
            if choice is not None
        )
        return Size(max(0.01, goal.bytes_per_image - taken), goal.asked)

    def _part(self, number: int) -> Budget:
        """The part of the budget that a group's pixels are worth."""
        learns = [
            len(self._groups) == 1 or (count >= LEARNED_SHARE * sum(self._pixels) and group.cells >= LEARNED_CELLS)
            for count, group in zip(self._pixels, self._groups, strict=True)
        ]
        whole = sum(count for count, is_learned in zip(self._pixels, learns, strict=True) if is_learned)
        return self._budget.part(self._pixels[number] / whole) if learns[number] else Budget(0)

    def _choose(self, goal: Goal, sample: ImageSet, cells: int, budget: Budget) -> Choice:
        there = [_brought(codec, sample.image_shape) for codec in self._shared]
        present = [each for each in there if each is not None]
        found = choose(
            goal,
            Sample(*divide(sample, cells), cells),
            budget if self._model is None else Budget(0),
            self._progress,
            present=present,
        )
        codec = found.codec
        if isinstance(codec, Pixel) and all(codec.model != other.model for other in self._shared):
            self._shared.append(codec)
        return found

    def _given(self, sample: ImageSet, group: Group, goal: Goal) -> Codec | None:
        """The codec of the model that was given, for the cells of a group, at what is asked of their first layer.

        None where it is for another number of channels, and there are groups of many kinds.
        """
        from engram.codecs.pixel.generic import brought_to
        from engram.packing.given import with_model

        asked = Asked(lossless=True) if group.kind.bits == 16 else self._asked
        if isinstance(goal, Size):
            asked = Asked(bytes_per_image=goal.bytes_per_image)
        if len(self._groups) == 1 and group.is_whole(self._collection.sizes):
            return with_model(sample, self._model, asked, group.cells)
        codec = with_model(sample, self._model, replace(asked, lossless=False, max_error=None), group.cells)
        if not isinstance(codec, Pixel):
            size = " x ".join(map(str, codec.image_shape))
            raise UsageError(
                f"a {codec.id} model is for images of {size}, and {self._collection.name} has many sizes; leave out "
                "-m, or give a pixel model"
            )
        fits = codec.image_shape[2] == sample.image_shape[2]
        return brought_to(codec, sample.image_shape, asked.max_error or 0) if fits else None


def _brought(codec: Pixel, shape: tuple[int, int, int]) -> Pixel | None:
    """The pixel codec for images of another size; None where it does not take them."""
    from engram.codecs.pixel.generic import brought_to

    if shape[2] != codec.image_shape[2]:
        return None
    try:
        return brought_to(codec, shape, codec.max_error)
    except EngramError:
        return None


def padding(collection: Collection, groups: Sequence[Group], coders: Sequence[Coder]) -> dict[str, Any]:
    """sizes, groups, padded_images, padding_share of all pixels, and padding_bytes where it can be measured."""
    padded = [(group.sizes % np.array(group.size) != 0).any(axis=1) for group in groups]
    stored = sum(group.cells * group.size[0] * group.size[1] for group in groups)
    own = int(collection.sizes.astype(np.int64).prod(axis=1).sum())
    most = -(-WEIGHED // max(1, len(groups)))
    measured = [
        _padding_bytes(collection, group, coder, mine, most)
        for group, coder, mine in zip(groups, coders, padded, strict=True)
    ]
    known = [each for each in measured if each is not None]
    return {
        "sizes": len(np.unique(collection.sizes, axis=0)),
        "groups": len(groups),
        "tiled_images": int(sum((group.counts > 1).sum() for group in groups)),
        "padded_images": int(sum(mine.sum() for mine in padded)),
        "padding_share": round(1 - own / max(1, stored), 4),
        "padding_bytes": round(sum(known)) if len(known) == len(measured) else None,
    }


def _padding_bytes(collection: Collection, group: Group, coder: Coder, padded: Any, most: int) -> float | None:
    """What padding takes in a group: the bytes of some padded pictures less those of the same at their own sizes.

    most: how many pictures are looked at. None for a codec that knows one size only, and for tiles.
    """
    places = np.flatnonzero(padded)
    if not len(places):
        return 0.0
    if not all(isinstance(codec, Pixel) for codec in coder.codecs) or (group.counts[places] > 1).any():
        return None
    some = places[:: -(-len(places) // most)]
    pictures = collection.read(group.rows[some])
    more = 0
    for size in np.unique(group.sizes[some], axis=0).tolist():
        own = np.stack([p for p in pictures if list(p.shape[:2]) == size])
        laid = np.empty((len(own), *coder.shape), coder.kind.dtype)
        for picture, cell in zip(own, laid, strict=True):
            cut(picture, 0, cell)
        for codec, on_cell, alone in zip(coder.codecs, coder.kind.split(laid), coder.kind.split(own), strict=True):
            assert isinstance(codec, Pixel)
            brought = _brought(codec, alone.shape[1:])
            if brought is None:
                return None
            more += len(codec.encode(on_cell)) - len(brought.encode(alone))
    return more / len(some) * len(places)


def in_words(figures: dict[str, Any]) -> str:
    """One line."""
    words = f"{figures['sizes']:,} sizes in {figures['groups']:,} groups"
    if figures["tiled_images"]:
        words += f"; {figures['tiled_images']:,} large images are cut into tiles"
    if not figures["padded_images"]:
        return f"{words}, no image is padded"
    taken = "" if figures["padding_bytes"] is None else f" and takes about {figures['padding_bytes']:,} bytes"
    share = 100 * figures["padding_share"]
    return f"{words}; {figures['padded_images']:,} images are padded, which is {share:.1f} % of all pixels{taken}"
