"""How each method is trained: what the paper says, and what it leaves open and we chose.

The paper gives 200 epochs, mean squared error, Adam for `cnn` and plain SGD for `ann` and `tied` (2.2.1 to 2.2.3), and
20 epochs for the classifier (2.3). Ours are:

* batches of 64 images for all, the usual size of its year;
* `cnn`: learning rate 0.001 for Adam, the best among 0.001, 0.003 and 0.01 on a validation split of the training set
  (LOG.md);
* `ann`, `tied`: learning rate 100 on the *mean* over the pixels of the squared error, 100 / 784 = 0.13 on their sum;
  the best on that split among 1, 10, 50, 100 and 200. With learning rate 1 two hundred epochs end far from
  convergence, and the paper's ranking of the methods turns on that choice;
* the classifier: plain SGD with learning rate 0.01, whose accuracies follow the published ones (Table 2) within three
  points;
* weights start uniform in +-1 / sqrt(inputs); every output is a sigmoid, since pixels lie in [0, 1];
* what the paper only names (`sparse`, `bidirectional`, `deep`, `stacked`) has the best of a few settings on that split,
  within a minute or two of one core for 60,000 images (LOG.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engram.datasets import noise as noises
from engram.datasets.noise import Noise
from engram.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """Settings of one training.

    learning_rate refers to the mean of the loss over a batch (and over the pixels). optimiser "muon", for pixel codes,
    is Muon (Jordan et al., 2024) for the matrices of hidden layers, and Adam at a tenth of its rate for the rest.
    precision "bfloat16" lets matrix products round their factors to bfloat16 where the processor is faster for it;
    weights, sums and everything else stay float32. initial_scale multiplies the weights that the network starts from.
    task_weight is how many bits an image a spatial code gives to spare its task network one nat. With noise, an
    auto-associative network learns to return the clean image of a noisy one, with fresh noise in each epoch.
    """

    epochs: int
    optimiser: Literal["sgd", "adam", "muon"]
    learning_rate: float
    momentum: float = 0.0
    batch_size: int = 64
    precision: Literal["float32", "bfloat16"] = "float32"
    initial_scale: float = 1.0
    task_weight: float = 0.0
    noise: Noise | None = None
    noise_strength: float | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0 or not 0 <= self.momentum < 1:
            raise UsageError(
                f"a recipe needs epochs >= 1, batch size >= 1, learning rate > 0 and 0 <= momentum < 1, not {self}"
            )
        if self.optimiser not in ("sgd", "adam", "muon"):
            raise UsageError(f"there is no optimiser {self.optimiser!r}; there are sgd, adam and muon")
        if self.precision not in ("float32", "bfloat16"):
            raise UsageError(f"there is no precision {self.precision!r}; there are float32 and bfloat16")
        if self.noise is None and self.noise_strength is not None:
            raise UsageError(f"a noise strength of {self.noise_strength} takes a noise: gaussian, for example")
        if self.noise is not None:
            if self.noise_strength is None:
                object.__setattr__(self, "noise_strength", noises.STRENGTHS.get(self.noise, 0.0))
            noises.check(self.noise, self.noise_strength or 0.0)
        if not self.task_weight >= 0:
            raise UsageError(f"a task's weight is 0 or more, not {self.task_weight}")


RECIPES = {
    "cnn": Recipe(epochs=200, optimiser="adam", learning_rate=1e-3),
    "ann": Recipe(epochs=200, optimiser="sgd", learning_rate=100.0, precision="bfloat16"),
    "tied": Recipe(epochs=200, optimiser="sgd", learning_rate=100.0, precision="bfloat16"),
    "sparse": Recipe(epochs=40, optimiser="adam", learning_rate=3e-3, precision="bfloat16"),
    "bidirectional": Recipe(epochs=40, optimiser="adam", learning_rate=3e-3, precision="bfloat16"),
    "deep": Recipe(epochs=20, optimiser="adam", learning_rate=1e-3, batch_size=256, precision="bfloat16"),
    "stacked": Recipe(epochs=10, optimiser="adam", learning_rate=2e-3),
    "classifier": Recipe(epochs=20, optimiser="sgd", learning_rate=0.01),
    "judge": Recipe(epochs=16, optimiser="sgd", learning_rate=0.1, momentum=0.9, batch_size=256, precision="bfloat16"),
    "spatial": Recipe(epochs=40, optimiser="adam", learning_rate=3e-3, precision="bfloat16"),
    "pixel": Recipe(epochs=60, optimiser="muon", learning_rate=2e-2, batch_size=256, precision="bfloat16"),
    "restoration": Recipe(epochs=16, optimiser="adam", learning_rate=3e-3, precision="bfloat16"),
}
"""The recipe of each method: in the paper's reproduction, and of ours."""
