from __future__ import annotations

import json
import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import engram
from engram import archive as archives
from engram.archive.errors import ArchiveChanged, CorruptBlock, ManySizes
from engram.archive.sharding import shard
from engram.codecs.raw import Raw
from engram.errors import UsageError
from engram.images import ImageSet
from engram.integrations.dataset import ArchiveDataset

Write = Callable[..., tuple[Path, ImageSet]]
BLOCK_BYTES = 8 * 4 * 3
MEMORIES = (1 << 30, 2 * BLOCK_BYTES, 1, 0)
"""All is kept; two blocks are; none is."""


def expected(images: ImageSet, row: int) -> torch.Tensor:
    return torch.tensor(images.images[row]).permute(2, 0, 1).to(torch.float32) / 255


@pytest.mark.parametrize("memory_bytes", MEMORIES)
@pytest.mark.parametrize("count", [0, 1, 8, 50])
def test_each_image_and_its_label(write: Write, count: int, memory_bytes: int) -> None:
    path, images = write(count)
    dataset = ArchiveDataset(path, memory_bytes=memory_bytes)
    assert len(dataset) == count
    assert images.labels is not None
    for row in range(count):
        image, label = dataset[row]
        assert torch.equal(image, expected(images, row))
        assert type(label) is int
        assert label == images.labels[row]
    for outside in (count, -count - 1):
        with pytest.raises(IndexError, match="out of bounds"):
            dataset[outside]
    whole, labels = dataset[:]
    assert whole.shape == (count, 1, 4, 3)
    assert labels.tolist() == images.labels.tolist()


@given(rows=st.lists(st.integers(-50, 49), max_size=70), memory_bytes=st.sampled_from(MEMORIES))
def test_any_order_is_the_archives(small: tuple[Path, ImageSet], rows: list[int], memory_bytes: int) -> None:
    path, images = small
    assert images.labels is not None
    dataset = ArchiveDataset(path, dtype=torch.uint8, memory_bytes=memory_bytes)
    for _ in range(2):
        batch, labels = dataset[rows]
        assert batch.dtype == torch.uint8
        assert np.array_equal(batch.permute(0, 2, 3, 1).numpy(), images.images[rows])
        assert labels.tolist() == images.labels[rows].tolist()
        assert labels.dtype == torch.int64
        examples = dataset.__getitems__(rows)
        assert [label for _, label in examples] == labels.tolist()
        assert all(torch.equal(image, other) for (image, _), other in zip(examples, batch, strict=True))


def test_it_is_indexed_as_an_archive_is(small: tuple[Path, ImageSet]) -> None:
    path, images = small
    dataset = ArchiveDataset(path, dtype=torch.uint8)
    mask = np.arange(50) % 7 == 0
    for index in (slice(3, 40, 5), slice(None, None, -1), mask, np.array([4, 4]), torch.tensor([1, -1]), []):
        assert np.array_equal(dataset[index][0].permute(0, 2, 3, 1).numpy(), images.images[index])
    with pytest.raises(IndexError, match="by a list of indices, not by an array of 2 dimensions"):
        dataset[np.zeros((2, 2), int)]
    with pytest.raises(IndexError):
        dataset["0"]
    with pytest.raises(IndexError):
        dataset.__getitems__([0, 50])


def test_without_labels_images_come_alone(write: Write) -> None:
    path, images = write(9, (4, 3, 3), labels=False)
    dataset = ArchiveDataset(path)
    assert torch.equal(dataset[4], expected(images, 4))
    assert dataset[2:5].shape == (3, 3, 4, 3)
    [first, second] = DataLoader(dataset, batch_size=5)
    assert (first.shape, second.shape) == ((5, 3, 4, 3), (4, 3, 4, 3))


def test_what_a_transform_makes_is_the_image(small: tuple[Path, ImageSet]) -> None:
    path, images = small
    dataset = ArchiveDataset(path, transform=lambda image: {"sum": image.sum(), "size": tuple(image.shape)})
    image, _ = dataset[3]
    assert image["size"] == (1, 4, 3)
    assert torch.equal(dataset[[3, 4]][0]["sum"], torch.stack([expected(images, row).sum() for row in (3, 4)]))
    batch, _ = next(iter(DataLoader(dataset, batch_size=50)))
    assert torch.equal(batch["sum"], dataset[:][0]["sum"])


@pytest.mark.parametrize("memory_bytes", MEMORIES)
@pytest.mark.parametrize("shape", [(300, 20, 1), (20, 18, 4)])
def test_tiles_and_layers_are_put_together(shape: tuple[int, int, int], memory_bytes: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, *shape), np.uint8)
    engram.pack(pixels, tmp_path / "a.egm", budget=0, block_size=4)
    dataset = ArchiveDataset(tmp_path / "a.egm", dtype=torch.uint8, memory_bytes=memory_bytes)
    assert np.array_equal(dataset[[7, 0]].permute(0, 2, 3, 1).numpy(), pixels[[7, 0]])
    assert np.array_equal(torch.cat(list(dataset.loader(4))).permute(0, 2, 3, 1).numpy(), pixels)
    shuffled = torch.cat(list(dataset.loader(4, shuffle=True))).permute(0, 2, 3, 1).numpy()
    assert sorted(each.tobytes() for each in shuffled) == sorted(each.tobytes() for each in pixels)


@pytest.mark.parametrize("memory_bytes", MEMORIES)
def test_16_bits_are_floats(memory_bytes: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (20, 4, 3, 1), np.uint16)
    engram.pack(pixels, tmp_path / "a.egm", budget=0, block_size=8)
    found = ArchiveDataset(tmp_path / "a.egm", memory_bytes=memory_bytes)[[11, 3]]
    assert np.array_equal(found.mul(65535).round().permute(0, 2, 3, 1).numpy(), pixels[[11, 3]])
    with pytest.raises(UsageError, match=r"has images of 16 bits, which are given as torch\.float32"):
        ArchiveDataset(tmp_path / "a.egm", dtype=torch.uint8)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """An archive of gray and RGB pictures of many sizes, and the pictures."""
    draw = np.random.default_rng(0)
    pictures = [draw.integers(0, 256, (5 + n % 3, 9 - n % 4, 1 + n % 2 * 2), np.uint8) for n in range(40)]
    path = tmp_path_factory.mktemp("mixed") / "a.egm"
    table = [{"image": each, "label": "ab"[n % 2], "age": n} for n, each in enumerate(pictures)]
    engram.pack(table, path, budget=0, block_size=8)
    return path, pictures


def tensor(picture: Any) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)


def padded(image: torch.Tensor) -> torch.Tensor:
    """An image on 3 x 8 x 10."""
    found = torch.zeros((3, 8, 10), dtype=image.dtype)
    found[:, : image.shape[1], : image.shape[2]] = image
    return found


@pytest.mark.parametrize("memory_bytes", [1 << 30, 0])
def test_images_of_many_sizes_have_their_own(mixed: tuple[Path, list[Any]], memory_bytes: int) -> None:
    path, pictures = mixed
    dataset = ArchiveDataset(path, dtype=torch.uint8, memory_bytes=memory_bytes)
    assert dataset.in_memory == bool(memory_bytes)
    for row in (0, 7, -1):
        image, label = dataset[row]
        assert torch.equal(image, tensor(pictures[row]))
        assert label == row % 2
    image.zero_()  # what is given is a copy
    assert torch.equal(dataset[-1][0], tensor(pictures[-1]))
    assert torch.equal(ArchiveDataset(path, memory_bytes=memory_bytes)[7][0], tensor(pictures[7]) / 255)
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[3][0], tensor(pictures[3]))
    alone = [image for image, _ in DataLoader(dataset, batch_size=None)]
    assert all(torch.equal(image, tensor(picture)) for image, picture in zip(alone, pictures, strict=True))
    own = DataLoader(dataset, batch_size=20, collate_fn=list)
    assert [tuple(image.shape) for batch in own for image, _ in batch] == [tensor(each).shape for each in pictures]


@pytest.mark.parametrize("memory_bytes", [1 << 30, 0])
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_batches_of_many_sizes(mixed: tuple[Path, list[Any]], memory_bytes: int, workers: int) -> None:
    path, pictures = mixed
    options: dict[str, Any] = {"dtype": torch.uint8, "memory_bytes": memory_bytes}
    loader = ArchiveDataset(path, transform=padded, **options).loader(16, num_workers=workers)
    whole = torch.stack([padded(tensor(picture)) for picture in pictures])
    assert torch.equal(torch.cat([images for images, _ in loader]), whole)
    plain = ArchiveDataset(path, **options)
    lists = list(plain.loader(16, shuffle=True, num_workers=workers, collate_fn=list))
    assert [len(batch) for batch in lists] == [16, 16, 8]
    assert sorted(image.numel() for batch in lists for image, _ in batch) == sorted(each.size for each in pictures)
    for wrong in (lambda: plain[:2], lambda: next(iter(plain.loader(2)))):
        with pytest.raises(ManySizes, match=r"^images of \[1, 5, 9\] and \[3, 6, 8\] make no batch: give transform="):
            wrong()
    assert plain[[0, 12]][0].shape == (2, 1, 5, 9)


@pytest.mark.parametrize("memory_bytes", MEMORIES)
def test_a_selection_of_an_archive(write: Write, mixed: tuple[Path, list[Any]], memory_bytes: int) -> None:
    path, images = write(77)
    assert images.labels is not None
    rows = np.flatnonzero(images.labels == 1)
    with engram.open(path) as archive:
        for given, wanted in ((archive.where(label="b"), rows), (archive, np.arange(77))):
            dataset = ArchiveDataset(given, dtype=torch.uint8, memory_bytes=memory_bytes)
            assert len(dataset) == len(wanted)
            assert np.array_equal(dataset[:][0].permute(0, 2, 3, 1).numpy(), images.images[wanted])
            assert dataset[3][1] == images.labels[wanted[3]]
            again = pickle.loads(pickle.dumps(dataset))
            assert torch.equal(again[[5, 1]][0], dataset[[5, 1]][0])
            pixels = torch.cat([some for some, _ in dataset.loader(4, shuffle=True)])
            assert sorted(each.numpy().tobytes() for each in pixels) == sorted(
                each.tobytes() for each in images.images[wanted]
            )
        with pytest.raises(UsageError, match="an archive that is open has its model"):
            ArchiveDataset(archive, path)
    with engram.open(mixed[0]) as archive:
        some = ArchiveDataset(archive.where(age=[3, 5, 6]), memory_bytes=memory_bytes)
        assert [tuple(some[row][0].shape) for row in range(3)] == [tensor(mixed[1][row]).shape for row in (3, 5, 6)]


def test_a_block_of_a_selection_is_decoded_once_an_epoch(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = write(77)
    decoded: list[int] = []
    original = Raw.decode
    with engram.open(path) as archive:
        dataset = ArchiveDataset(archive.where(label="b"), memory_bytes=2 * BLOCK_BYTES)
        monkeypatch.setattr(Raw, "decode", lambda *given: decoded.append(1) or original(*given))
        list(dataset.loader(1, shuffle=True))
        assert len(decoded) == len(set(archive.block_of(archive.where(label="b").rows).tolist()))


def test_another_dtype_is_refused(small: tuple[Path, ImageSet]) -> None:
    with pytest.raises(UsageError, match=r"^images are given as torch\.float32 or torch\.uint8, not torch\.float64$"):
        ArchiveDataset(small[0], dtype=torch.float64)


def collected(loader: Any) -> tuple[torch.Tensor, list[int]]:
    batches = list(loader)
    return torch.cat([images for images, _ in batches]), [label for _, labels in batches for label in labels.tolist()]


def same_images(found: torch.Tensor, images: ImageSet) -> bool:
    def ordered(pixels: Any) -> list[bytes]:
        return sorted(pixel.tobytes() for pixel in pixels)

    return ordered(found.mul(255).round().to(torch.uint8).numpy()) == ordered(images.images)


@pytest.mark.parametrize("memory_bytes", MEMORIES)
def test_a_loader_gives_each_image_once_an_epoch(small: tuple[Path, ImageSet], memory_bytes: int) -> None:
    path, images = small
    loader = ArchiveDataset(path, memory_bytes=memory_bytes).loader(12, shuffle=True)
    first, second = collected(loader), collected(loader)
    assert same_images(first[0], images)
    assert same_images(second[0], images)
    assert first[1] != second[1]
    assert len(loader) == 5
    again = ArchiveDataset(path, memory_bytes=memory_bytes).loader(12, shuffle=True)
    assert torch.equal(collected(again)[0], first[0])
    in_order, _ = collected(ArchiveDataset(path, memory_bytes=memory_bytes).loader(12))
    assert torch.equal(in_order, torch.stack([expected(images, row) for row in range(50)]))


def test_each_block_is_decoded_once_an_epoch(small: tuple[Path, ImageSet], monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    original = Raw.decode
    monkeypatch.setattr(Raw, "decode", lambda *given: decoded.append(1) or original(*given))
    whole = ArchiveDataset(small[0])
    assert len(decoded) == 7
    assert whole.in_memory
    for dataset, times in ((whole, 0), (ArchiveDataset(small[0], memory_bytes=3 * BLOCK_BYTES), 7)):
        loader = dataset.loader(4, shuffle=True)
        decoded.clear()
        collected(loader)
        assert len(decoded) == times


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize("memory_bytes", [1 << 30, 4 * BLOCK_BYTES])
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_workers_read_the_same(small: tuple[Path, ImageSet], context: str, memory_bytes: int) -> None:
    path, images = small
    options: dict[str, Any] = {"num_workers": 2, "multiprocessing_context": context, "persistent_workers": True}
    dataset = ArchiveDataset(path, memory_bytes=memory_bytes)
    loader = dataset.loader(6, shuffle=True, **options)
    epochs = [collected(loader) for _ in range(2)]
    assert all(same_images(found, images) for found, _ in epochs)
    assert epochs[0][1] != epochs[1][1]
    if context == "fork":
        plain = collected(DataLoader(dataset, batch_size=6, shuffle=True, **options))
        assert same_images(plain[0], images)


def test_workers_share_the_pixels(small: tuple[Path, ImageSet]) -> None:
    """A spawned process sees what changes here, so it has no pixels of its own."""
    dataset = ArchiveDataset(small[0], dtype=torch.uint8)
    assert dataset._pixels is not None
    dataset._pixels.fill_(77)
    [(found, _)] = dataset.loader(50, num_workers=1, multiprocessing_context=multiprocessing.get_context("spawn"))
    assert (found == 77).all()


def test_where_nothing_can_be_shared_each_process_has_its_own(
    small: tuple[Path, ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pixels: torch.Tensor) -> None:
        raise RuntimeError("unable to allocate shared memory(shm)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    path, images = small
    assert same_images(collected(ArchiveDataset(path).loader(20))[0], images)


@pytest.mark.parametrize("memory_bytes", MEMORIES)
def test_it_pickles_as_a_path(write: Write, memory_bytes: int) -> None:
    path, images = write(600)
    dataset = ArchiveDataset(path, memory_bytes=memory_bytes)
    dataset[:]
    text = pickle.dumps(dataset)
    assert len(text) < 6000 + len(str(path))
    again = pickle.loads(text)
    assert all(torch.equal(found, other) for found, other in zip(again[:], dataset[:], strict=True))
    archives.pack(images[::2], Raw((4, 3, 1)), path, force=True)
    with pytest.raises(ArchiveChanged, match="is not the archive that was pickled"):
        pickle.loads(text)


@pytest.mark.parametrize("memory_bytes", MEMORIES)
def test_damage_is_named(write: Write, memory_bytes: int) -> None:
    path, _ = write(20)
    data = bytearray(path.read_bytes())
    with engram.open(path) as archive:
        data[archive.segment(0).span(1)[0] + 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptBlock, match=r"block 1 \(images 8 to 15\) is damaged") as caught:
        ArchiveDataset(path, memory_bytes=memory_bytes)[[0, 9]]
    assert (caught.value.first, caught.value.stop) == (8, 16)


def test_how_far_decoding_is(small: tuple[Path, ImageSet]) -> None:
    seen: list[tuple[int, int]] = []
    ArchiveDataset(small[0], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (50, 50)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("memory_bytes", [1 << 30, 2 * BLOCK_BYTES])
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_an_epoch_goes_on_after_the_last_batch_that_was_given(
    small: tuple[Path, ImageSet], workers: int, memory_bytes: int
) -> None:
    """However far ahead the workers have read."""
    dataset = ArchiveDataset(small[0], memory_bytes=memory_bytes)
    options: dict[str, Any] = {"shuffle": True, "seed": 3, "num_workers": workers}
    whole = dataset.loader(4, **options)
    epochs = [[batch[0].tolist() for batch in whole] for _ in range(3)]
    assert whole.state_dict()["epoch"] == 3
    stopped = dataset.loader(4, **options)
    for _ in stopped:
        pass
    for _, _ in zip(range(5), stopped, strict=False):
        pass
    state = stopped.state_dict()
    assert (state["epoch"], state["position"]) == (1, 5)
    resumed = dataset.loader(4, **options)
    resumed.load_state_dict(json.loads(json.dumps(state)))
    assert resumed.state_dict() == state
    assert [batch[0].tolist() for batch in resumed] == epochs[1][5:]
    assert [batch[0].tolist() for batch in resumed] == epochs[2]


@pytest.mark.parametrize("memory_bytes", MEMORIES)
def test_a_shard_set_and_ranks(write: Write, tmp_path: Path, memory_bytes: int) -> None:
    path, images = write(77)
    assert images.labels is not None
    shard([path], tmp_path / "set", images=24)
    datasets = [ArchiveDataset(tmp_path / "set", memory_bytes=memory_bytes) for _ in range(3)]
    loaders = [each.loader(5, shuffle=True, rank=rank, world=3) for rank, each in enumerate(datasets)]
    found = [collected(loader) for loader in loaders]
    assert same_images(torch.cat([pixels for pixels, _ in found]), images)
    assert sorted(label for _, labels in found for label in labels) == sorted(images.labels.tolist())
    assert torch.equal(datasets[0][76][0], expected(images, 76))
