"""The models that come with engram for collections too small to learn from, of any size of images: gray and RGB.

Trains them on training images of Fashion-MNIST and on a folder of colour images with `train` and `test` (of `train`
every second image alone; the others are for measuring), and writes NAME.egm and NAME.json into src/engram/shipped.

    python benchmarks/generic.py COLOUR
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import engram
from engram import archive as archives
from engram.archive.shipped import FOLDER
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.generic import brought_to
from engram.datasets import source, wardrobe
from engram.images import ImageSet, Pixels

SIDE = 28
"""Of what is trained on: the images, or a part of each."""
OPTIONS: dict[str, Any] = {"components": 3, "radius": 3, "knots": 2}
HIDDEN = {1: (64, 64), 3: (64, 64)}
RECIPE: dict[str, Any] = {"learning_rate": 6e-3, "batch_size": 24}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("colour", type=Path, help="a folder of colour images, with train and test")
    parser.add_argument("--epochs", type=int, nargs=2, default=(40, 60), help="of the gray and of the RGB model")
    options = parser.parse_args()
    fashion = source.load("fashion-mnist:train")
    train, test = (source.load(str(options.colour / part)) for part in ("train", "test"))
    assert isinstance(fashion, ImageSet)
    assert isinstance(train, ImageSet)
    assert isinstance(test, ImageSet)
    seen, unseen = np.concatenate([test.images, train.images[::2]]), train.images[1::2]
    sets = {
        "generic-gray": np.concatenate([parts(gray_of(seen), 2), fashion.images[::10]]),
        "generic-rgb": parts(seen, 2),
    }
    measured = {
        "generic-gray": {"wardrobe": wardrobe.draw(500, 9).images, "gray of the other colour images": gray_of(unseen)},
        "generic-rgb": {"the other colour images": unseen},
    }
    for (name, images), epochs in zip(sets.items(), options.epochs, strict=True):
        ship(name, images, epochs, measured[name])


def gray_of(images: Pixels) -> Pixels:
    """uint8[n, h, w, 1]: the luma of colour images."""
    luma: Pixels = np.rint(images @ np.array([0.299, 0.587, 0.114]))[..., None].astype(np.uint8)
    return luma


def parts(images: Pixels, count: int) -> Pixels:
    """`count` parts of each image, SIDE x SIDE, at random places, some mirrored."""
    random = np.random.default_rng(0)
    found = []
    for image in np.repeat(images, count, 0):
        y, x = random.integers(0, np.array(image.shape[:2]) - SIDE + 1)
        part = image[y : y + SIDE, x : x + SIDE]
        found.append(part[:, :: random.choice([1, -1])])
    return np.stack(found)


def ship(name: str, images: Pixels, epochs: int, measured: dict[str, Pixels]) -> None:
    """Train a model and write it with its card."""
    made = ImageSet(images)
    options = OPTIONS | {"hidden": HIDDEN[images.shape[3]]}
    model = engram.fit(made, "pixel", 0, epochs=epochs, options=options, **RECIPE)
    codec = engram.freeze(model, made)
    assert isinstance(codec, Pixel)
    archives.pack(ImageSet(images[:0]), codec, FOLDER / f"{name}.egm", force=True)
    figures = {}
    for what, others in measured.items():
        blocks = [others[first : first + 64] for first in range(0, 500, 64)]
        here = brought_to(codec, others.shape[1:])
        figures[what] = round(sum(map(len, here.encode_many(blocks))) / sum(map(len, blocks)), 1)
    card = {
        "name": name,
        "method": "pixel",
        "options": model.facts["options"],
        "recipe": model.facts["recipe"],
        "seed": 0,
        "data": "6,000 images of fashion-mnist:train, and two parts of 28 x 28 of each of 3,500 colour images, in gray"
        if images.shape[3] == 1
        else "two parts of 28 x 28 of each of 3,500 colour images of 32 x 32, which were JPEG files",
        "images": len(images),
        "images_sha256": made.fingerprint(),
        "loss_bits_per_value": model.facts["losses"][-1],
        "retrain": "python benchmarks/generic.py COLOUR",
        "measured_on": "500 images each, which it has not seen; bytes an image without the model",
        "measured": {"model_bytes": len(codec.model), "max_error": 0, "bytes_per_image": figures},
        "limits": "Takes images of any size, lossless or with a largest error. It was trained on few kinds of images, "
        "so a model that learned a large collection itself takes fewer bytes.",
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(card, indent=1) + "\n")
    print(json.dumps(card["measured"]), flush=True)


if __name__ == "__main__":
    main()
