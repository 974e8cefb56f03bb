"""What `test_distributed.py` runs with torchrun: `laws FOLDER`, or engram's `train ...` with a rank that dies."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from engram.datasets import wardrobe
from engram.errors import EngramError
from engram.images import ImageSet
from engram.models import Model
from engram.training import checkpoint, steps
from engram.training.distributed import World, joined
from engram.training.fit import fit
from engram.training.quantised import fit_quantised

IMAGES = wardrobe.draw(33, 0)
"""In batches of 8, the last has fewer images than there may be ranks."""
PIXEL = {"hidden": (8,), "components": 2, "radius": 2, "knots": 4}
METHODS: dict[str, dict] = {
    "cnn": {},
    "ann": {"options": {"hidden": 9}, "learning_rate": 10.0, "precision": "float32"},
    "ann, adam": {"options": {"hidden": 9}, "optimiser": "adam", "learning_rate": 1e-3, "precision": "float32"},
    "tied": {"options": {"hidden": 9}, "learning_rate": 10.0, "precision": "float32"},
    "sparse": {"options": {"hidden": 9}, "precision": "float32"},
    "bidirectional": {"options": {"hidden": 9}, "precision": "float32"},
    "deep": {"options": {"widths": [20, 8]}, "precision": "float32"},
    "deep, noise": {"options": {"widths": [20, 8]}, "precision": "float32", "noise": "gaussian"},
    "stacked": {},
    "classifier": {},
    # One step: a batch norm divides by deviations near 0, which makes a processor's rounding larger from step to step.
    "judge": {"precision": "float32", "options": {"widths": [4, 8]}, "epochs": 1, "batch_size": len(IMAGES)},
    "spatial": {"precision": "float32"},
    # Muon computes in bfloat16, where a last digit of a gradient may decide; `by_muon`
    "pixel": {"precision": "float32", "optimiser": "adam", "learning_rate": 3e-3, "options": PIXEL},
    "restoration": {"precision": "float32", "options": {"max_error": 8}},
}


def trained(name: str) -> Model:
    """A method's model after two epochs, or as said above."""
    settings = {"epochs": 2, "batch_size": 8} | METHODS[name]
    return fit(IMAGES, name.split(",", maxsplit=1)[0], 3, **settings)


def quantised() -> Model:
    """One that was trained on with its code rounded."""
    return fit_quantised(trained("ann"), IMAGES[:30], 3, epochs=4)


def by_muon() -> Model:
    """A pixel code trained by its own recipe, which rounds to bfloat16."""
    return fit(IMAGES, "pixel", 3, epochs=2, batch_size=8, options=PIXEL)


def refusals(folder: Path, ranks: World) -> list[str]:
    """What the ranks say to each other's mistakes, and to another training's checkpoint."""
    here = ranks.rank
    tried: list[tuple[ImageSet, dict]] = [(IMAGES[here:], {}), (IMAGES, {"learning_rate": 1.0 + here})]
    tried += [(IMAGES, {"checkpoint": folder / name}) for name in ("state", "bad")]
    said = []
    for images, changes in tried:
        try:
            fit(images, "tied", epochs=1, **changes)
            said.append("nothing")
        except EngramError as error:
            said.append(f"{type(error).__name__}: {error}")
    try:
        ranks.agree({"versions": {"engram": f"0.{here}"}})
    except EngramError as error:
        said.append(f"{type(error).__name__}: {error}")
    return said


def laws(folder: Path) -> None:
    """Every method, and every refusal, in one launch."""
    with joined() as ranks:
        for name in METHODS:
            trained(name).save(folder / f"{name}-{ranks.rank}")
        quantised().save(folder / f"quantised-{ranks.rank}")
        fit(ImageSet(IMAGES.images), "cnn", 0, epochs=4, batch_size=8).save(folder / f"whole-{ranks.rank}")
        by_muon().save(folder / f"muon-{ranks.rank}")
        (folder / f"said-{ranks.rank}").write_text("\n".join(refusals(folder, ranks)))
    threads = [Path("/proc/self/task", number, "comm").read_text() for number in os.listdir("/proc/self/task")]
    (folder / f"threads-{ranks.rank}").write_text("".join(threads))


def die_once(at_step: int) -> None:
    """Let rank 1 be killed before this step, in the first life of the training."""
    checkpoint.INTERVAL_SECONDS = 0.0
    if (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) != ("1", "0"):
        return
    descend, taken = steps.descend, []

    def dying(*arguments) -> torch.Tensor:
        taken.append(1)
        if len(taken) == at_step:
            print("rank 1 is killed", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return descend(*arguments)

    steps.descend = dying


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "laws":
        laws(Path(sys.argv[2]))
    else:
        die_once(13)
        from engram.cli.main import main

        main()
