"""The coder of JPEG coefficients: what goes in comes out, with and without a model, from C and from Python."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engram.codecs.jpeg import coefficients, mixing
from engram.codecs.jpeg.coefficients import CoefficientCoder, Grid
from engram.coding.jpeg import steps_of
from engram.errors import CorruptData, EngramError, UsageError

File = list[NDArray[np.int16]]
Shapes = Sequence[tuple[int, int]]

COLOUR = ((4, 4), (2, 2), (2, 2))
GRAY = ((3, 2),)
ODD = ((3, 5), (2, 3), (3, 5), (1, 1))
"""Components of sizes that no sampling gives"""
DEFAULT = CoefficientCoder(b"")


def layout_of(shapes: Shapes, quality: int = 80) -> list[Grid]:
    luma, chroma = steps_of(quality)
    return [Grid(rows, columns, chroma if i else luma) for i, (rows, columns) in enumerate(shapes)]


def natural(shapes: Shapes, seed: int) -> File:
    """Coefficients that fall with the frequency, more or less in each block."""
    rng = np.random.default_rng(seed)
    size = np.add.outer(np.arange(8), np.arange(8)).ravel()
    file = []
    for rows, columns in shapes:
        scale = rng.uniform(5, 40, (rows, columns, 1)) * np.exp(-0.5 * size)
        file.append(np.rint(rng.laplace(0, 1, (rows, columns, 64)) * scale).astype(np.int16))
    return file


def wild(shapes: Shapes, seed: int) -> File:
    """Numbers of all sizes, many of them the extremes."""
    rng = np.random.default_rng(seed)
    file = []
    for rows, columns in shapes:
        numbers = rng.integers(-(1 << 15), 1 << 15, (rows, columns, 64)) >> rng.integers(0, 17, (rows, columns, 64))
        extreme = rng.choice([-32768, 32767, 0], (rows, columns, 64))
        file.append(np.where(rng.random((rows, columns, 1)) < 0.3, extreme, numbers).astype(np.int16))
    return file


def assert_same(files: Sequence[File], found: Sequence[File]) -> None:
    assert len(files) == len(found)
    for file, other in zip(files, found, strict=True):
        assert [part.dtype for part in other] == [np.int16] * len(file)
        for part, again in zip(file, other, strict=True):
            np.testing.assert_array_equal(part, again)


@pytest.fixture(scope="module")
def learned() -> CoefficientCoder:
    if coefficients.library() is None:
        files = [natural(COLOUR, seed) for seed in range(4)]
        state = coefficients._taught(files, [layout_of(COLOUR)] * 4, range(4))
        return CoefficientCoder(coefficients._packed(state, 16))
    files = [natural(COLOUR, seed) for seed in range(400)]
    return CoefficientCoder.learn(files, [layout_of(COLOUR)] * 400, 5000)


needs_c = pytest.mark.skipif(coefficients.library() is None, reason="there is no compiled code")


@pytest.mark.parametrize("make", [natural, wild])
@pytest.mark.parametrize("shapes", [COLOUR, GRAY, ODD, ODD[:2], ((1, 1),) * 4])
@pytest.mark.parametrize("count", [1, 3])
def test_files_come_back(make, shapes: Shapes, count: int, learned: CoefficientCoder) -> None:
    files, layouts = [make(shapes, seed) for seed in range(count)], [layout_of(shapes)] * count
    for coder in (DEFAULT, learned):
        assert_same(files, coder.decode(coder.encode(files, layouts), layouts))


def test_no_file_is_no_byte() -> None:
    assert DEFAULT.encode([], []) == b""
    assert DEFAULT.decode(b"", []) == []
    with pytest.raises(CorruptData):
        DEFAULT.decode(b"\1", [])


def test_blocks_of_zeros_cost_next_to_nothing() -> None:
    shapes = ((20, 20),)
    files = [[np.zeros((20, 20, 64), np.int16)]]
    data = DEFAULT.encode(files, [layout_of(shapes)])
    assert len(data) < 20
    assert_same(files, DEFAULT.decode(data, [layout_of(shapes)]))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4),
            st.integers(0, 1 << 30),
            st.booleans(),
        ),
        max_size=3,
    ),
    st.sampled_from([1, 255, 65535]),
)
def test_any_files_come_back(described, step: int) -> None:
    files = [(wild if hard else natural)(shapes, seed) for shapes, seed, hard in described]
    layouts = [[Grid(rows, columns, np.full((8, 8), step)) for rows, columns in shapes] for shapes, _, _ in described]
    assert_same(files, DEFAULT.decode(DEFAULT.encode(files, layouts), layouts))


@needs_c
@pytest.mark.parametrize("shapes", [COLOUR, ODD])
def test_python_gives_the_streams_of_c(shapes: Shapes, learned: CoefficientCoder, monkeypatch) -> None:
    files, layouts = [natural(shapes, 1), wild(shapes, 2), natural(shapes, 3)], [layout_of(shapes)] * 3
    state = coefficients._taught(files, layouts, range(3))
    streams = [coder.encode(files, layouts) for coder in (DEFAULT, learned)]
    bent = streams[0][:200] + b"\x55"
    decoded = DEFAULT.decode(bent, layouts)
    monkeypatch.setattr(coefficients, "library", lambda: None)
    assert [coder.encode(files, layouts) for coder in (DEFAULT, learned)] == streams
    assert_same(files, learned.decode(streams[1], layouts))
    assert_same(decoded, DEFAULT.decode(bent, layouts))
    again = coefficients._taught(files, layouts, range(3))
    for name in ("chances", "counts", "weights", "scales"):
        np.testing.assert_array_equal(getattr(state, name), getattr(again, name))


@needs_c
def test_a_learned_model_pays(learned: CoefficientCoder) -> None:
    files, layouts = [natural(COLOUR, seed) for seed in range(1000, 1064)], [layout_of(COLOUR)] * 64
    assert 0 < len(learned.model) < 10_000
    assert len(learned.encode(files, layouts)) < 0.99 * len(DEFAULT.encode(files, layouts))


@needs_c
def test_a_model_is_left_out_where_it_does_not_pay() -> None:
    files, layouts = [natural(COLOUR, seed) for seed in range(20)], [layout_of(COLOUR)] * 20
    assert CoefficientCoder.learn(files, layouts).model == b""
    assert CoefficientCoder.learn([], []).model == b""
    assert CoefficientCoder.learn(files[:1], layouts[:1]).model == b""


@needs_c
def test_threads_do_not_disturb_each_other(learned: CoefficientCoder) -> None:
    files, layouts = [natural(COLOUR, seed) for seed in range(64)], [layout_of(COLOUR)] * 64
    stream = learned.encode(files, layouts)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: learned.encode(files, layouts), range(16))) == {stream}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_coefficients_or_an_error(data: bytes) -> None:
    layouts = [layout_of(ODD), layout_of(GRAY)]
    try:
        found = DEFAULT.decode(data, layouts)
    except CorruptData:
        return
    assert [[part.shape for part in file] for file in found] == [
        [(grid.rows, grid.columns, 64) for grid in layout] for layout in layouts
    ]


def test_streams_have_no_bytes_to_spare() -> None:
    files, layouts = [natural(COLOUR, 0)], [layout_of(COLOUR)]
    stream = DEFAULT.encode(files, layouts)
    for wrong in (stream + b"\0", stream + b"abcd\1"):
        with pytest.raises(CorruptData):
            DEFAULT.decode(wrong, layouts)
    for size in range(0, len(stream), 37):
        cut = stream[:size].rstrip(b"\0")
        assert [part.shape for part in DEFAULT.decode(cut, layouts)[0]] == [(4, 4, 64), (2, 2, 64), (2, 2, 64)]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_mutated_models_decode_or_are_refused(learned: CoefficientCoder, data: st.DataObject) -> None:
    model = bytearray(learned.model)
    for _ in range(data.draw(st.integers(1, 3))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    files, layouts = [natural(GRAY, 0)], [layout_of(GRAY)]
    coder = CoefficientCoder(bytes(model[: data.draw(st.integers(1, len(model)))]))
    try:
        stream = coder.encode(files, layouts)
    except CorruptData:
        return
    assert_same(files, coder.decode(stream, layouts))


def test_extreme_models_code() -> None:
    """Weights at the ends of their ranges, and slots that are sure of the wrong."""
    size = mixing.SLOTS + mixing.SETS * mixing.INPUTS + 3 * 64 * mixing.FEATURES
    files, layouts = [wild(COLOUR, 5), natural(COLOUR, 6)], [layout_of(COLOUR)] * 2
    for sign in (1, -1):
        values = np.full(size, sign * 2048, np.int32)
        values[: mixing.SLOTS] = sign * 32
        coder = CoefficientCoder(coefficients.numbers.pack(values))
        assert_same(files, coder.decode(coder.encode(files, layouts), layouts))
    values[0] = 33
    with pytest.raises(CorruptData):
        CoefficientCoder(coefficients.numbers.pack(values)).encode(files, layouts)


def test_what_cannot_be_is_refused() -> None:
    file, layout = natural(GRAY, 0), layout_of(GRAY)
    steps = np.ones((8, 8), np.int64)
    wrong: list[tuple[list[File], list[list[Grid]]]] = [
        ([file], [layout_of(((2, 2),))]),
        ([file], []),
        ([[file[0].astype(np.int32)]], [layout]),  # type: ignore[list-item]
        ([[]], [[]]),
        ([file * 5], [layout * 5]),
        ([file], [[Grid(3, 2, steps * 0)]]),
        ([file], [[Grid(3, 2, steps[:4])]]),
        ([[file[0][:0]]], [[Grid(0, 2, steps)]]),
    ]
    for files, layouts in wrong:
        with pytest.raises(UsageError):
            DEFAULT.encode(files, layouts)
    with pytest.raises(EngramError):
        DEFAULT.decode(b"\1", [[Grid(65535, 65535, steps)]])
