"""Golden files of the codecs: what was written once stays readable for ever, to the last pixel.

A file holds a config, a model, a coded block and the SHA-256 of the decoded pixels.
`python tests/laws/golden_codecs.py` makes those that are missing and changes none: a new byte format is a new codec
id, with new files.
"""

import hashlib
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "codecs"
IMAGES = 9


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def sha256(pixels) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def make(codec) -> dict:
    from sample_networks import pictures

    from engram.datasets.pictures import encode_picture

    images = pictures(IMAGES, codec.image_shape, seed=11).images
    if codec.id == "picture-files" and codec.model:
        images = [encode_picture(image, ".jpg", 80) for image in images]
    block = codec.encode(images)
    return {
        "id": codec.id,
        "config": codec.config(),
        "model": codec.model.hex(),
        "block": block.hex(),
        "images": IMAGES,
        "sha256": sha256(codec.decode(block, IMAGES)),
    }


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "codecs"))
    from codec_instances import INSTANCES

    FOLDER.mkdir(exist_ok=True)
    for name, build in INSTANCES.items():
        if not path_of(name).exists():
            path_of(name).write_text(json.dumps(make(build()), indent=1) + "\n")
            print(f"made {path_of(name)}")
