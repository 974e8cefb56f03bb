"""One piece of a comparison: what is to be measured, and what was found, kept by what it depends on."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as emit

from engram.experiments.comparison.material import Material
from engram.experiments.comparison.row import Row
from engram.files import replacing_file
from engram.images import Pixels
from engram.training.workers import Tick

REVISION = 1
"""Goes up when findings of before would be read wrongly."""


@dataclass(frozen=True, eq=False)
class Finding:
    """What a job found. rows: of the table. facts: JSON-able, for a section of the page. pictures: uint8 arrays.

    seconds: of processor time that it took. error: why nothing was found, in one line; empty where all went well.
    lasting: whether it would be found again; a library may be installed the next time.
    """

    rows: tuple[Row, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Pixels] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    lasting: bool = True

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        told = {"rows": self.rows, "facts": self.facts, "seconds": self.seconds, "error": self.error}
        pictures = {name: np.ascontiguousarray(array) for name, array in self.pictures.items()}
        with replacing_file(path) as file:
            file.write(emit(pictures or {"none": np.zeros(0, np.uint8)}, {"finding": json.dumps(told)}))


def load(path: Path) -> Finding | None:
    """What `save` wrote; None where there is nothing, or nothing to trust."""
    try:
        with safe_open(path, framework="np") as file:
            found = json.loads((file.metadata() or {})["finding"])
        pictures = {name: array for name, array in load_file(path).items() if name != "none"}
        return Finding(tuple(found["rows"]), found["facts"], pictures, found["seconds"], found.get("error", ""))
    except (OSError, KeyError, ValueError, SafetensorError):
        return None


@dataclass(frozen=True, eq=False)
class Job(ABC):
    """Something to measure. Its fields are JSON-able, and with the images and the versions say what will be found."""

    libraries: ClassVar[tuple[str, ...]] = ("engram-images", "torch", "numpy", "scikit-learn", "scikit-image")
    """Whose versions matter."""
    name: str

    @abstractmethod
    def seconds(self, material: Material) -> float:
        """Roughly how long it takes on one core: to order the jobs, and to weigh the progress bar."""

    @abstractmethod
    def run(self, material: Material, tick: Tick) -> Finding:
        """What is found. Whatever it raises becomes a row with the error."""

    def depends(self) -> list[str]:
        """What the finding depends on beside the job's fields, the images and the versions."""
        return []

    def placed(self) -> Row:
        """The first columns of this job's rows."""
        return {"method": self.name}

    def key(self, material: Material) -> str:
        """The name of its finding's file: of letters, digits and '-', and different where anything is that matters."""
        depends = [type(self).__name__, asdict(self), material.fingerprint, versions(self.libraries), REVISION]
        depends += self.depends()
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        return f"{''.join(c if c.isalnum() else '-' for c in self.name)}-{digest[:20]}"


@cache
def versions(libraries: tuple[str, ...]) -> dict[str, str]:
    """The version of each library; "none" where it is missing."""
    found = {}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found
