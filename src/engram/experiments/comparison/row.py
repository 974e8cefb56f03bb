"""One line of the comparison's table: what a collection costs under one setting of a method, and what it keeps."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import engram
from engram import archive as archives
from engram.codecs.contract import Codec
from engram.evaluation.distortion import max_error, psnr_db, ssim
from engram.evaluation.judge import Judge, accuracy
from engram.experiments.comparison.material import Material
from engram.images import ImageSet, Pixels
from engram.models import load

Result = TypeVar("Result")
Row = dict[str, Any]
"""method, family, setting; bytes_per_image (all but the model), bytes_per_image_with_model, model_bytes, total_bytes;
psnr_db (None: nothing is lost), ssim, max_error, accuracy (by judge); encode_images_per_second,
decode_images_per_second (of processor time), random_access. A row with an `error` has no figures."""

SHORT_SECONDS, REPETITIONS = 1.0, 3
"""What takes less than this is timed so often, and the median taken."""


def kept(material: Material, recovered: Pixels) -> Row:
    """What is left of the test images: distortion, and what each judge still recognises."""
    originals = material.test
    decibels = psnr_db(originals.images, recovered)
    return {
        "psnr_db": decibels if math.isfinite(decibels) else None,
        "ssim": ssim(originals.images, recovered),
        "max_error": max_error(originals.images, recovered),
        "accuracy": judged(material, originals.with_images(recovered)),
    }


def judged(material: Material, images: ImageSet) -> dict[str, float]:
    """The accuracy of each judge on images of known classes."""
    return {name: accuracy(counts) for name, counts in confusions(material, images).items()}


def confusions(material: Material, images: ImageSet) -> dict[str, NDArray[np.int64]]:
    """counts[true class, judged class] of each judge."""
    return {name: judge_at(path).confusion(images) for name, path in material.judges}


@cache
def judge_at(path: Path) -> Judge:
    """The judge of a model file, read once."""
    return Judge(load(path))


def packed(material: Material, codec: Codec) -> tuple[Row, Pixels]:
    """The figures of an archive of the test images, and the images as they come back from it.

    The archive holds no labels, as no rival's files do. Bytes are those of the file.
    """
    images = ImageSet(material.test.images)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "images.egm"
        encoding_seconds, _ = timed(lambda: archives.pack(images, codec, path, force=True))
        decoding_seconds, recovered = timed(lambda: _read(path))
        about = engram.info(path)
    figures = {
        "bytes_per_image": about.bytes_per_image,
        "bytes_per_image_with_model": about.bytes_per_image_with_model,
        "model_bytes": about.model_bytes,
        "total_bytes": about.archive_bytes,
        "encode_images_per_second": len(images) / encoding_seconds,
        "decode_images_per_second": len(images) / decoding_seconds,
        "random_access": True,
    }
    return figures | kept(material, recovered), recovered


def _read(path: Path) -> Pixels:
    with engram.open(path) as archive:
        images: Pixels = archive[:]
        return images


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """The seconds of processor time that work takes, and what it gave.

    The median where it is short enough to be done again. Processor time, of all threads, is hardly more where the
    machine has other work, and says the same of a program of one thread as of one of many.
    """
    seconds: list[float] = []
    while not seconds or (seconds[0] < SHORT_SECONDS and len(seconds) < REPETITIONS):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds), result


def strip(material: Material, recovered: Pixels) -> Pixels:
    """Those of the recovered images that the page shows."""
    return np.ascontiguousarray(recovered[material.shown])
