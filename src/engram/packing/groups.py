"""A code for each group of cells, layer by layer, and what padding them costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.archive import Coder
from engram.codecs.candidate import Candidate, divide
from engram.codecs.contract import Codec
from engram.codecs.goals import Goal, LargestError, Size
from engram.codecs.pixel.codec import Pixel
from engram.datasets.cells import Group, cut
from engram.datasets.collection import Collection
from engram.errors import EngramError, UsageError
from engram.images import ImageSet
from engram.kinds import AnyPixels
from engram.packing.asked import Asked
from engram.packing.choice import Choice, choose
from engram.packing.learners import Progress, Sample
from engram.training.budget import Budget
from engram.words import counted

LEARNED_SHARE, LEARNED_CELLS = 0.05, 256
"""Of all pixels, and cells: what one of several groups has to have for a model to be learned for it; others take what
there is."""
SAMPLE = 20_000
"""How many cells of a group are learned from, at most."""
SAMPLE_BYTES = 1 << 28
LEAST_MEASURED = 1 / 4
"""The share of what is measured of a group otherwise, where it is one of many and nothing is learned for it."""
WEIGHED = 12
"""How many padded pictures tell what padding takes, about."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What codes a group, and why, in a sentence; the bytes of its blocks and model, about, 0 where none were asked."""

    coder: Coder
    why: str
    bytes_in_all: float = 0.0


class Chooser:
    """Chooses a code for each group, those with the most pixels first: what is learned on one serves the others.

    learned: what was learned before, and serves them too. Padding does not count in the quality of a pixel code.
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
        self._budget, self._progress = budget, progress
        self._shared = list({codec.model: codec for codec in reversed(learned)}.values())[::-1]
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
        counts = _counts(group, sample.images) if self._asked.psnr_db is not None and group.kind.bits == 8 else None
        goals = self._goals(number, layers)
        part = self._part(number)
        chosen: list[Choice | None] = [None] * len(layers)
        for k in reversed(range(len(layers))):  # alpha before colours, which take what it leaves
            goal = goals[k]
            if isinstance(goal, Size) and k == 0 and len(layers) > 1:
                goal = self._less(goal, chosen[1:], layers[1:], group.cells)
            given = self._given(layers[k], group, goal) if self._model is not None and k == 0 else None
            if given is None:
                chosen[k] = self._choose(number, goal, layers[k], part.part(1 / len(layers)), counts)
            else:
                chosen[k], self._fits = Choice(given, "its model was given", 0.0), True
        whole = [choice for choice in chosen if choice is not None]
        names = (
            ("",) if len(whole) == 1 else ("high bytes: ", "low bytes: ") if group.kind.bits == 16 else ("", "alpha: ")
        )
        why = "; ".join(f"{name}{choice.why}" for name, choice in zip(names, whole, strict=True))
        coder = Coder(group.kind, tuple(choice.codec for choice in whole))
        return Chosen(coder, why, sum(choice.bytes_in_all for choice in whole))

    def _sample(self, group: Group) -> ImageSet:
        """Some of the cells of a group; told of by the share of all cells that they speak for."""
        before, cells, sampling = self._sampled, sum(each.cells for each in self._groups), self._sampling
        self._sampled += group.cells
        told = sampling and (lambda done, total: sampling(before + group.cells * done // total, cells))
        return self._collection.cells(group).sample(_most(group), told)

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

    def _choose(
        self, number: int, goal: Goal, sample: ImageSet, budget: Budget, counts: NDArray[np.float64] | None
    ) -> Choice:
        cells, share = self._groups[number].cells, self._pixels[number] / max(1, sum(self._pixels))
        there = [_brought(codec, sample.image_shape) for codec in self._shared]
        present = [each for each in there if each is not None]
        budget = budget if self._model is None else Budget(0)
        if budget or isinstance(goal, Size):  # else a group is measured as far as it matters
            share = 1.0
        divided = divide(sample, cells, share=min(1, max(LEAST_MEASURED, 4 * share)))
        found = choose(goal, Sample(*divided, cells, counts), budget, self._progress, present=present)
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


def _most(group: Group) -> int:
    """How many cells of a group are looked at, at most."""
    return max(1, min(SAMPLE, SAMPLE_BYTES // (math.prod(group.size) * group.kind.channels * group.kind.bits // 8)))


def _counts(group: Group, cells: AnyPixels) -> NDArray[np.float64]:
    """float64[n, 256]: how much each value of the first layer counts in the quality of a group's sample, cell by cell.

    Padding does not count, and colours do by their alpha.
    """
    numbers = np.arange(0, group.cells, max(1, -(-group.cells // _most(group))))
    owners = np.searchsorted(group.first_cells, numbers, side="right") - 1
    sizes, counts = group.sizes[owners], np.empty((len(cells), 256))
    tiles = np.divmod(numbers - group.first_cells[owners], -(-sizes[:, 1] // group.size[1]))
    ends = sizes - np.stack(tiles, 1) * group.size
    for number, (height, width) in enumerate(ends.tolist()):
        own = cells[number, :height, :width]
        colours = own[..., : group.kind.layers[0]]
        alpha = np.broadcast_to(own[..., -1:] / 255, colours.shape).ravel() if group.kind.has_alpha else None
        counts[number] = np.bincount(colours.ravel(), alpha, 256)
    return counts


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
    sizes = np.concatenate([group.sizes for group in groups])
    own = int(sizes.astype(np.int64).prod(axis=1).sum())
    laid = [each for each in zip(groups, coders, padded, strict=True) if each[2].any()]
    is_told = all(
        all(isinstance(codec, Pixel) for codec in coder.codecs) and (group.counts[mine] == 1).all()
        for group, coder, mine in laid
    )
    most = -(-WEIGHED // max(1, len(laid)))
    return {
        "sizes": len(np.unique(sizes, axis=0)),
        "groups": len(groups),
        "tiled_images": int(sum((group.counts > 1).sum() for group in groups)),
        "padded_images": int(sum(mine.sum() for mine in padded)),
        "padding_share": round(1 - own / max(1, stored), 4),
        "padding_bytes": round(sum(_padding_bytes(collection, *each, most) for each in laid)) if is_told else None,
    }


def _padding_bytes(collection: Collection, group: Group, coder: Coder, padded: Any, most: int) -> float:
    """What padding takes in a group that pixel codes code, a cell a picture: what its decisions are worth.

    most: how many pictures are looked at.
    """
    places = np.flatnonzero(padded)
    some = places[:: -(-len(places) // most)]
    bits, pixels = 0.0, 0
    for picture in collection.read(group.rows[some]):
        cell, around = np.empty((1, *coder.shape), coder.kind.dtype), np.ones(coder.size, bool)
        cut(picture, 0, cell[0])
        around[: picture.shape[0], : picture.shape[1]] = False
        pixels += int(around.sum())
        for codec, layer in zip(coder.codecs, coder.kind.split(cell), strict=True):
            assert isinstance(codec, Pixel)
            bits += codec.estimated_bits(layer, around)
    added = len(places) * math.prod(coder.size) - int(group.sizes[places].astype(np.int64).prod(axis=1).sum())
    return bits / 8 / pixels * added


def in_words(figures: dict[str, Any]) -> str:
    """One line."""
    words = f"{counted(figures['sizes'], 'size')} in {counted(figures['groups'], 'group')}"
    if figures["tiled_images"]:
        words += f"; {counted(figures['tiled_images'], 'large image', 'is')} cut into tiles"
    if not figures["padded_images"]:
        return f"{words}, no image is padded"
    taken = "" if figures["padding_bytes"] is None else f" and takes about {figures['padding_bytes']:,} bytes"
    share = 100 * figures["padding_share"]
    padded = counted(figures["padded_images"], "image", "is")
    return f"{words}; {padded} padded, which is {share:.1f} % of all pixels{taken}"
