"""What a codec reaches on some of a collection's images, as figures and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engram.cli.judging import Judging
    from engram.codecs.contract import Codec
    from engram.images import ImageSet


def reached(codec: Codec, measured: ImageSet, judging: Judging | None) -> dict[str, Any]:
    """psnr_db (None for equal images), max_error, measured_images; with a judge also judge (its name), accuracy and
    accuracy_of_originals.

    The largest error is the one that is promised, where one is, or else the largest that was met.
    """
    from engram.codecs.candidate import Candidate
    from engram.evaluation.distortion import max_error

    candidate = Candidate(codec, measured.images, len(measured), 0)
    promised = codec.max_error
    result: dict[str, Any] = {"psnr_db": None, "max_error": promised or 0, "measured_images": len(measured)}
    if len(measured) and not codec.lossless:
        found = candidate.psnr_db
        result["psnr_db"] = None if found == float("inf") else round(found, 4)
        if promised is None:
            result["max_error"] = max_error(measured.images, candidate.recovered)
    if judging is not None:
        result["judge"] = judging.name
        result["accuracy"] = judging.accuracy(candidate.recovered)
        result["accuracy_of_originals"] = judging.accuracy_of_originals
    return result


def in_words(reached: dict[str, Any]) -> str:
    """One line."""
    quality = "no loss" if reached["psnr_db"] is None else f"{reached['psnr_db']:.2f} dB"
    words = f"{quality}, largest error {reached['max_error']}"
    if "accuracy" in reached:
        before, after = (f"{100 * reached[key]:.1f} %" for key in ("accuracy_of_originals", "accuracy"))
        words += f", accuracy {after} (originals {before}) by the judge {reached['judge']}"
    return f"{words}, measured on {reached['measured_images']:,} images"
