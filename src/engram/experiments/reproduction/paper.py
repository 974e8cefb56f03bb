"""What the paper says, as data: its tables, its claims, and where each stands.

Ao Feng, "Image Compression Using Three Auto-Associative Networks", Australian National University, 2018.
"""

from __future__ import annotations

from typing import NamedTuple

TITLE = "Image Compression Using Three Auto-Associative Networks"
METHODS = {"cnn": "CNN", "ann": "ANN", "tied": "ANN (shared weight)"}
"""The method names of Table 3 by ours."""

COUNTS = {"networks_train": 5_000, "networks_test": 2_000, "classifier_train": 60_000, "classifier_test": 10_000}
"""Images by what they are for (2.1)."""
EPOCHS = 200  # 2.2.1
SNAPSHOT_IMAGES = 64  # Figure 8


class File(NamedTuple):
    """A row of Table 1; the size is printed there as text."""

    name: str
    description: str
    examples: int
    size: str


TABLE_1 = (
    File("train-images-idx3-ubyte.gz", "Training set images", 60_000, "25 MBytes"),
    File("train-labels-idx1-ubyte.gz", "Training set labels", 60_000, "140 Bytes"),
    File("t10k-images-idx3-ubyte.gz", "Test set images", 10_000, "4.2 MBytes"),
    File("t10k-labels-idx1-ubyte.gz", "Test set labels", 10_000, "92 Bytes"),
)


class ClassifierEpoch(NamedTuple):
    """A row of Table 2; accuracy from 0 to 1."""

    epoch: int
    loss: float
    accuracy: float


TABLE_2 = (
    ClassifierEpoch(1, 0.852438, 0.71),
    ClassifierEpoch(5, 0.606686, 0.79),
    ClassifierEpoch(10, 0.509882, 0.82),
    ClassifierEpoch(15, 0.422064, 0.84),
    ClassifierEpoch(20, 0.431602, 0.85),
)


class MethodResult(NamedTuple):
    """A row of Table 3; the unit of the loss is not given in the paper."""

    loss: float
    accuracy: float
    seconds: float


TABLE_3 = {
    "cnn": MethodResult(0.4968, 0.81, 622.595228),
    "ann": MethodResult(0.7037, 0.73, 597.469302),
    "tied": MethodResult(0.8070, 0.70, 584.928798),
}
