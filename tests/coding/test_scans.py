"""JPEG files, made by Pillow or out of other skeletons, into coefficients and back: each with C and in Python."""

import io
import itertools
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engram.coding import huffman, jpeg, scans
from engram.coding.scans import NotRebuilt, emit, layout, parse
from engram.errors import CorruptData

COMPILED = scans.library()
SIZES = (1, 1), (8, 8), (9, 17), (33, 31), (64, 48)
EVERY = {"quality": [30, 90], "subsampling": [0, 1, 2], "progressive": [False, True], "optimize": [False, True]}
EXTRAS = (
    {"restart_marker_blocks": 3},
    {"restart_marker_rows": 1},
    {"comment": b"a comment, \xff\xd9 and all"},
    {"icc_profile": bytes(range(256)) * 300},
    {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"},
    {"dpi": (72, 72), "quality": 100},
    {"quality": 1},
)


@contextmanager
def coding(code):
    """With the compiled code, or with None: in Python."""
    before, scans.library = scans.library, lambda: code
    try:
        yield
    finally:
        scans.library = before


@pytest.fixture(params=["c", "python"], autouse=True, scope="module")
def _code(request):
    if request.param == "c" and COMPILED is None:
        pytest.skip("engram was installed without a compiler")
    with coding(COMPILED if request.param == "c" else None):
        yield


def picture(height, width, mode="RGB", seed=0, noise=9):
    """Waves, different in each channel, and noise."""
    channels = len(mode)
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin((x * (i + 1) + 2 * y + seed) / 7) for i in range(channels)]
    noisy = np.stack(waves, -1) + np.random.default_rng(seed).normal(0, noise, (height, width, channels))
    array = noisy.clip(0, 255).astype(np.uint8)
    return Image.merge(mode, [Image.fromarray(array[..., i]) for i in range(channels)])


def written(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def again(parts):
    return emit(parts.skeleton, parts.size, parts.loose, parts.coefficients)


def same(one, other):
    return (one.skeleton, one.size, one.loose) == (other.skeleton, other.size, other.loose) and all(
        np.array_equal(a, b) for a, b in zip(one.coefficients, other.coefficients, strict=True)
    )


def file_of(mode="RGB", size=(33, 31), **options):
    return written(picture(*size, mode), **options)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_files_of_pillow_come_back(mode, size):
    chosen = [dict(zip(EVERY, values, strict=True)) for values in itertools.product(*EVERY.values())]
    # Python is slow: each size has other settings there.
    if scans.library() is None:
        chosen, extras = chosen[:: 1 + sum(size) // 20], EXTRAS[:3]
    else:
        extras = EXTRAS
    for options in [*chosen, *extras, *({"progressive": True} | extra for extra in extras)]:
        data = file_of(mode, size, **options)
        parts = parse(data)
        assert again(parts) == data
        assert parts.loose == b""
        assert parts.size == size
        assert [plane.shape[:2] for plane in parts.coefficients] == list(layout(parts.skeleton, size).grids)
        if COMPILED and scans.library() is None:
            with coding(COMPILED):
                assert same(parts, parse(data))


def test_rgb_files_of_adobe_come_back():
    data = file_of(keep_rgb=True, subsampling=0)
    parts = parse(data)
    assert again(parts) == data
    assert layout(parts.skeleton, parts.size).sampling == ((1, 1),) * 3


@pytest.mark.parametrize("options", [{"optimize": True}, {"progressive": True}, {"progressive": True, "quality": 95}])
def test_skeletons_of_one_encoder_are_the_same_and_have_no_tables(options):
    whole = [parse(written(picture(24 + i, 40 - i, "RGB", i), **options)) for i in range(4)]
    assert len({parts.skeleton for parts in whole}) == 1
    assert len(whole[0].skeleton) < 360
    assert whole[0].skeleton.count(b"\xff\xc4") == whole[0].skeleton.count(b"\xff\xc4\x00\x03")


def test_tables_of_another_encoder_are_kept():
    parts = parse(file_of())
    assert parts.skeleton == parse(written(picture(9, 70, seed=5))).skeleton
    assert parts.skeleton.count(b"\xff\xc4") == 4
    assert len(parts.skeleton) > 600


def test_coefficients_are_those_that_libjpeg_decodes():
    image = picture(40, 48, "L")
    for progressive in (False, True):
        data = written(image, quality=80, progressive=progressive)
        parts = parse(data)
        steps = layout(parts.skeleton, parts.size).steps
        assert np.array_equal(steps[0], jpeg.steps_of(80)[0])
        plane = parts.coefficients[0].astype(np.int64).reshape(1, 5, 6, 8, 8) * steps[0]
        pixels = jpeg.Form((40, 48, 1), False).pixels([plane])
        assert np.array_equal(pixels[0, ..., 0], np.asarray(Image.open(io.BytesIO(data))))


def test_a_progressive_file_has_the_coefficients_of_a_sequential_one():
    for subsampling in (0, 2):
        whole = [parse(file_of(subsampling=subsampling, progressive=flag)) for flag in (False, True)]
        inner = layout(whole[0].skeleton, whole[0].size).inner
        for (rows, columns), one, other in zip(inner, *(parts.coefficients for parts in whole), strict=True):
            assert np.array_equal(one[:rows, :columns], other[:rows, :columns])


HEADER = bytes.fromhex("ffda000c03010002110311003f00")


def test_scans_of_a_component_each_come_back_and_are_what_pillow_reads():
    plain = file_of(subsampling=2)
    parts = parse(plain)
    apart = b"".join(bytes.fromhex(f"ffda0008010{i}{slot}003f00") for i, slot in ((3, "11"), (1, "00"), (2, "11")))
    assert HEADER in parts.skeleton
    data = emit(parts.skeleton.replace(HEADER, apart), parts.size, b"", parts.coefficients)
    assert np.array_equal(*(np.asarray(Image.open(io.BytesIO(file))) for file in (plain, data)))
    found = parse(data)
    assert again(found) == data
    assert found.skeleton == parts.skeleton.replace(HEADER, apart)


@pytest.mark.parametrize("loose", [b"\0", b"\x2a", bytes([0, 0x7F, 5, 1, 0x55, 0x2A, 9]), b"\x7f\0"])
def test_padding_of_any_bits_comes_back(loose):
    parts = parse(file_of(restart_marker_blocks=1))
    data = emit(parts.skeleton, parts.size, loose, parts.coefficients)
    assert data != again(parts)
    found = parse(data)
    assert again(found) == data
    assert found.skeleton == parts.skeleton
    assert len(found.loose) <= 9
    if loose == b"\0":
        assert len(found.loose) <= 2


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"after the end \xff\xd8\xff",
        lambda data: data[:-2],
        lambda data: data[:-2] + b"\xff\xff\xff\xd9",
        lambda data: data[:2] + b"\xff\xff\xff" + data[2:],
        lambda data: data.replace(b"\xff\xdb", b"\xff\xe7\0\5abc\xff\xdb", 1),
        lambda data: data.replace(b"\xff\xc0", b"\xff\xc1", 1),
    ],
    ids=["tail", "no end", "fill", "fill before", "segment", "extended"],
)
def test_unusual_files_come_back(change):
    for options in ({}, {"optimize": True}):
        data = change(file_of(**options))
        assert again(parse(data)) == data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:1],
        lambda data: data[:2],
        lambda data: data[:100],
        lambda data: data[: len(data) // 2 + 200],
        lambda data: data[:-3],
        lambda data: data[:-2] + b"\0\xff\xd9",
        lambda data: data[:-2] + b"\xff\xd0\xff\xd9",
        lambda data: b"\x89PNG" + data,
        lambda data: data[:2] + b"\0" + data[2:],
        *(
            lambda data, kind=kind: data.replace(b"\xff\xc0", bytes([0xFF, kind]), 1)
            for kind in (0xC2, 0xC3, 0xC9, 0xCA)
        ),
        lambda data: data.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c", 1),
        lambda data: data.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x08\0\0", 1),
        lambda data: data.replace(b"\xff\xd9", b"\xff\xdc\0\4\0\x21\xff\xd9", 1),
        lambda data: data.replace(b"\xff\xda", b"\xff\xd9", 1),
        lambda data: data.replace(b"\xff\xdb", b"\xff\xe7"),
        lambda data: b"\xff\xd8\xff\xc0\0\7\x08\0\x08\0\x08",
        lambda data: b"\xff\xd8\xff\xc0\0\x08\x08\0\x08\0\x08\0",
    ],
)
def test_what_is_no_such_file_is_not_rebuilt(change):
    data = file_of()
    with pytest.raises(NotRebuilt):
        parse(change(data))


def test_the_tables_of_libjpeg_are_of_16_bits_at_most():
    numbers = [1, 1]
    while len(numbers) < 24:
        numbers.append(sum(numbers[-2:]))
    table = huffman.optimal(Counter(dict(enumerate(numbers))))
    assert sum(table[:16]) == len(table) - 16 == 24
    assert sum(count << (16 - length) for length, count in enumerate(table[:16], 1)) < 1 << 16
    assert huffman.optimal(Counter()) == b""


def test_layouts_are_bounded():
    skeleton = parse(file_of()).skeleton
    for size in [(0, 8), (8, 0), (16385, 8), (8, 16385), (16384, 16384), (-1, 8)]:
        with pytest.raises(CorruptData):
            layout(skeleton, size)
    assert layout(skeleton, (4096, 4096)).grids == ((512, 512), (256, 256), (256, 256))
    with pytest.raises(CorruptData, match="more blocks or scans"):
        layout(skeleton.replace(HEADER, HEADER * 2000), (4096, 4096))


def test_coefficients_that_have_no_code_are_refused():
    parts = parse(file_of())
    for value in (-32768, 32767, 3000):
        planes = [plane.copy() for plane in parts.coefficients]
        planes[1][0, 0, 9] = value
        with pytest.raises(CorruptData):
            emit(parts.skeleton, parts.size, b"", planes)
    with pytest.raises(CorruptData):
        emit(parts.skeleton, parts.size, b"", parts.coefficients[:2])
    with pytest.raises(CorruptData):
        emit(parts.skeleton, parts.size, b"", [plane.astype(np.int32) for plane in parts.coefficients])


def test_a_file_of_much_noise_comes_back():
    data = written(picture(200, 200, noise=300), quality=100, subsampling=0)
    if scans.library():
        assert again(parse(data)) == data


def test_long_runs_of_ended_blocks_and_many_correction_bits_are_coded_as_libjpeg_does():
    if scans.library() is None:
        pytest.skip("Python takes minutes")
    for image in (Image.new("L", (2048, 1200), 130), picture(256, 256, "L", noise=30)):
        for quality in (50, 98):
            data = written(image, quality=quality, progressive=True)
            assert again(parse(data)) == data


FILES = [
    file_of("L", (9, 17), optimize=True),
    file_of("RGB", (16, 17), progressive=True),
    file_of("RGB", (8, 24), restart_marker_blocks=1),
]


@st.composite
def mutants(draw, choices):
    data = bytearray(draw(st.sampled_from(choices)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            data[at] = draw(st.integers(0, 255))
        elif kind == 1:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 2:
            del data[at : at + draw(st.integers(1, 9))]
        else:
            data[at:at] = data[draw(st.integers(0, len(data) - 1)) :][: draw(st.integers(1, 30))]
        data = data or bytearray(b"\xff")
    return bytes(data)


def outcome(call, *arguments):
    try:
        return call(*arguments)
    except (NotRebuilt, CorruptData) as error:
        return type(error)


@settings(max_examples=300)
@given(mutants(FILES))
def test_mutated_files_come_back_or_are_refused(data):
    parts = outcome(parse, data)
    if parts is not NotRebuilt:
        assert again(parts) == data
    if COMPILED and scans.library() is None:
        with coding(COMPILED):
            other = outcome(parse, data)
        assert other is parts or same(other, parts)


PARTS = [parse(data) for data in FILES]


@settings(max_examples=300)
@given(mutants([parts.skeleton for parts in PARTS]), st.sampled_from(PARTS), st.binary(max_size=3), st.integers(0, 99))
def test_mutated_skeletons_give_bytes_or_corrupt_data(skeleton, parts, loose, seed):
    planes = [plane.copy() for plane in parts.coefficients]
    random = np.random.default_rng(seed)
    for plane in planes[: seed % 3]:
        plane.flat[random.integers(0, plane.size, 3)] = random.integers(-20, 21, 3)
    found = outcome(emit, skeleton, parts.size, loose, planes)
    assert found is CorruptData or isinstance(found, bytes)
    if COMPILED and scans.library() is None:
        with coding(COMPILED):
            assert outcome(emit, skeleton, parts.size, loose, planes) == found
