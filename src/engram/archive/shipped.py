"""Models that come with engram: archives of no images, found by name, or by the SHA-256 that an archive asks for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from engram import models
from engram.archive.opening import open as open_archive
from engram.codecs.contract import Codec
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.generic import brought_to
from engram.codecs.spatial.codec import Spatial
from engram.errors import UsageError

FOLDER = Path(__file__).parents[1] / "shipped"
GENERIC = "generic-"
"""How the names of models begin that take images of any size."""
ANALYSIS = ".analysis"
"""The suffix of the model file of what an encoder needs beside the archive's model: the analysis, in 16 bits."""


class UnknownModel(UsageError):
    """A name that no shipped model has."""


@cache
def names() -> tuple[str, ...]:
    """The names of all shipped models, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.egm")))


def load(name: str, image_shape: tuple[int, int, int] | None = None, max_error: int = 0) -> Codec:
    """The codec of a shipped model; a generic one is brought to a shape, of as many channels, and to a largest error.

    Raises UnknownModel.
    """
    if name not in names():
        raise UnknownModel(f"no model called {name!r} comes with engram; there are {', '.join(names())}")
    with open_archive(FOLDER / f"{name}.egm") as archive:
        codec = archive.codec
    analysis = FOLDER / f"{name}{ANALYSIS}"
    if isinstance(codec, Spatial) and analysis.exists():
        codec = replace(codec, analysis=models.load(analysis).network.analysis)
    if name.startswith(GENERIC) and isinstance(codec, Pixel) and image_shape is not None:
        codec = brought_to(codec, image_shape, max_error) if image_shape[2] == codec.image_shape[2] else codec
    return codec


@cache
def judges() -> tuple[str, ...]:
    """The names of the classifiers that come with engram, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.safetensors")))


def judge(name: str) -> Path:
    """The model file of a classifier that comes with engram. Raises UnknownModel."""
    if name not in judges():
        raise UnknownModel(f"{name!r} is no file, and no judge that comes with engram; there are {', '.join(judges())}")
    return FOLDER / f"{name}.safetensors"


def checksum(name: str) -> str:
    """The SHA-256 (hex) of all files of a shipped model. Raises UnknownModel."""
    if name not in names():
        raise UnknownModel(f"no model called {name!r} comes with engram; there are {', '.join(names())}")
    files = [FOLDER / f"{name}{suffix}" for suffix in (".egm", ANALYSIS)]
    return sha256(b"".join(path.read_bytes() for path in files if path.exists())).hexdigest()


def find(model_sha256: str) -> bytes | None:
    """The shipped model of this SHA-256, if there is one."""
    for name in names():
        with open_archive(FOLDER / f"{name}.egm") as archive:
            for model in archive.sources[0].directory.models:
                if model.sha256 == model_sha256:
                    return archive.segment(0).model(model)
    return None


def completed(codec: Codec) -> Codec:
    """The codec of an archive with the analysis that it needs to encode, where its model comes with engram."""
    if not codec.can_encode and isinstance(codec, Spatial):
        for name in names():
            if (FOLDER / f"{name}{ANALYSIS}").exists() and load(name).model == codec.model:
                return replace(codec, analysis=models.load(FOLDER / f"{name}{ANALYSIS}").network.analysis)
    return codec
