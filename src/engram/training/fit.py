"""`fit`: a set of images and a method in, a trained model out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

from engram.codecs.projection import PROJECTIONS, project
from engram.errors import UsageError
from engram.images import ImageSet
from engram.models import Model
from engram.networks.classifier import Classifier
from engram.networks.judge import JudgeNetwork
from engram.networks.registry import Trainable, make, restore
from engram.training.distributed import world
from engram.training.loop import History, train
from engram.training.recipe import RECIPES, Recipe

Progress = Callable[[int, int], None]
"""Called after each epoch with (epochs done, epochs in all)."""
Watch = Callable[[int, nn.Module], None]
"""Called after each epoch with (epochs done, network); its time is not counted as training."""


def fit(
    images: ImageSet,
    method: str,
    seed: int = 0,
    *,
    device: str = "cpu",
    options: dict[str, Any] | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
    task: Model | None = None,
    start: Model | None = None,
    **recipe_changes: Any,
) -> Model:
    """The model of `method` (those of `RECIPES` and of `PROJECTIONS`) trained on the images by its recipe.

    `options` go to the network (hidden=40), recipe changes to the recipe (epochs=20, learning_rate=10.0). With a
    checkpoint file, a training that was killed goes on where it was, to the same result. `task`, a trained classifier,
    and the recipe's task_weight make a spatial code spare what that classifier sees. `start`, a trained model of the
    method, is trained on, with its options.
    A projection (pca, lda, isomap) is solved, not trained: its one option is `units`, and it has no recipe.
    Raises UsageError for unknown names, TrainingDiverged for a loss that is no number.
    """
    if method in PROJECTIONS:
        if start is not None:
            raise UsageError(f"{method} is solved, not trained: it starts from nothing")
        return _projected(images, method, seed, options or {}, recipe_changes, task)
    if method not in RECIPES:
        raise UsageError(f"there is no method {method!r} to train; there are {', '.join([*RECIPES, *PROJECTIONS])}")
    try:
        recipe = replace(RECIPES[method], **recipe_changes)
    except TypeError as error:
        raise UsageError(f"a recipe has no such setting: {error}") from error
    if seed < 0:
        raise UsageError(f"a seed is 0 or more, not {seed}")
    options = dict(options or {})
    if method in ("classifier", "judge"):
        options.setdefault("classes", len(images.class_names))
    network = _start(images, method, start, options, recipe, seed)

    def after_epoch(done: int, history: History) -> None:
        if progress is not None:
            progress(done, recipe.epochs)
        if watch is not None:
            watch(done, network)

    judged_by = None if task is None else restore(task)
    if judged_by is not None and not (isinstance(judged_by, Classifier | JudgeNetwork) and method == "spatial"):
        raise UsageError("a task is a classifier, and spatial can be trained for one")
    history = train(
        network,
        images,
        recipe,
        seed,
        device=device,
        checkpoint=checkpoint,
        after_epoch=after_epoch,
        task=judged_by,
    )
    facts: dict[str, Any] = {
        "options": network.options,
        "recipe": asdict(recipe),
        "seed": seed,
        "images": len(images),
        "images_sha256": images.fingerprint(),
        "class_names": list(images.class_names),
        "task": None if task is None else task.identity,
        "start": None if start is None else start.identity,
        "losses": history.losses,
        "epoch_seconds": history.seconds,
    }
    if world().size > 1:
        facts["ranks"] = world().size
    return Model(network.describe(), facts)


def _start(
    images: ImageSet, method: str, start: Model | None, options: dict[str, Any], recipe: Recipe, seed: int
) -> Trainable:
    """The network that a training begins with: drawn from the seed, or one that was trained. Raises UsageError."""
    if start is None:
        return make(method, images.image_shape, seed, recipe.initial_scale, **options)
    if (start.network.method, start.network.image_shape) != (method, images.image_shape):
        found, wanted = (" x ".join(map(str, shape)) for shape in (start.network.image_shape, images.image_shape))
        raise UsageError(
            f"the model to start from is {start.network.method} for images of {found}, not {method} for {wanted}"
        )
    network = restore(start)
    own = network.options
    differing = [
        name for name, value in options.items() if own[name] != (list(value) if isinstance(value, tuple) else value)
    ]
    if differing:
        raise UsageError(f"the model to start from has another {', '.join(differing)}; leave that out")
    return network


def _projected(
    images: ImageSet, method: str, seed: int, options: dict[str, Any], changes: dict[str, Any], task: Model | None
) -> Model:
    if changes or task is not None or set(options) - {"units"}:
        asked = [*changes, *options, *([] if task is None else ["task"])]
        raise UsageError(f"{method} is solved, not trained: its one option is units, not {', '.join(asked)}")
    return project(images, method, options.get("units"), seed)
