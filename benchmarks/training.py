"""Our training loop against the obvious one, and against the machine's matrix product: `make bench-training`.

The obvious loop is the tutorials': a Dataset of JPG files that decodes one at a time, a DataLoader that shuffles and
collates them, modules in a row, zero_grad, forward, loss, backward, step. Both loops train the same layers by the same
recipe on the same images in the same process, one after the other; every figure is the median over the repetitions
with the lowest and highest. A fully connected network's step is five products of batch x 784 x 400; their rate is held
against that of one product of two 2048 x 2048 matrices in float32, measured beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from engram.datasets import folders, source
from engram.images import ImageSet
from engram.networks.registry import make
from engram.training.loop import train
from engram.training.recipe import RECIPES, Recipe

PRODUCTS = 5  # forward two; backward to the code one; two weights
SIDE = 2048


class JpgFolder(Dataset[torch.Tensor]):
    """The obvious data set: opens and decodes a file each time it is asked for one."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.rglob("*.jpg"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as picture:
            return torch.from_numpy(np.array(picture)).float().div(255).unsqueeze(0)


class ObviousTied(nn.Module):
    """Weight sharing as one writes it first."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(784, 400).weight.detach().clone())
        self.code_bias = nn.Parameter(torch.zeros(400))
        self.output_bias = nn.Parameter(torch.zeros(784))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        code = torch.sigmoid(functional.linear(images.flatten(1), self.weight, self.code_bias))
        output = torch.sigmoid(functional.linear(code, self.weight.t(), self.output_bias))
        return output.view(-1, 1, 28, 28)


def obvious_network(method: str) -> nn.Module:
    """The method's layers, one module after the other."""
    if method == "tied":
        return ObviousTied()
    if method == "ann":
        dense = nn.Linear(784, 400), nn.Sigmoid(), nn.Linear(400, 784), nn.Sigmoid()
        return nn.Sequential(nn.Flatten(), *dense, nn.Unflatten(1, (1, 28, 28)))
    return nn.Sequential(
        nn.Conv2d(1, 25, 3, stride=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(25, 10, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, stride=1),
        nn.ConvTranspose2d(10, 25, 3, stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(25, 10, 3, stride=3),
        nn.ReLU(),
        nn.ConvTranspose2d(10, 1, 2, stride=2, padding=1),
        nn.Sigmoid(),
    )


def obvious_seconds(method: str, folder: Path, workers: int) -> float:
    """Seconds of one epoch of the tutorials' loop."""
    network, recipe = obvious_network(method), RECIPES[method]
    optimiser: torch.optim.Optimizer
    if recipe.optimiser == "adam":
        optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    else:
        optimiser = torch.optim.SGD(network.parameters(), lr=recipe.learning_rate)
    loader = DataLoader(JpgFolder(folder), batch_size=recipe.batch_size, shuffle=True, num_workers=workers)
    criterion = torch.nn.MSELoss()
    started, total = time.perf_counter(), 0.0
    for batch in loader:
        optimiser.zero_grad()
        loss = criterion(network(batch), batch)
        loss.backward()
        optimiser.step()
        total += loss.item()
    return time.perf_counter() - started


def our_seconds(method: str, images: ImageSet, recipe: Recipe, epochs: int) -> float:
    """Seconds of the median epoch of our loop."""
    network = make(method, (28, 28, 1))
    return statistics.median(train(network, images, replace(recipe, epochs=epochs), 0).seconds)


def peak_gflops() -> float:
    """Billions of operations a second of one large float32 matrix product, the best of several."""
    a, b, out = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE), torch.empty(SIDE, SIDE)
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        torch.mm(a, b, out=out)
        seconds.append(time.perf_counter() - started)
    return 2 * SIDE**3 / min(seconds) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="wardrobe:train", help="DATA of 28 x 28 gray images")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=10, help="of our loop, in each repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    loaded = source.load(options.data)
    images = (loaded.split("train") if "train" in loaded.splits else loaded)[: options.images]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "jpg"
        folders.save(images, folder)
        for threads in options.threads:
            torch.set_num_threads(threads)
            for _ in range(options.repetitions):
                peak = peak_gflops()
                for method in ("cnn", "ann", "tied"):
                    row = {"threads": threads, "method": method, "peak_gflops": peak}
                    for precision in ("float32",) if method == "cnn" else ("float32", "bfloat16"):
                        recipe = replace(RECIPES[method], precision=precision)
                        row[precision] = our_seconds(method, images, recipe, options.epochs)
                    row["obvious"] = obvious_seconds(method, folder, 0)
                    row["obvious, 2 loading processes"] = obvious_seconds(method, folder, 2)
                    rows.append(row)
    table(rows, len(images), as_json=options.json)


def table(rows: list[dict[str, float]], images: int, *, as_json: bool) -> None:
    """Print medians with the lowest and highest."""

    def show(values: list[float], digits: int = 2) -> str:
        return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"

    if as_json:
        print(json.dumps(rows))
        return
    for threads in dict.fromkeys(row["threads"] for row in rows):
        print(f"\n{threads} thread(s), {images:,} images, seconds of an epoch and ratios to ours")
        for method in ("cnn", "ann", "tied"):
            of = [row for row in rows if row["threads"] == threads and row["method"] == method]
            for precision in ("float32", "bfloat16"):
                if precision not in of[0]:
                    continue
                line = f"  {method:5} {precision:9} {show([row[precision] for row in of], 3)} s"
                for rival in ("obvious", "obvious, 2 loading processes"):
                    line += f"; {rival} x {show([row[rival] / row[precision] for row in of], 1)}"
                if method != "cnn":
                    work = PRODUCTS * 2 * 784 * 400 * images / 1e9
                    shares = [work / row[precision] / row["peak_gflops"] for row in of]
                    line += f"; of the float32 peak {show(shares)}"
                print(line)
        ratios = [
            tied["float32"] / ann["float32"]
            for ann, tied in zip(
                (row for row in rows if row["threads"] == threads and row["method"] == "ann"),
                (row for row in rows if row["threads"] == threads and row["method"] == "tied"),
                strict=True,
            )
        ]
        print(f"  tied / ann, float32: {show(ratios)}")


if __name__ == "__main__":
    main()
