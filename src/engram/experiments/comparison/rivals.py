"""The classical formats, one setting of one format in one layout at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from engram.errors import EngramError
from engram.evaluation.rivals import RIVALS, Layout
from engram.evaluation.sharing import share
from engram.experiments.comparison.job import Finding, Job
from engram.experiments.comparison.material import Material
from engram.experiments.comparison.row import Row, kept, strip, timed
from engram.training.workers import Tick

FAMILIES: dict[Layout, str] = {
    "each": "classical, a file each",
    "shared": "classical, a file each",
    "atlas": "classical, one picture",
    "stream": "general compressors",
}
"""What the rivals of each layout are called together."""
SLOW = {"avif": 8e-3, "jxl": 1.2e-3, "jxl-lossless": 4e-3, "webp-lossless": 10e-3, "xz": 3e-3, "zstd": 3e-3}
QUICK = 3e-4
"""Seconds an image, roughly."""


class BrokenPromise(EngramError):
    """A format that loses nothing gave back other pixels."""


@final
@dataclass(frozen=True, eq=False)
class RivalPoint(Job):
    """A format at one setting of its dial, in layouts that are made of the same files. name: that of FORMATS."""

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pillow", "imagecodecs")
    setting: float
    layouts: tuple[Layout, ...]

    def seconds(self, material: Material) -> float:
        return len(material.test) * SLOW.get(self.name, QUICK)

    def placed(self) -> Row:
        return self._placed(self.layouts[0])

    def _placed(self, layout: Layout) -> Row:
        return {"method": f"{self.name}-{layout}", "family": FAMILIES[layout], "setting": f"{self.setting:g}"}

    def run(self, material: Material, tick: Tick) -> Finding:
        images, count = material.test.images, len(material.test)
        rival = RIVALS[f"{self.name}-{self.layouts[0]}"]
        encoding_seconds, files = timed(lambda: rival.encode(images, self.setting))
        decoding_seconds, recovered = timed(lambda: rival.decode(files, count, material.test.image_shape))
        left = kept(material, recovered)
        if rival.lossless and left["max_error"]:
            raise BrokenPromise(f"{rival.name} promises to lose nothing, and is off by {left['max_error']}")
        figures = {
            "made_by": rival.format.made_by,
            "model_bytes": 0,
            "encode_images_per_second": count / encoding_seconds,
            "decode_images_per_second": count / decoding_seconds,
            "random_access": rival.random_access,
        }
        rows = []
        for layout in self.layouts:
            total = sum(map(len, share(files) if layout == "shared" else files))
            size = {"total_bytes": total, "bytes_per_image": total / count, "bytes_per_image_with_model": total / count}
            rows.append(self._placed(layout) | size | figures | left)
        shown = strip(material, recovered)
        return Finding(tuple(rows), pictures={str(at): shown for at in range(len(rows))})
