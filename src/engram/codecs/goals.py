"""What is asked of an archive: a law that a measured codec keeps or breaks, and a rank among those that keep it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from engram.codecs.candidate import Candidate, mean_squares
from engram.codecs.contract import Codec
from engram.images import Pixels

TOLERANCE = 0.01
"""By how much of itself a size may be exceeded on the images that are measured: all of them will be within 3 %."""
NEAR = 0.03
"""By how much of itself a size may miss what is asked for."""
SURE = 2.5
"""How many standard errors a mean over some images may lie below that over all."""
EXACT = 1e-9
"""Of itself, so that a quality of just so many dB is kept."""
DB_FOR_TWICE = 5.0
"""What twice the bytes buy, about, on every curve of LOG.md: a model that doubles them must give so much."""


class Goal(ABC):
    """What is asked for."""

    @abstractmethod
    def is_met(self, candidate: Candidate) -> bool:
        """Whether the codec does what is asked, as far as it was measured."""

    def rank(self, candidate: Candidate) -> tuple[float, float]:
        """Of the candidates that do, the one of the least rank is taken: that of the fewest bytes in all."""
        return candidate.bytes_in_all, 0.0

    def is_close(self, candidate: Candidate) -> bool:
        """Whether it does so by so little that no other setting need be tried."""
        return False


@final
@dataclass(frozen=True)
class LargestError(Goal):
    """No value of any image is off by more than max_error; 0 is lossless."""

    max_error: int

    def is_met(self, candidate: Candidate) -> bool:
        return self.is_kept_by(candidate.codec)

    def is_kept_by(self, codec: Codec) -> bool:
        """Whether the codec promises it."""
        return codec.max_error is not None and codec.max_error <= self.max_error


@final
@dataclass(frozen=True)
class Size(Goal):
    """The best images in so many bytes each, or few more; the model is apart, but has to be worth its bytes.

    asked: what was asked for of a mean image, where these are smaller or larger ones of a collection; 0 for the same.
    """

    bytes_per_image: float
    asked: float = 0.0

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.bytes_per_image <= self.bytes_per_image * (1 + TOLERANCE)

    def rank(self, candidate: Candidate) -> tuple[float, float]:
        blocks = max(1e-9, candidate.bytes_per_image * candidate.count)
        return DB_FOR_TWICE * math.log2(max(1.0, candidate.bytes_in_all / blocks)) - candidate.psnr_db, blocks

    def is_close(self, candidate: Candidate) -> bool:
        return abs(candidate.bytes_per_image / self.bytes_per_image - 1) <= TOLERANCE

    def is_near(self, candidate: Candidate) -> bool:
        """Whether it takes what is asked for, as near as an archive has to."""
        return abs(candidate.bytes_per_image / self.bytes_per_image - 1) <= NEAR

    @property
    def share(self) -> float:
        """Of the bytes of a mean image, what one of these is to take."""
        return self.bytes_per_image / self.asked if self.asked else 1.0


class Fidelity(Goal):
    """Something that can be told from the images that come back, in the fewest bytes."""

    @abstractmethod
    def is_kept(self, originals: Pixels, recovered: Pixels) -> bool:
        """Whether images that came back are good enough."""

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.codec.lossless or self.is_kept(candidate.measured, candidate.recovered)


@final
@dataclass(frozen=True)
class Quality(Fidelity):
    """A peak signal-to-noise ratio over all images, no less; of so many images those that are measured are some.

    Where they are not all, the mean squared error of all may be larger: SURE standard errors of it are added.
    """

    psnr_db: float
    images: int = 0

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.codec.lossless or self.suffices(candidate.errors)

    def is_kept(self, originals: Pixels, recovered: Pixels) -> bool:
        return self.suffices(mean_squares(originals, recovered))

    def suffices(self, errors: NDArray[np.float64]) -> bool:
        """Whether the mean squared errors of some images are small enough."""
        count = len(errors)
        if not count:
            return True
        unseen = math.sqrt(max(0.0, 1 - count / self.images)) if self.images else 0.0
        spread = errors.std(ddof=1) if count > 1 else errors.mean()  # of one, that of an exponential distribution
        doubt = SURE * unseen * spread / math.sqrt(count) if unseen else 0.0
        most = 255**2 * 10 ** (-self.psnr_db / 10)
        return bool(errors.mean() + doubt <= most * (1 + EXACT))


@final
@dataclass(frozen=True)
class Recognition(Fidelity):
    """A classifier's accuracy, 0 to 1; `accuracy` tells it of the measured images as they came back."""

    least: float
    accuracy: Callable[[Pixels], float]

    def is_kept(self, originals: Pixels, recovered: Pixels) -> bool:
        return self.accuracy(recovered) >= self.least
