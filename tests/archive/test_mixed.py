"""Archives of images of many sizes: each comes back at its own, in its place; what needs one size says so."""

from __future__ import annotations

import json
import pickle
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from engram import archive
from engram.archive import bundle
from engram.archive.errors import CorruptBlock, ResumeMismatch
from engram.archive.interrupted import parts_of
from engram.archive.mixed import ManySizes, Mixed
from engram.archive.mixing import begun, pack_mixed
from engram.cli.main import app
from engram.codecs.raw import Raw
from engram.datasets import folders, source
from engram.datasets.assortment import Assortment
from engram.datasets.canvases import share
from engram.files import OutputExists
from engram.integrations.dataset import ArchiveDataset

SIZES = [(5, 4), (4, 5), (5, 4), (9, 2), (1, 1), (5, 4), (4, 5)]


def write(folder: Path, sizes: list[tuple[int, int]], channels: int = 1) -> list[np.ndarray[Any, Any]]:
    """A folder of pictures of these sizes in two classes, and its pixels in the folder's order."""
    random, found = np.random.default_rng(len(sizes)), []
    for name in ("ape", "bee"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, (height, width) in enumerate(sizes):
        pixels = random.integers(0, 256, (height, width, channels), np.uint8)
        place = folder / ("ape" if number < (len(sizes) + 1) // 2 else "bee") / f"{number:05}.png"
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(place)
        found.append(pixels)
    return found


def assortment(folder: Path) -> Assortment:
    found = folders.collection(folder)
    assert isinstance(found, Assortment)
    return found


def pack(images: Assortment, path: Path, fewest: int = 2, **options: Any) -> archive.Packed:
    canvases = share(images.sizes, fewest)
    codecs = [Raw((*canvas.size, images.channels)) for canvas in canvases]
    return pack_mixed(images, canvases, codecs, path, block_size=2, **options)


@pytest.fixture
def pixels(tmp_path: Path) -> list[np.ndarray[Any, Any]]:
    return write(tmp_path / "pictures", SIZES)


@pytest.fixture
def mixed(tmp_path: Path, pixels: list[np.ndarray[Any, Any]]) -> Path:
    pack(assortment(tmp_path / "pictures"), tmp_path / "a.egm")
    return tmp_path / "a.egm"


def same(found: Any, expected: list[np.ndarray[Any, Any]]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=2, max_size=40).filter(
        lambda sizes: len(set(sizes)) > 1
    ),
    st.integers(1, 5),
    st.sampled_from([1, 3]),
)
def test_every_image_comes_back_at_its_place(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]], fewest: int, channels: int
) -> None:
    folder = tmp_path_factory.mktemp("mixed")
    expected = write(folder / "pictures", sizes, channels)
    pack(assortment(folder / "pictures"), folder / "a.egm", fewest)
    assert sorted(each.name for each in folder.iterdir()) == ["a.egm", "pictures"]
    with archive.open(folder / "a.egm") as opened:
        assert isinstance(opened, Mixed)
        assert opened.sizes.tolist() == [list(size) for size in sizes]
        assert same(list(opened), expected)
        assert same([opened[row] for row in range(len(sizes))], expected)
        assert same(opened[::-1], expected[::-1])
        assert opened.names == tuple(f"{row:05}.png" for row in range(len(sizes)))
        assert opened.labels is not None
        assert opened.labels.tolist() == [int(row >= (len(sizes) + 1) // 2) for row in range(len(sizes))]
        info = opened.info
        assert (info.images, info.archive_bytes) == (len(sizes), (folder / "a.egm").stat().st_size)
        assert (info.sizes, info.image_shape) == (len(set(sizes)), (*map(max, zip(*sizes, strict=True)), channels))
    assert archive.verify(folder / "a.egm").ok
    archive.unpack(folder / "a.egm", folder / "back")
    assert same(
        [np.asarray(Image.open(path)) for path in sorted((folder / "back").rglob("*.png"))],
        [image[..., 0] if channels == 1 else image for image in expected],
    )


def test_it_is_a_sequence(mixed: Path, pixels: list[np.ndarray[Any, Any]]) -> None:
    with archive.open(mixed) as opened:
        assert same([opened[-1]], pixels[-1:])
        assert same(opened[[6, 0, 6]], [pixels[6], pixels[0], pixels[6]])
        assert same(opened[np.array([True] + 6 * [False])], pixels[:1])
        assert opened[[]] == []
        assert same(pickle.loads(pickle.dumps(opened))[2:4], pixels[2:4])
        assert repr(opened) == f"<Mixed {mixed}: 7 images of 4 sizes on 3 canvases>"
        for index in (7, -8):
            with pytest.raises(IndexError):
                opened[index]
        with pytest.raises(IndexError, match="image 9 is not among the 7 images"):
            opened[[9]]


def test_one_canvas_for_all(tmp_path: Path) -> None:
    """Few images, so one archive, and no order."""
    expected = write(tmp_path / "pictures", SIZES)
    pack(assortment(tmp_path / "pictures"), tmp_path / "a.egm", fewest=100)
    with archive.open(tmp_path / "a.egm") as opened:
        assert isinstance(opened, Mixed)
        assert opened.canvases.archives == 1
        assert same(opened[:], expected)


@pytest.mark.parametrize(
    "use",
    [
        archive.load,
        source.stream,
        lambda path: archive.open(path).image_shape,
        lambda path: archive.open(path).codec,
        lambda path: next(archive.open(path).batches()),
        ArchiveDataset,
    ],
)
def test_what_needs_one_size_says_so(mixed: Path, use: Callable[[Path], object]) -> None:
    with pytest.raises(
        ManySizes, match=r"a\.egm has images of many sizes, and one is needed here; `engram unpack` makes"
    ):
        use(mixed)


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x-images-idx3-ubyte"])
def test_files_of_one_size(mixed: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ManySizes, match=rf"a\.egm has images of many sizes, and .*{name} holds one; unpack it to a folder"
    ):
        archive.unpack(mixed, tmp_path / name)


def test_a_pack_that_is_interrupted_goes_on(tmp_path: Path, pixels: list[np.ndarray[Any, Any]]) -> None:
    images, path = assortment(tmp_path / "pictures"), tmp_path / "a.egm"
    pack(images, tmp_path / "whole.egm")

    def stop(done: int, total: int) -> None:
        assert total == 7
        if done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(images, path, progress=stop)
    assert not path.exists()
    codecs = begun(path)
    assert codecs is not None
    assert [codec.image_shape for codec in codecs] == [(5, 4, 1), (4, 5, 1), (9, 2, 1)]
    done = pack(images, path, resume=True)
    assert done.images_resumed == 3
    assert path.read_bytes() == (tmp_path / "whole.egm").read_bytes()
    assert not parts_of(path).exists()
    assert begun(path) is None


def begin(folder: Path) -> None:
    """Packs `pictures` to a.egm, and is interrupted when the first canvas is done."""

    def stop(done: int, total: int) -> None:
        if done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(assortment(folder / "pictures"), folder / "a.egm", progress=stop)


def test_resuming_with_other_images(tmp_path: Path, pixels: list[np.ndarray[Any, Any]]) -> None:
    begin(tmp_path)
    (tmp_path / "pictures" / "ape" / "00000.png").rename(tmp_path / "pictures" / "ape" / "0.png")
    with pytest.raises(ResumeMismatch, match=r"00000\.egm was made from other images; pack afresh without --resume"):
        pack(assortment(tmp_path / "pictures"), tmp_path / "a.egm", resume=True)
    write(tmp_path / "others", [(8, 8), (3, 3), (8, 8), (3, 3)])
    with pytest.raises(ResumeMismatch, match=r"a\.egm\.parts was begun with other codecs"):
        pack(assortment(tmp_path / "others"), tmp_path / "a.egm", resume=True)


def test_resuming_when_a_picture_has_changed(tmp_path: Path, pixels: list[np.ndarray[Any, Any]]) -> None:
    """Under its old name, in an archive of the parts that was whole."""
    begin(tmp_path)
    whole = [place.stem for place in parts_of(tmp_path / "a.egm").glob("*.egm")]
    assert whole == ["00000"]
    picture = tmp_path / "pictures" / "ape" / "00000.png"
    kept = picture.read_bytes()
    Image.fromarray(255 - np.asarray(Image.open(picture))).save(picture)
    with pytest.raises(ResumeMismatch, match=r"00000\.egm was made from other images; pack afresh without --resume"):
        pack(assortment(tmp_path / "pictures"), tmp_path / "a.egm", resume=True)
    picture.write_bytes(kept)
    parts_of(tmp_path / "a.egm").joinpath("00000.sha256").unlink()  # killed just before it was written
    assert pack(assortment(tmp_path / "pictures"), tmp_path / "a.egm", resume=True).images_resumed == 0
    with archive.open(tmp_path / "a.egm") as opened:
        assert same(opened[:], pixels)


@pytest.mark.parametrize("name", ["precious.egm", "00000.png", "00001.egm", "x.part", "00000.codec.egm/x"])
def test_a_folder_of_the_users_is_left_alone(name: str, tmp_path: Path, pixels: list[np.ndarray[Any, Any]]) -> None:
    precious = parts_of(tmp_path / "a.egm") / name
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"precious")
    with pytest.raises(OutputExists, match=r"a\.egm\.parts .*holds something else; move it away"):
        pack(assortment(tmp_path / "pictures"), tmp_path / "a.egm")
    assert precious.read_bytes() == b"precious"
    assert not (tmp_path / "a.egm").exists()


def test_damage(mixed: Path, tmp_path: Path, pixels: list[np.ndarray[Any, Any]]) -> None:
    """The second archive's block holds images 1 and 6."""
    with archive.open(mixed) as opened:
        assert isinstance(opened, Mixed)
        member = opened.canvases.members.entries[1]
        offset = member.offset + opened.canvases.archive(1).file.directory.span_of(0)[0]
    data = bytearray(mixed.read_bytes())
    data[offset] ^= 1
    mixed.write_bytes(data)
    report = archive.verify(mixed)
    assert (report.images_lost, report.ok) == (2, False)
    with archive.open(mixed) as opened:
        assert same(opened[[0, 2, 3]], [pixels[0], pixels[2], pixels[3]])
        with pytest.raises(CorruptBlock):
            opened[6]
    done = archive.unpack(mixed, tmp_path / "back", skip_damaged=True)
    assert done.images == 5
    found = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "back").rglob("*.png")}
    assert sorted(found) == ["00000", "00002", "00003", "00004", "00005"]
    assert all(np.array_equal(image, pixels[int(stem)][..., 0]) for stem, image in found.items())


def with_sections(path: Path, order: bytes | None, sizes: bytes | None, wrong: bool = False) -> None:
    """The archive with other sections, whose checksums are right unless they are to be wrong."""
    with archive.open(path) as opened:
        assert isinstance(opened, Mixed)
        found = opened.canvases.members.bundle
    end = found.members[-1].offset + found.members[-1].bytes
    data, boxes = path.read_bytes()[:end], []
    for section in (order, sizes):
        boxes.append(None if section is None else bundle.stored(len(data), section))
        data += section or b""
    if wrong:
        boxes = [box and replace(box, crc32=box.crc32 ^ 1) for box in boxes]
    part = replace(found.parts[0], order=boxes[0], sizes=boxes[1])
    path.write_bytes(data + bundle.emit(replace(found, parts=(part,))))


ORDER, PADDING = bytes([0, 1, 0, 2, 2, 0, 1]), np.zeros((2, 7), "<u2")


@pytest.mark.parametrize(
    ("order", "sizes", "message"),
    [
        (bytes(7), PADDING.tobytes(), "gives an archive another number of images than it has"),
        (bytes([0, 1, 0, 3, 3, 0, 1]), PADDING.tobytes(), "gives an archive another number of images"),
        (ORDER[:6], PADDING.tobytes(), "does not inflate to what it has to be"),
        (ORDER + b"\0", PADDING.tobytes(), "does not inflate to what it has to be"),
        (ORDER, PADDING.tobytes() + b"\0", "does not inflate to what it has to be"),
        (ORDER, (PADDING + 4).tobytes(), "leaves nothing of an image"),
        (ORDER, (PADDING + 65535).tobytes(), "leaves nothing of an image"),
    ],
)
def test_hostile_sections(mixed: Path, order: bytes, sizes: bytes, message: str) -> None:
    with_sections(mixed, zlib.compress(order), zlib.compress(sizes))
    with pytest.raises(bundle.CorruptBundle, match=rf"a\.egm: a section of orders or sizes {message}"):
        archive.open(mixed)


def test_sections_that_are_no_stream(mixed: Path) -> None:
    with_sections(mixed, ORDER, zlib.compress(PADDING.tobytes()))
    with pytest.raises(bundle.CorruptBundle, match="does not inflate"):
        archive.open(mixed)


def test_damaged_sections(mixed: Path) -> None:
    with_sections(mixed, zlib.compress(ORDER), zlib.compress(PADDING.tobytes()), wrong=True)
    with pytest.raises(bundle.CorruptBundle, match=r"a section of orders or sizes is damaged: its checksum is wrong"):
        archive.open(mixed)


def test_the_verb(tmp_path: Path) -> None:
    expected = write(tmp_path / "pictures", 70 * [(9, 8), (8, 9)] + [(3, 20), (7, 7)], 3)
    run = CliRunner().invoke(
        app, ["pack", str(tmp_path / "pictures"), "-o", str(tmp_path / "a.egm"), "--budget", "0", "--json"]
    )
    assert run.exit_code == 0, run.output
    told = json.loads(run.output)
    assert (told["images"], told["sizes"], told["canvases"], told["padded_images"]) == (142, 4, 3, 2)
    assert 0 < told["padding_share"] < 0.05
    with archive.open(tmp_path / "a.egm") as opened:
        assert same(opened[:], expected)
    said = CliRunner().invoke(app, ["pack", str(tmp_path / "pictures"), "-o", str(tmp_path / "b.egm"), "--budget", "0"])
    assert "4 sizes on 3 canvases; 2 images are padded, which is" in said.output
    assert (
        "142 images, of 4 sizes up to 9 x 20 x 3" in CliRunner().invoke(app, ["info", str(tmp_path / "b.egm")]).output
    )
    run = CliRunner().invoke(app, ["get", str(tmp_path / "a.egm"), "140", "-o", str(tmp_path / "i.png")])
    assert run.exit_code == 0
    with Image.open(tmp_path / "i.png") as picture:
        assert picture.size == (20, 3)
    for option in (["--model-apart"], ["--engine", "ray"]):
        run = CliRunner().invoke(app, ["pack", str(tmp_path / "pictures"), "-o", str(tmp_path / "c.egm"), *option])
        assert run.exit_code != 0
        assert not (tmp_path / "c.egm").exists()
