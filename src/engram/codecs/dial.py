"""The dial: from what a user asks of an archive to the bits of a code unit that `freeze` takes."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from engram.codecs.candidate import Candidate, decibels
from engram.codecs.choice import at_goal
from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.goals import Fidelity, Goal, Quality, Size
from engram.codecs.pixel.codec import came_back, squared_errors
from engram.codecs.spatial.codec import Spatial
from engram.coding.grid import COARSEST, FINEST
from engram.errors import UsageError
from engram.images import ImageSet, Pixels
from engram.layers import Network

LEAST_BITS, MOST_BITS = 0.05, 8.0
SAMPLE = 1500
"""How many training images a quality is measured on."""
STEPS = 12
LARGEST_ERROR = 63
"""Of a pixel code."""
ERRORS = tuple(sorted({round(LARGEST_ERROR * 0.9**power) for power in range(40)}, reverse=True))
"""The largest errors that are tried, one after the other: what a classifier sees does not fall evenly with them."""


class OutOfReach(UsageError):
    """A target that the network cannot meet; the text says what it can."""


def freeze_to_bytes(network: Network, training: ImageSet, bytes_per_image: float) -> Codec:
    """The codec that takes about so many bytes an image (without index, labels and model) on images like these.

    Raises OutOfReach where that is less or more than the code can take.
    """
    if network.prior:
        codec = freeze(network, training)
        assert isinstance(codec, Spatial)
        return at_step(codec, Size(bytes_per_image), sample_of(training))
    units = network.code_numbers
    least, most = (bits * units / 8 for bits in (LEAST_BITS, MOST_BITS))
    if not least <= bytes_per_image <= most:
        raise OutOfReach(
            f"{network.method} has a code of {units} numbers, which take from {least:.3g} to {most:.4g} bytes an "
            f"image, not {bytes_per_image:g}; train a network with another code size"
        )
    return freeze(network, training, bits=8 * bytes_per_image / units)


def at_step(codec: Spatial, goal: Goal, sample: Pixels) -> Spatial:
    """The codec at the step that meets the goal on the sample. Raises OutOfReach where none does."""
    found = at_goal(Candidate(codec, sample, len(sample), 0), goal)
    if not goal.is_met(found) or (isinstance(goal, Size) and not goal.is_near(found)):
        ends = [Candidate(codec.at(step), sample, len(sample), 0) for step in (COARSEST, FINEST)]
        low, high = (f"{end.bytes_per_image:.3g} bytes an image ({end.psnr_db:.2f} dB)" for end in ends)
        raise OutOfReach(f"on images like these, this spatial model takes {low} to {high}; ask for something between")
    assert isinstance(found.codec, Spatial)
    return found.codec


def sample_of(training: ImageSet) -> Pixels:
    return training.images[:: -(-len(training) // SAMPLE)] if len(training) else training.images


def freeze_to_psnr(network: Network, training: ImageSet, psnr_db: float, images: int | None = None) -> Codec:
    """The codec of the fewest bits whose PSNR over images like these is no less than the one asked for.

    images: how many they are, of which these are some; None for these alone. Found by halving, on a sample.
    Raises OutOfReach where even MOST_BITS a unit fall short of it.
    """
    sample, goal = sample_of(training), Quality(psnr_db, images or len(training))
    codec: Codec = freeze(network, training, bits=None if network.prior else MOST_BITS)
    if isinstance(codec, Spatial):
        return at_step(codec, goal, sample)
    recovered = _recovered(codec, sample)
    if not goal.is_kept(sample, recovered):
        best = decibels(sample, recovered)
        raise OutOfReach(
            f"{network.method} reaches {best:.2f} dB on images like these, not {psnr_db:g}; "
            "train it longer or with a larger code, or pack with --lossless"
        )
    low, high = LEAST_BITS, MOST_BITS
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        tried = freeze(network, training, bits=middle)
        if goal.is_kept(sample, _recovered(tried, sample)):
            codec, high = tried, middle
        else:
            low = middle
    return codec


def _recovered(codec: Codec, sample: Pixels) -> Pixels:
    """The sample, encoded and decoded."""
    return codec.decode(codec.encode(sample), len(sample))


def rounded(images: Pixels, max_error: int) -> Pixels:
    """The images as every pixel code of this largest error gives them back."""
    return came_back(2 * max_error + 1)[images]


def largest_error_for(goal: Fidelity, originals: Pixels) -> int:
    """The largest of ERRORS that a pixel code may make and still meet the goal; 0 where it may make none."""
    return next((error for error in ERRORS if goal.is_kept(originals, rounded(originals, error))), 0)


def largest_error_of(goal: Quality, counts: NDArray[np.float64]) -> int:
    """The same of images of which counts[n, 256] say how often each has each value, or how much that counts."""
    return next((error for error in ERRORS if goal.suffices(squared_errors(counts, 2 * error + 1))), 0)


def deflated_bytes(images: Pixels, max_error: int) -> float:
    """Bytes an image where what a pixel code keeps is deflated: what the code takes goes with it."""
    return len(zlib.compress(rounded(images, max_error).tobytes(), 9)) / max(1, len(images))
