"""FORMAT.md, held against the codecs by a decoder that was written from it."""

import hashlib
import json
import re
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sample_networks import pictures

from engram.codecs import picture_files
from engram.codecs.frozen import Frozen
from engram.codecs.jpeg import coefficients, mixing
from engram.codecs.jpeg.codec import JpegCoefficients
from engram.codecs.jpeg.recovery import Grid
from engram.codecs.picture_files import PictureFiles
from engram.codecs.pixel import form as pixel_form
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.network import LARGEST_ACTIVATION, CausalNetwork, WholeDense, joined
from engram.codecs.raw import Raw
from engram.codecs.settings import LARGEST_SHIFT
from engram.codecs.spatial import contexts as spatial_contexts
from engram.codecs.spatial import model as spatial_model
from engram.codecs.spatial.codec import Spatial
from engram.coding import grid as grids
from engram.coding import mixture, neighbourhood, numbers, scans, segments, tables
from engram.coding.jpeg import Form
from engram.coding.rangecoder import CorruptStream, RangeCoder
from engram.errors import CorruptData
from engram.kinds import KINDS

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "spec"))

import independent_codecs  # noqa: E402
import independent_files  # noqa: E402
import independent_pixel  # noqa: E402
import independent_spatial  # noqa: E402

GOLDEN = sorted((ROOT / "tests" / "golden" / "codecs").glob("*.json"))
FORMAT = (ROOT / "FORMAT.md").read_text()


def example(name: str) -> str:
    """The text of the document's block of this name."""
    return re.search(rf"^```{name}\n(.*?)^```$", FORMAT, re.DOTALL | re.MULTILINE).group(1)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_independent_decoder_reads_golden_blocks(path):
    golden = json.loads(path.read_text())
    block, model = bytes.fromhex(golden["block"]), bytes.fromhex(golden["model"])
    pixels = independent_codecs.DECODERS[golden["id"]](golden["config"], model, block, golden["images"])
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == golden["sha256"]


def test_golden_files_are_there():
    assert len(GOLDEN) >= 11


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 12))
@settings(max_examples=150)
def test_the_range_decoder_of_the_document_reads_every_stream(seed, units, count):
    random = np.random.default_rng(seed)
    sizes = random.choice([1, 2, 5, 40], units)
    levels = [(random.integers(0, 256, size) * random.integers(0, 2, size)).astype(np.uint8) for size in sizes]
    weights = [independent_codecs.table_weights(unit.tolist()) for unit in levels]
    assert weights == [tables.weights_of(unit).tolist() for unit in levels]
    symbols = np.array([random.integers(0, size, count) for size in sizes], np.int32).reshape(units, count)
    stream = RangeCoder([np.array(unit) for unit in weights]).encode(symbols)
    assert independent_codecs.range_decode(stream, weights, count) == symbols.tolist()


@given(st.binary(max_size=40))
@settings(max_examples=150)
def test_the_range_decoders_agree_on_any_bytes(data):
    """Where one refuses the other does, but for strings that are too long or end in zero, which only ours looks at."""
    weights = [independent_codecs.table_weights([3, 250, 9])] * 2
    ours = RangeCoder([np.array(unit) for unit in weights])
    data = data[: 4 * 8].rstrip(b"\0")
    try:
        expected = ours.decode(data, 4).tolist()
    except CorruptStream:
        with pytest.raises(ValueError, match="leaves the range"):
            independent_codecs.range_decode(data, weights, 4)
        return
    assert independent_codecs.range_decode(data, weights, 4) == expected


def test_the_documents_raw_example():
    pixels = Raw((2, 2, 1)).decode(bytes.fromhex(example("raw-block")), 2)
    assert pixels.ravel().tolist() == list(range(8))


def test_the_documents_numbers_example():
    data = bytes.fromhex(example("numbers"))
    assert numbers.unpack(data, 5).tolist() == [0, -1, 1, 300, -70000]
    assert list(independent_codecs.unpack_numbers(data)) == [0, -1, 1, 300, -70000]


def test_the_documents_table_example():
    levels, weights = re.search(r"The levels ([\d, ]+) give the weights ([\d, ]+)\.", FORMAT).groups()
    found = tables.weights_of(np.array([int(level) for level in levels.split(",")], np.uint8))
    assert found.tolist() == [int(weight) for weight in weights.split(",")]


def test_the_documents_block_becomes_the_documents_pixels():
    config, model = json.loads(example("config")), bytes.fromhex(example("model"))
    block, pixels = bytes.fromhex(example("block")), [int(word) for word in example("pixels").split()]
    assert Frozen.from_config(config, model).decode(block, 5).ravel().tolist() == pixels
    assert independent_codecs.decode_frozen(config, model, block, 5).ravel().tolist() == pixels


def test_the_documents_spatial_block_becomes_the_documents_pixels():
    config, model = json.loads(example("spatial-config")), bytes.fromhex(example("spatial-model"))
    block, pixels = bytes.fromhex(example("spatial-block")), [int(word) for word in example("spatial-pixels").split()]
    codec = Spatial.from_config(config, model)
    assert (codec.config(), codec.model) == (config, model)
    assert codec.decode(block, 2).ravel().tolist() == pixels
    assert independent_codecs.decode_spatial(config, model, block, 2).ravel().tolist() == pixels
    assert codec.decoder.prior.limits.tolist() == [9, 4, 4] + 13 * [1]
    assert codec.decoder.prior.limits_at(codec.step).tolist() == [3, 1, 1] + 13 * [1]


def test_the_documents_limits_of_a_spatial_code_are_those_of_the_code():
    text = FORMAT[FORMAT.index("### `spatial`") :]
    assert f"with at most {spatial_model.LARGEST_GRID} cells" in text
    assert f"the quantisation step, {grids.FINEST} to {grids.COARSEST}, in half gray levels" in text
    assert f"the largest distance R, 1 to {spatial_contexts.LARGEST_REACH}" in text
    assert f"plus 1, at most {spatial_model.MOST_SCALES} |" in text
    assert f"`outputs` is 1 to {spatial_model.LARGEST_WIDTH}, `shift` 0 to {LARGEST_SHIFT}" in text
    assert f"limits [U]                            1 to {spatial_model.LARGEST_LIMIT}" in text
    assert " ".join(map(str, grids.OFFSETS)) == example("spatial-neighbours").strip()
    assert list(grids.OFFSETS) == independent_spatial.NEIGHBOURS
    features = grids.Grid((4, 32, 1)).features_at(100)[:, 0, 2].tolist()
    assert features[7:14] == [int(word) for word in example("spatial-features").split()]
    assert f"the step's {' '.join(map(str, features[14:]))}." in text


@given(st.integers(1, 150), st.integers(1, 150), st.integers(grids.FINEST, grids.COARSEST))
@settings(max_examples=50)
def test_the_documents_features_of_a_spatial_code_are_those_of_the_code(height, width, step):
    grid = grids.Grid((height, width, 1))
    found = independent_spatial.features_of(grid.rows, grid.columns, step)
    assert np.array_equal(found, grid.features_at(step).transpose(1, 2, 0))


@given(st.binary(max_size=60), st.integers(0, 3), st.sampled_from([16, 45, 1024]))
@settings(max_examples=40, deadline=None)
def test_the_independent_decoder_reads_any_spatial_stream(data, count, step):
    """Of any bytes: they decode to the same pixels, or both decoders refuse them."""
    config, model = json.loads(example("spatial-config")) | {"step": step}, bytes.fromhex(example("spatial-model"))
    data = data.rstrip(b"\0") if count else b""
    try:
        pixels = Spatial.from_config(config, model).decode(data, count)
    except CorruptStream:
        with pytest.raises(ValueError, match="leaves the range"):
            independent_codecs.decode_spatial(config, model, data, count)
        return
    assert np.array_equal(independent_codecs.decode_spatial(config, model, data, count), pixels)


def test_the_documents_pixel_block_becomes_the_documents_pixels():
    config, model = json.loads(example("pixel-config")), bytes.fromhex(example("pixel-model"))
    block, pixels = bytes.fromhex(example("pixel-block")), [int(word) for word in example("pixel-pixels").split()]
    codec = Pixel.from_config(config, model)
    assert codec.decode(block, 3).ravel().tolist() == pixels
    assert independent_codecs.decode_pixel(config, model, block, 3).ravel().tolist() == pixels
    assert codec.network.alone[0].tolist() == [-1, 0, 169, 78]
    assert "says -1 0 169 78 (z, w, m, s) of the first value" in FORMAT
    assert [wave.tolist() for wave in codec.network.neighbourhood.waves if len(wave) > 1] == [[3, 4]]


def test_the_documents_pixel_tables_are_those_of_both_decoders():
    ours = mixture.nonzero_weights(), mixture.exponentials(), mixture.inverses(), mixture.logistics()
    names = ("NOT_ZERO", "EXPONENTIAL", "INVERSE", "LOGISTIC")
    assert example("pixel-tables").split() == [
        hashlib.sha256(np.array(getattr(independent_pixel, name), "<i4").tobytes()).hexdigest() for name in names
    ]
    assert example("pixel-tables").split() == [
        hashlib.sha256(table.astype("<i4").tobytes()).hexdigest() for table in ours
    ]


def test_the_documents_limits_of_a_pixel_code_are_those_of_the_code():
    text = FORMAT[FORMAT.index("### `pixel`") :]
    values, prepared = (int(np.log2(n)) for n in (neighbourhood.LARGEST_VALUES, neighbourhood.LARGEST_PREPARED))
    assert f"with at most 2^{values} values V" in text
    assert f"is at most 2^{prepared} |" in text
    assert f"| `radius` | R, 1 to {neighbourhood.LARGEST_RADIUS} |" in text
    assert f"| `knots` | K, 2 to {neighbourhood.LARGEST_KNOTS} |" in text
    assert f"1 to {pixel_form.LARGEST_DEPTH} layers' widths, each 1 to {pixel_form.LARGEST_WIDTH};" in text
    assert f"| `components` | M, 1 to {mixture.LARGEST_COMPONENTS} |" in text
    assert f"| `step` | odd, 1 to {pixel_form.LARGEST_STEP} |" in text
    assert f"each 0 to {LARGEST_SHIFT}: for each channel, one more" in text
    assert f"| `high` | 1 to {LARGEST_ACTIVATION}; or there is no such key: {LARGEST_ACTIVATION} |" in text
    least, largest = mixture.limits(1)
    for low, high in zip(least.tolist(), largest.tolist(), strict=True):
        assert f" {low} to {high} " in text


@given(st.data())
@settings(max_examples=40)
def test_the_independent_decoder_reads_any_pixel_stream(data):
    """Of any bytes: they decode to the same pixels, or both decoders refuse them."""
    config, model = json.loads(example("pixel-config")), bytes.fromhex(example("pixel-model"))
    block = b"\0" + data.draw(st.binary(max_size=30)).rstrip(b"\0")
    try:
        pixels = Pixel.from_config(config, model).decode(block, 3)
    except CorruptStream:
        with pytest.raises((ValueError, IndexError)):
            independent_codecs.decode_pixel(config, model, block, 3)
        return
    assert np.array_equal(independent_codecs.decode_pixel(config, model, block, 3), pixels)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_independent_decoder_reads_any_pixel_code(seed):
    """Of random networks, many of whose numbers are clipped, and of any bytes but those that both refuse."""
    random = np.random.default_rng(seed)
    shape = (*random.integers(1, 6, 2).tolist(), int(random.choice([1, 3])))
    edges = str(random.choice(["zero", "nearest"]))
    around = neighbourhood.Neighbourhood(shape, int(random.integers(1, 5)), int(random.integers(2, 6)), edges)
    taken, units, components = around.inputs + around.features, 4, int(random.integers(1, 4))
    networks, high = [], int(random.choice([1, 100, 1023]))
    for _ in range(shape[2]):
        layers = []
        for inputs, outputs, size in ((taken, units, 60), (units + taken, 1 + 3 * components, 30)):
            weight, bias = (
                random.integers(-size, size + 1, (inputs, outputs)),
                random.integers(-(2**17), 2**17, outputs),
            )
            layers.append(WholeDense(weight, bias, int(random.integers(3, 9))))
        networks.append(CausalNetwork(around, tuple(layers), high))
    codec = Pixel(joined(tuple(networks)), int(random.choice([1, 3, 9, 127])))
    block = b"\0" + random.bytes(int(random.integers(0, 60))).rstrip(b"\0")
    try:
        pixels = codec.decode(block, 2)
    except CorruptStream:
        with pytest.raises((ValueError, IndexError)):
            independent_codecs.decode_pixel(codec.config(), codec.model, block, 2)
        return
    assert np.array_equal(independent_codecs.decode_pixel(codec.config(), codec.model, block, 2), pixels)


JPEG_FORMS = {"gray": ((16, 8, 1), False), "full": ((8, 8, 3), False), "halved": ((16, 32, 3), True)}


@given(st.sampled_from(sorted(JPEG_FORMS)), st.integers(0, 2), st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_independent_decoder_reads_any_jpeg_coefficients(form, count, seed):
    """Random weights, levels and steps; images that lie on their grid, and others."""
    random = np.random.default_rng(seed)
    shape, halved = JPEG_FORMS[form]
    kinds = min(shape[2], 2)
    steps = random.integers(1, 256, (kinds, 8, 8))[[0, 1, 1][: shape[2]]]
    weights, levels = random.integers(-200, 300, (64 * kinds, 11)), random.integers(0, 256, (80 * kinds, 24))
    codec = JpegCoefficients(Grid(Form(shape, halved), steps), weights, levels.astype(np.uint8))
    images = pictures(count, shape, seed).images
    for seen in (images, codec.grid.pixels(codec.grid.recover(images))):
        block = codec.encode(seen)
        assert np.array_equal(codec.decode(block, count), seen)
        found = independent_codecs.decode_jpeg_coefficients(codec.config(), codec.model, block, count)
        assert np.array_equal(found, seen)


def test_the_documents_picture_files_become_the_documents_files_and_pixels():
    config, block = json.loads(example("files-config")), bytes.fromhex(example("files-block"))
    files = [bytes.fromhex(file) for file in example("files-files").split("\n\n")]
    pixels = [int(word) for word in example("files-pixels").split()]
    codec = PictureFiles.from_config(config, b"")
    assert codec.encode(files) == block
    assert codec.files(block, 2) == independent_files.picture_files(config, b"", block, 2) == files
    assert codec.decode(block, 2).ravel().tolist() == pixels
    assert independent_files.decode_picture_files(config, b"", block, 2).ravel().tolist() == pixels


@pytest.mark.parametrize(
    "path", [path for path in GOLDEN if path.stem.startswith("files-")], ids=lambda path: path.stem
)
def test_the_independent_decoder_rebuilds_golden_files(path):
    golden = json.loads(path.read_text())
    block, model = bytes.fromhex(golden["block"]), bytes.fromhex(golden["model"])
    files = PictureFiles.from_config(golden["config"], model).files(block, golden["images"])
    assert independent_files.picture_files(golden["config"], model, block, golden["images"]) == files


JPEG_MAKES = (
    {},
    {"optimize": True, "subsampling": 1},
    {"progressive": True},
    {"progressive": True, "subsampling": 0, "restart_marker_blocks": 2},
)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_the_independent_decoder_rebuilds_any_files(seed):
    """JPEG files of several makes and sizes, with a model and without, one with other bits of padding."""
    random, files = np.random.default_rng(seed), []
    for make in JPEG_MAKES:
        height, width = random.integers(1, 30, 2)
        image = np.resize(random.integers(0, 256, (3, 3)), (height, width, 3)) + random.integers(
            0, 40, (height, width, 3)
        )
        channels = int(random.integers(2))
        image, held = image.clip(0, 255).astype(np.uint8), BytesIO()
        Image.fromarray(image if channels else image[..., 0]).save(
            held, "JPEG", **make, quality=int(random.integers(5, 99))
        )
        files.append(held.getvalue())
    files.append(files[0][:-3] + bytes([files[0][-3] ^ 1]) + files[0][-2:])
    learned = PictureFiles.learn(KINDS["rgb"], (30, 30), files * 3, 10**6)
    for codec in (learned, PictureFiles(KINDS["rgb"], (30, 30))):
        block = codec.encode(files)
        assert independent_files.picture_files(codec.config(), codec.model, block, len(files)) == files


@given(st.binary(max_size=30))
@settings(max_examples=40, deadline=None)
def test_the_independent_decoder_reads_any_coefficients(stream):
    """Of any bytes: they become the same file, or both decoders refuse them."""
    config, block = json.loads(example("files-config")), bytes.fromhex(example("files-block"))
    head = 4 + int.from_bytes(block[:4], "little")
    block = block[:head] + len(stream).to_bytes(4, "little") + stream + block[-13:]
    try:
        files = PictureFiles.from_config(config, b"").files(block, 2)
    except CorruptData:
        with pytest.raises(ValueError):  # noqa: PT011  # many are said
            independent_files.picture_files(config, b"", block, 2)
        return
    assert independent_files.picture_files(config, b"", block, 2) == files


@pytest.mark.parametrize("make", JPEG_MAKES, ids=str)
def test_the_documents_scans_of_a_large_file(make):
    """Where EOB runs and correction bits wait for long."""
    random, held = np.random.default_rng(3), BytesIO()
    image = random.integers(0, 256, (160, 144, 3)) // np.array([1, 9, 60])[np.arange(144) // 48][:, None]
    Image.fromarray(image.astype(np.uint8)).save(held, "JPEG", **make, quality=75)
    parsed = scans.parse(held.getvalue())
    layout = independent_files.Layout(parsed.skeleton, *parsed.size)
    for component, blocks in zip(layout.components, parsed.coefficients, strict=True):
        component.blocks = blocks.reshape(-1, 64).tolist()
    assert independent_files.Writer(layout, parsed.loose).file() == held.getvalue()


def test_the_documents_limits_of_picture_files_are_those_of_the_code():
    text = FORMAT[FORMAT.index("### `picture-files`") : FORMAT.index("### `pixel`")]
    assert f"deflated, at most {picture_files.MOST_SKELETONS};" in text
    assert f"Sides are at most {segments.LARGEST_SIDE:,}," in text
    assert f"{mixing.SLOTS:,}" in text
    most = picture_files.MOST_HEAD_BYTES, segments.MOST_BLOCKS, segments.MOST_WORK, coefficients.MOST_BLOCKS
    assert most == (2**24, 2**21, 2**26, 2**22)
