"""A model that comes with engram: an archive of no images, and a card that says what it is and what it does.

Takes model files that `engram train` made, freezes each on its training images, writes NAME.egm and NAME.json into
src/engram/shipped, and measures it on the test images: `engram.measure`, and the accuracy of each judge. A classifier
goes there as it is, a judge for `engram pack --judge`, and its card says how it judges the originals. A restoration
needs the pixel code before it: a model file, or the name of one that comes with engram.

    python benchmarks/ship.py MODEL... --judges fashion-mnist-classifier fashion-mnist-judge
    python benchmarks/ship.py fashion-mnist-restored-8.safetensors --after fashion-mnist-max-error-8
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import engram
from engram import archive as archives
from engram import models
from engram.archive import shipped
from engram.archive.shipped import ANALYSIS, FOLDER
from engram.codecs.contract import Codec
from engram.codecs.pixel.codec import Pixel
from engram.codecs.restored.freezing import with_restoration
from engram.codecs.spatial.codec import Spatial
from engram.datasets import source
from engram.evaluation.judge import Judge, accuracy, judge_of
from engram.images import ImageSet

KEPT = (
    "archive_bytes",
    "model_bytes",
    "bytes_per_image",
    "bytes_per_image_with_model",
    "psnr_db",
    "max_error",
    "accuracy",
)
STEPS = (32, 48, 64, 80, 112, 160, 240, 340, 500, 750)
"""Of a spatial model, in half gray levels: from about 110 to 8 bytes an image."""

TASK_STEPS = (110, 170, 240, 340, 500, 750)
"""Of one trained for a task, which knows coarse steps only: from about 48 bytes an image on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help="each becomes the shipped model of its file's name")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument(
        "--judges", nargs="*", default=list(shipped.judges()), help="files, or names that engram brings"
    )
    parser.add_argument("--after", help="the pixel code that the restorations restore")
    options = parser.parse_args()
    loaded = source.load(options.data)
    judges = {Path(name).stem: judge_of(name) for name in options.judges}
    FOLDER.mkdir(exist_ok=True)
    for path in options.models:
        model = models.load(path)
        if model.network.synthesis or model.network.prior:
            card = ship(path.stem, model, loaded, options.data, judges, options.after)
        else:
            card = ship_judge(path.stem, model, loaded.split("test"), options.data)
        (FOLDER / f"{path.stem}.json").write_text(json.dumps(card, indent=1) + "\n")
        print(json.dumps(card["measured"]))


def ship_judge(name: str, model: models.Model, test: ImageSet, data: str) -> dict[str, Any]:
    """The card of a classifier, which now comes with engram."""
    model.save(FOLDER / f"{name}.safetensors")
    return about(name, model, data) | {
        "loss_nats": model.facts["losses"][-1],
        "measured_on": f"{data}:test, {len(test):,} images",
        "measured": {
            "model_bytes": (FOLDER / f"{name}.safetensors").stat().st_size,
            "accuracy_of_originals": accuracy(Judge(model).confusion(test)),
        },
        "limits": f"Tells the classes of {data} apart in images of their size; it has seen all of {data}:train.",
    }


def ship(
    name: str, model: models.Model, data: ImageSet, data_name: str, judges: dict[str, Judge], after: str | None
) -> dict[str, Any]:
    """The card of a codec's model, which now comes with engram. A classifier that it was trained for is no judge."""
    train, test = data.split("train"), data.split("test")
    task = model.facts.get("task")
    judges = {name: judge for name, judge in judges.items() if judge.identity != task}
    codec = engram.freeze(model, train) if after is None else with_restoration(pixel_code(after, train), model, train)
    archives.pack(ImageSet(test.images[:0]), codec, FOLDER / f"{name}.egm", force=True)
    card = about(name, model, data_name) | {
        "loss_squared_gray_levels" if after else "loss_bits_per_value": model.facts["losses"][-1],
        "measured_on": f"{data_name}:test, {len(test):,} images, without labels",
        "limits": limits_of(codec.max_error, codec.image_shape),
    }
    if after is not None:
        card["retrain"] += f"; after {after_of(after, data_name)}"
    if task is not None:
        card |= {"task": task, "start": model.facts["start"]}
        card["limits"] += (
            " Trained for coarse steps, to spare what one classifier sees; others than the judges may see less."
        )
    if not isinstance(codec, Spatial):
        return card | {"measured": measured(codec, test, judges)}
    analysis = replace(model.network, synthesis=(), prior=())
    models.Model(analysis).save(FOLDER / f"{name}{ANALYSIS}", half=True)
    shipped.names.cache_clear()
    codec = shipped.load(name)  # with its analysis in 16 bits
    assert isinstance(codec, Spatial)
    rows = [
        {"step": step} | measured(codec.at(step), test, judges)
        for step in (TASK_STEPS if model.facts.get("task") else STEPS)
    ]
    sizes = {"model_bytes": len(codec.model), "analysis_bytes": (FOLDER / f"{name}{ANALYSIS}").stat().st_size}
    return card | {"measured": sizes | {"curve": rows}}


def pixel_code(name: str, train: ImageSet) -> Pixel:
    """The pixel code of a model file, or of a name that engram brings."""
    codec = shipped.load(name) if name in shipped.names() else engram.freeze(models.load(Path(name)), train)
    assert isinstance(codec, Pixel)
    return codec


def after_of(name: str, data: str) -> str:
    """The name of a pixel code that engram brings, or the command that trains it."""
    path = Path(name)
    return command_of(path.stem, f"{data}:train", models.load(path)) if path.exists() else name


def measured(codec: Codec, test: ImageSet, judges: dict[str, Judge]) -> dict[str, Any]:
    """What the archive of the test images is found to be."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "test.egm"
        archives.pack(ImageSet(test.images), codec, packed)
        row = engram.measure(packed, test, judges)
    if row["psnr_db"] == float("inf"):
        row["psnr_db"] = None  # lossless; JSON knows no infinity
    return {key: row[key] for key in KEPT}


def about(name: str, model: models.Model, data: str) -> dict[str, Any]:
    """What a card says of the training."""
    facts = model.facts
    return {
        "name": name,
        "method": model.network.method,
        "options": facts["options"],
        "recipe": facts["recipe"],
        "seed": facts["seed"],
        "data": f"{data}:train",
        "images": facts["images"],
        "images_sha256": facts["images_sha256"],
        "retrain": command_of(name, f"{data}:train", model),
    }


def command_of(name: str, data: str, model: models.Model) -> str:
    """The command that trains the model again."""
    recipe, options = model.facts["recipe"], model.facts["options"]
    command = f"engram train {data} --method {model.network.method} --epochs {recipe['epochs']}"
    command += f" --learning-rate {recipe['learning_rate']} --seed {model.facts['seed']} -o {name}.safetensors"
    if model.network.method == "pixel":
        from engram.networks.pixel import EFFORTS

        keys = ("hidden", "components", "radius")
        effort = next(e for e, o in EFFORTS.items() if all(list_of(o[k]) == list_of(options[k]) for k in keys))
        command += f" --effort {effort} --max-error {options['max_error']}"
    if model.network.method == "restoration":
        command += f" --max-error {options['max_error']}"
    if recipe["task_weight"]:
        command += f" --start START --task TASK --task-weight {recipe['task_weight']:g}"
    return command


def list_of(value: Any) -> Any:
    """A tuple as the list that JSON makes of it."""
    return list(value) if isinstance(value, tuple) else value


def limits_of(max_error: int | None, image_shape: tuple[int, int, int]) -> str:
    """What the model must not be taken for."""
    promise = "promises no largest error" if max_error is None else f"keeps every value within {max_error}"
    shape = " x ".join(map(str, image_shape))
    return (
        f"Takes images of {shape} only and {promise}, whatever the images; the fewer they resemble those it was "
        "trained on, the more bytes they take, up to deflated pixels."
    )


if __name__ == "__main__":
    main()
