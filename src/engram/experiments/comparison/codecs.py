"""The codecs of engram: each is made once, by training or from what engram brings, and measured along its dial."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, final

from engram.archive import shipped
from engram.codecs.contract import Codec
from engram.codecs.dial import OutOfReach, freeze_to_bytes
from engram.codecs.freeze import freeze
from engram.codecs.projection import project
from engram.codecs.raw import Raw
from engram.codecs.spatial.codec import Spatial
from engram.errors import EngramError
from engram.experiments.comparison.job import Finding, Job
from engram.experiments.comparison.material import Material
from engram.experiments.comparison.row import Row, confusions, packed, strip
from engram.images import Pixels
from engram.layers import Network
from engram.training.budget import Budget
from engram.training.fit import fit
from engram.training.learning import learn, learn_spatial
from engram.training.workers import Tick

MANY_BITS = 4
Settings = Iterator[tuple[str, Codec]]
"""What a setting is called, and the codec at it."""


@dataclass(frozen=True, eq=False)
class CodecJob(Job):
    """A codec along its dial. family: what it stands with in the table."""

    family: str

    @abstractmethod
    def codecs(self, material: Material, tick: Tick) -> Settings:
        """The settings from the fewest bytes to the most."""

    def placed(self) -> Row:
        return {"method": self.name, "family": self.family}

    def run(self, material: Material, tick: Tick) -> Finding:
        rows: list[Row] = []
        confused: list[dict[str, Any]] = []
        pictures: dict[str, Pixels] = {}
        for setting, codec in self.codecs(material, tick):
            figures, recovered = packed(material, codec)
            pictures[str(len(rows))] = strip(material, recovered)
            counts = confusions(material, material.test.with_images(recovered))
            confused.append({judge: own.tolist() for judge, own in counts.items()})
            rows.append(self.placed() | {"setting": setting} | figures)
        return Finding(tuple(rows), {"confusion": confused}, pictures)


@final
@dataclass(frozen=True, eq=False)
class RawPixels(CodecJob):
    """The images as they are: what all is held against."""

    def seconds(self, material: Material) -> float:
        return 1e-3 * len(material.test)

    def codecs(self, material: Material, tick: Tick) -> Settings:
        yield "", Raw(material.test.image_shape)


@final
@dataclass(frozen=True, eq=False)
class Brought(CodecJob):
    """Models that come with engram, one setting for each: a pixel model, or a step of a spatial one."""

    models: tuple[str, ...]
    steps: tuple[int, ...] = ()

    def seconds(self, material: Material) -> float:
        return 4e-3 * len(material.test) * max(1, len(self.steps)) * len(self.models)

    def depends(self) -> list[str]:
        return [shipped.checksum(name) for name in self.models]

    def codecs(self, material: Material, tick: Tick) -> Settings:
        for name in self.models:
            codec = shipped.load(name, material.test.image_shape)
            if isinstance(codec, Spatial):
                for step in self.steps:
                    yield f"step {step / 2:g}", codec.at(step)
            else:
                yield name, codec


class DoesNotPay(EngramError):
    """A collection too small for a kind of model."""


@final
@dataclass(frozen=True, eq=False)
class Learned(CodecJob):
    """What `engram pack` learns of a collection in so many seconds: lossless where there are no steps."""

    budget_seconds: float
    steps: tuple[int, ...] = ()
    max_errors: tuple[int, ...] = ()

    def seconds(self, material: Material) -> float:
        runs = len(self.max_errors) or 1
        return runs * (self.budget_seconds + 4e-3 * len(material.test) * max(1, len(self.steps)))

    def codecs(self, material: Material, tick: Tick) -> Settings:
        count = len(material.test)
        for error in self.max_errors:
            codec = learn(material.train, Budget(self.budget_seconds), images=count, max_error=error)
            yield f"largest error {error}", codec
        if self.steps:
            spatial = learn_spatial(material.train, Budget(self.budget_seconds), images=count)
            if spatial is None:
                raise DoesNotPay(f"{self.name}: the smallest model is larger than what it saves of {count:,} images")
            yield from ((f"step {step / 2:g}", spatial.at(step)) for step in self.steps)


@dataclass(frozen=True, eq=False)
class NetworkJob(CodecJob):
    """A network of which `freeze` makes a codec for each of the bytes asked for; what it cannot take is left out."""

    bytes_asked: tuple[int, ...]

    @abstractmethod
    def network(self, material: Material, tick: Tick) -> Network:
        """The network, trained."""

    def codecs(self, material: Material, tick: Tick) -> Settings:
        network, reached = self.network(material, tick), 0
        for asked in self.bytes_asked:
            with suppress(OutOfReach):
                yield f"{asked} bytes asked", freeze_to_bytes(network, material.train, asked)
                reached += 1
        if not reached:  # a code of few numbers
            yield f"{MANY_BITS} bits a unit", freeze(network, material.train, bits=MANY_BITS)


@final
@dataclass(frozen=True, eq=False)
class Trained(NetworkJob):
    """A network that `fit` trains, the method of its name."""

    seed: int
    seconds_per_image: float
    recipe: dict[str, Any] = field(default_factory=dict)

    def seconds(self, material: Material) -> float:
        epochs: int = self.recipe["epochs"]
        return self.seconds_per_image * epochs * len(material.train) + 5e-4 * len(material.test) * len(self.bytes_asked)

    def placed(self) -> Row:
        return super().placed() | {"seed": self.seed}

    def network(self, material: Material, tick: Tick) -> Network:
        each = self.seconds_per_image * len(material.train)
        return fit(
            material.train,
            self.name,
            self.seed,
            progress=lambda done, epochs: tick(each),
            **self.recipe,
        ).network


@final
@dataclass(frozen=True, eq=False)
class Projected(NetworkJob):
    """A projection that is solved at once, into a code of so many units; None: as many as it has."""

    units: int | None

    def seconds(self, material: Material) -> float:
        return 1e-3 * len(material.train) + 5e-4 * len(material.test) * len(self.bytes_asked)

    def network(self, material: Material, tick: Tick) -> Network:
        return project(material.train, self.name, self.units).network
