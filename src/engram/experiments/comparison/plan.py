"""What a comparison consists of: which methods, at which settings, for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from engram.archive import shipped
from engram.errors import UsageError
from engram.evaluation.formats import FORMATS
from engram.evaluation.rivals import RIVALS
from engram.experiments.comparison import rivals
from engram.experiments.comparison.codecs import Brought, Learned, Projected, RawPixels, Trained
from engram.experiments.comparison.job import Job
from engram.experiments.comparison.material import Sizes
from engram.experiments.comparison.noise import Denoising, Filters
from engram.experiments.comparison.rivals import RivalPoint
from engram.experiments.comparison.smaller import Reduction, Weights
from engram.experiments.comparison.structure import SPACES, StructureSearch
from engram.experiments.comparison.summary import OURS

SIZES = {False: Sizes(), True: Sizes(train=6_000, test=1_000, judge_epochs=4)}
"""Of a full comparison, and of a quick one."""
SEEDS = 3
BYTES = 8, 16, 32, 64, 128
STEPS = 32, 48, 64, 80, 112, 160, 250, 340, 500, 750
"""Of a spatial code, in half gray levels: from about 110 to 8 bytes for an image of 28 x 28."""
MAX_ERRORS = 0, 1, 2, 4, 8
PIXEL = "fashion-mnist-lossless", "fashion-mnist-max-error-"
"""How the names of the pixel codes that come with engram begin."""
PAPERS, NAMED = "the paper's", "named by the paper"
FAMILIES = OURS, PAPERS, NAMED, *dict.fromkeys(rivals.FAMILIES.values())
"""In the order of the page's colours."""
NETWORKS: tuple[tuple[str, str, int, float], ...] = (
    ("cnn", PAPERS, 15, 70e-6),
    ("ann", PAPERS, 30, 15e-6),
    ("tied", PAPERS, 30, 15e-6),
    ("sparse", NAMED, 30, 40e-6),
    ("bidirectional", NAMED, 30, 40e-6),
    ("deep", NAMED, 20, 40e-6),
    ("stacked", NAMED, 10, 90e-6),
)
"""Method, family, epochs, seconds an image and epoch on one core."""
PROJECTED: dict[str, int | None] = {"pca": 200, "lda": None, "isomap": 32}
"""Units of each projection."""
SLOW_SECONDS = 5e-3
"""A format that takes so long for an image alone is measured so at every other setting."""
KEPT = 0.5, 0.2, 0.1, 0.05
"""Shares of the weights that pruning leaves."""
CODEBOOKS = (256, 4), (256, 8), (64, 8), (256, 16)
"""Codewords, and the length of each, of product quantisation."""


def plan(known: bool, *, quick: bool, seeds: int | None = None, methods: Sequence[str] = ()) -> list[Job]:
    """All jobs, in the order of the table. known: whether engram brings models that have learned from the images."""
    jobs = [*_ours(known, quick=quick), *_networks(quick=quick, seeds=seeds), *_rivals(quick=quick)]
    jobs += _studies(quick=quick)
    return [item for item in jobs if not methods or item.name in methods]


def check(methods: Sequence[str]) -> None:
    """Raises UsageError for a method that is none, whatever the images."""
    names = list(dict.fromkeys(item.name for known in (True, False) for item in plan(known, quick=True)))
    for name in methods:
        if name not in names:
            near = get_close_matches(name, names, 3, 0.4) or names
            raise UsageError(f"there is no method {name!r} to compare; there are, for one, {', '.join(near)}")


def _ours(known: bool, *, quick: bool) -> Iterator[Job]:
    yield RawPixels("raw", OURS)
    steps = STEPS[1::3] if quick else STEPS
    errors = MAX_ERRORS[::2] if quick else MAX_ERRORS
    if known:
        names = tuple(name for name in shipped.names() if name.startswith("fashion-mnist-"))
        yield Brought("pixel", OURS, tuple(name for name in names if name.startswith(PIXEL)))
        restored = tuple(name for name in names if "restored" in name)
        if restored:
            yield Brought("restored", OURS, restored)
        for name in (name for name in names if "spatial" in name):
            yield Brought(name.removeprefix("fashion-mnist-"), OURS, (name,), steps)
    else:
        budget = 10 if quick else 120
        yield Learned("pixel", OURS, budget, max_errors=errors)
        yield Learned("spatial", OURS, budget, steps)


def _networks(*, quick: bool, seeds: int | None) -> Iterator[Job]:
    asked = BYTES[1::2] if quick else BYTES
    for method, family, epochs, seconds in NETWORKS:
        for seed in range(seeds or (1 if quick else SEEDS)):
            recipe = {"epochs": max(1, epochs // 4) if quick else epochs}
            yield Trained(method, family, asked, seed, seconds, recipe)
    yield from (Projected(method, NAMED, asked, units) for method, units in PROJECTED.items())


def _studies(*, quick: bool) -> Iterator[Job]:
    yield Filters("filters")
    yield Denoising("ann", 2 if quick else 10, 15e-6, 64)
    yield Denoising("cnn", 1 if quick else 8, 70e-6, 32)
    if quick:
        yield Reduction("fewer units", NAMED, 4, 32, 100, (50,))
        yield Weights("fewer weights", NAMED, 4, 32, 100, KEPT[1:2], CODEBOOKS[:1])
    else:
        yield Reduction("fewer units", NAMED, 30, 32, 400, (200, 100, 50, 32))
        yield Weights("fewer weights", NAMED, 30, 32, 400, KEPT, CODEBOOKS)
    yield from (StructureSearch(name, *((4, 1) if quick else (16, 2))) for name in SPACES)


def _rivals(*, quick: bool) -> Iterator[Job]:
    """Each format at each setting: in one picture, and in files of their own, which are then shared as well."""
    for name, format in FORMATS.items():
        dial = format.dial[len(format.dial) // 3 :: 3] if quick else format.dial
        layouts = [rival.layout for rival in RIVALS.values() if rival.format is format]
        alone = tuple(layout for layout in layouts if layout in ("each", "shared"))
        sparse = dial[1::2] if rivals.SLOW.get(name, 0) >= SLOW_SECONDS and len(dial) > 1 else dial
        for setting in dial:
            yield from (RivalPoint(name, setting, (layout,)) for layout in layouts if layout not in alone)
            if alone and setting in sparse:
                yield RivalPoint(name, setting, alone)
