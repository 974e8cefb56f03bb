"""What an archive costs and what it keeps, in one row."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engram import archive as archives
from engram.errors import UsageError
from engram.evaluation.distortion import max_error, psnr_db, ssim
from engram.images import ImageSet
from engram.storage import Location, shown

if TYPE_CHECKING:
    from engram.evaluation.judge import Judge


def measure(path: Location, originals: ImageSet, judge: Judge | Mapping[str, Judge] | None = None) -> dict[str, Any]:
    """The archive's bytes, and its images held against the originals they were packed from, in their order.

    Keys: images, archive_bytes, model_bytes, bytes_per_image, bytes_per_image_with_model, psnr_db, ssim, max_error,
    seconds and images_per_second of unpacking; with a judge accuracy, 0 to 1, with several that of each by name.
    Raises UsageError where images do not match.
    """
    parts = archives.info(path)
    started = time.perf_counter()
    with archives.open(path) as archive:
        if (len(archive), archive.image_shape) != (len(originals), originals.image_shape):
            raise UsageError(
                f"{shown(path)} holds {len(archive):,} images of {archive.image_shape}, "
                f"the originals are {len(originals):,} of {originals.image_shape}"
            )
        recovered = archive[:]
    seconds = time.perf_counter() - started
    row: dict[str, Any] = {
        "images": parts.images,
        "archive_bytes": parts.archive_bytes,
        "model_bytes": parts.model_bytes,
        "bytes_per_image": parts.bytes_per_image,
        "bytes_per_image_with_model": parts.bytes_per_image_with_model,
        "psnr_db": psnr_db(originals.images, recovered),
        "ssim": ssim(originals.images, recovered),
        "max_error": max_error(originals.images, recovered),
        "seconds": seconds,
        "images_per_second": parts.images / seconds,
    }
    if judge is not None:
        from engram.evaluation.judge import accuracy

        judged = originals.with_images(recovered)
        if isinstance(judge, Mapping):
            row["accuracy"] = {name: accuracy(each.confusion(judged)) for name, each in judge.items()}
        else:
            row["accuracy"] = accuracy(judge.confusion(judged))
    return row
