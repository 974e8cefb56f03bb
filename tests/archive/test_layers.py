"""Kinds: pictures with alpha and of 16 bits are layers, each coded as gray or RGB, and every value comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawing import coder_of, flip_block, pack_pictures, picture

from engram import archive
from engram.archive import Coder, shipped, source
from engram.archive.errors import CorruptBlock, ManySizes
from engram.codecs.frozen import Frozen
from engram.codecs.raw import Raw
from engram.errors import CorruptData, UsageError
from engram.images import ImageSet
from engram.kinds import KINDS, AnyPixels, kind_of


def pictures(kind: str, count: int = 20) -> AnyPixels:
    return np.stack([picture(6, 5, kind, seed) for seed in range(count)])


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_put_together_again(kind: str) -> None:
    whole = pictures(kind)
    layers = KINDS[kind].split(whole)
    assert [layer.shape for layer in layers] == [(20, 6, 5, channels) for channels in KINDS[kind].layers]
    assert {layer.dtype.name for layer in layers} == {"uint8"}
    again = KINDS[kind].join(layers)
    assert (again.dtype, np.array_equal(again, whole)) == (whole.dtype, True)
    assert kind_of(whole) is KINDS[kind]


@pytest.mark.parametrize("pixels", [np.zeros((2, 2, 5), np.uint8), np.zeros((2, 2, 2), np.uint16), np.zeros((2, 2, 1))])
def test_pixels_of_no_kind(pixels: AnyPixels) -> None:
    with pytest.raises(UsageError, match="pixels are uint8 with 1 to 4 channels, or uint16 with 1 or 3, not"):
        kind_of(pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back(tmp_path: Path, kind: str) -> None:
    path, whole = tmp_path / "a.egm", pictures(kind)
    archive.pack(ImageSet(whole), coder_of((6, 5), kind), path, block_size=8)
    with archive.open(path) as opened:
        assert (opened.kind, opened.image_shape) == (KINDS[kind], (6, 5, KINDS[kind].channels))
        assert (opened.is_plain, opened.kinds_of(opened.rows)) == (True, [KINDS[kind]] * 20)
        assert opened[7].dtype == opened[:].dtype == whole.dtype
        assert all(np.array_equal(opened[row], whole[row]) for row in range(20))
        assert np.array_equal(opened[[19, 3, 3]], whole[[19, 3, 3]])
        assert np.array_equal(np.concatenate([some for _, some in opened.batches()]), whole)
        assert [group.kind for group in opened.info.groups] == [kind]
    assert archive.verify(path).ok
    found = source.collection(path)
    [group] = found.groups()
    archive.pack_collection(found, [group], [coder_of((6, 5), kind)], tmp_path / "b.egm", block_size=8)
    assert (tmp_path / "b.egm").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["gray-alpha", "rgba", "gray16"])
def test_layers_are_coded_by_a_model_each(tmp_path: Path, kind: str) -> None:
    names = ["generic-gray" if channels == 1 else "generic-rgb" for channels in KINDS[kind].layers]
    codecs = [shipped.load(n, (6, 5, c)) for n, c in zip(names, KINDS[kind].layers, strict=True)]
    whole = pictures(kind, 3)
    archive.pack(ImageSet(whole), Coder(KINDS[kind], tuple(codecs)), tmp_path / "a.egm")
    archive.pack(ImageSet(whole), Coder(KINDS[kind], tuple(codecs)), tmp_path / "b.egm", embed_model=False)
    for name, embedded in (("a.egm", True), ("b.egm", False)):
        with archive.open(tmp_path / name) as opened:
            assert np.array_equal(opened[:], whole)
            assert len(opened.info.models) == len(set(names))
            assert opened.info.model_embedded == embedded
            assert opened.info.model_bytes == sum({len(codec.model): len(codec.model) for codec in codecs})
            with pytest.raises(ManySizes, match="several codecs"):
                _ = opened.codec


def test_all_kinds_in_one_archive(tmp_path: Path) -> None:
    given = [picture(6, 5, kind, seed) for seed in range(3) for kind in KINDS]
    pack_pictures(given, tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        assert all(map(np.array_equal, opened[:], given))
        assert [image.dtype for image in opened] == [image.dtype for image in given]
        assert [kind.name for kind in opened.kinds_of(np.array([7, 0, 5]))] == ["gray-alpha", "gray", "rgb16"]
        assert opened.sizes.tolist() == [[6, 5]] * 18
        with pytest.raises(ManySizes, match=r"has pictures of 6 kinds \(gray, gray-alpha, gray16, rgb, rgb16, rgba\)"):
            _ = opened.kind
        with pytest.raises(ManySizes, match="has pictures of many sizes"):
            _ = opened.image_shape


@pytest.mark.parametrize("kind", ["gray-alpha", "gray16"])
def test_damage_in_one_layer_costs_the_block(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.egm"
    archive.pack(ImageSet(pictures(kind)), coder_of((6, 5), kind), path, block_size=8)
    flip_block(path, 1)
    assert [(block.first, block.stop) for block in archive.verify(path).damaged_blocks] == [(8, 16)]
    with archive.open(path) as opened, pytest.raises(CorruptBlock, match=r"images 8 to 15"):
        opened[8]


def test_a_coder_takes_codecs_of_its_layers() -> None:
    for kind, shapes in (("rgba", [(6, 5, 3)]), ("rgba", [(6, 5, 1), (6, 5, 3)]), ("gray16", [(6, 5, 1), (5, 6, 1)])):
        with pytest.raises(UsageError, match=rf"{kind} pictures need codecs of \("):
            Coder(KINDS[kind], tuple(map(Raw, shapes)))
    coder = coder_of((6, 5), "gray16")
    for cells in (pictures("gray"), picture(5, 6, "gray16")[None]):
        with pytest.raises(UsageError, match=r"takes images of uint16\[n, 6, 5, 1\], not"):
            coder.check(cells)


def test_what_a_coder_promises(lossy: Frozen) -> None:
    assert (coder_of((6, 5), "rgba").lossless, coder_of((6, 5), "rgba").max_error) == (True, 0)
    mixed = Coder(KINDS["gray-alpha"], (Raw((4, 3, 1)), lossy))
    assert (mixed.lossless, mixed.max_error, mixed.can_encode) == (False, None, True)
    assert not Coder(KINDS["gray-alpha"], (Raw((4, 3, 1)), Frozen(lossy.synthesis))).can_encode


@pytest.mark.parametrize("size", [0, 3, 4, 40])
def test_a_block_that_ends_before_its_layers(size: int) -> None:
    coder = coder_of((6, 5), "gray-alpha")
    [data] = coder.encode_many([pictures("gray-alpha")])
    for ask in (
        lambda: coder.decode_some([(data[:size], 20, np.arange(20))]),
        lambda: coder.decode_one(data[:size], 20, 0),
    ):
        with pytest.raises(CorruptData, match=r"a block ends (before its layers|within a layer)"):
            ask()
