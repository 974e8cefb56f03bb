"""A trained network in a file: safetensors for the weights, JSON (in its header) for everything else.

One file, since two can disagree. It holds the plain description, so reading it, and encoding with it, needs no torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse
from safetensors.numpy import save as emit

from engram import layers, storage
from engram.errors import CorruptData, UsageError
from engram.files import replacing_file
from engram.storage import Location

FORMAT = "engram-model/1"
KINDS: dict[str, type[layers.Layer]] = {
    kind.kind: kind
    for kind in (
        layers.Dense,
        layers.Convolution,
        layers.TransposedConvolution,
        layers.Features,
        layers.MaxPooling,
        layers.Pad,
        layers.Crop,
        layers.Reshape,
        layers.Unshuffle,
        layers.Shuffle,
    )
}
_LEAST = {"stride": 1, "size": 1, "height": 1, "width": 1, "padding": 0}
"""The smallest whole number of each of a layer's settings."""


class CorruptModel(CorruptData):
    """A model file that is damaged, or describes no network."""


class ModelNotFound(UsageError):
    """There is no model file of that name."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network as plain data, and the facts of its training (JSON-able): options, recipe, seed, history."""

    network: layers.Network
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells its training from others: the method, the seed, and the images it saw."""
        return {"method": self.network.method} | {key: self.facts.get(key) for key in ("seed", "images_sha256")}

    def save(self, path: Path, *, half: bool = False) -> None:
        """Write the file atomically, in floats of 32 bits, or of 16. A matrix that two layers share is stored once."""
        tensors: dict[str, NDArray[np.floating[Any]]] = {}
        described: dict[str, list[dict[str, Any]]] = {}
        for part in ("analysis", "synthesis", "prior"):
            described[part] = []
            for index, layer in enumerate(getattr(self.network, part)):
                settings: dict[str, Any] = {"kind": layer.kind}
                for item in fields(layer):
                    value = getattr(layer, item.name)
                    if not isinstance(value, np.ndarray):
                        settings[item.name] = value
                    elif not (item.name == "weight" and getattr(layer, "shares_weight", False)):
                        tensors[f"{part}.{index}.{item.name}"] = value.astype(np.float16) if half else value
                described[part].append(settings)
        header = {
            "format": FORMAT,
            "method": self.network.method,
            "image_shape": self.network.image_shape,
            "facts": self.facts,
        }
        metadata = {"engram": json.dumps(header | described, sort_keys=True)}
        with replacing_file(path) as file:
            file.write(emit(tensors, metadata))


def load(location: Location) -> Model:
    """The model that `save` wrote, of a path or a URL. Raises ModelNotFound, CorruptModel, and for URLs `storage`'s."""
    path = storage.shown(location)
    if not storage.is_url(location) and not Path(location).is_file():
        raise ModelNotFound(f"there is no model file {path}; `engram train DATA --method M -o {path}` makes one")
    data = storage.read_whole(location)
    try:
        found = parse(data)
        text = data[8 : 8 + int.from_bytes(data[:8], "little")]  # as safetensors lays it out, which `parse` has checked
        header = json.loads(json.loads(text)["__metadata__"]["engram"])
        if header["format"] != FORMAT:
            raise CorruptModel(f"{path} is of format {header['format']!r}; this version reads {FORMAT!r}")
        tensors = {name: values.astype(np.float32, copy=False) for name, values in found.items()}
        for name, values in tensors.items():
            if not np.isfinite(values).all():
                raise CorruptModel(f"{path}: {name} holds values that are not finite; train it again")
        analysis = [_layer(f"analysis.{i}", s, tensors, []) for i, s in enumerate(header["analysis"])]
        matrices = [layer.weight for layer in analysis if isinstance(layer, layers.Dense)]
        synthesis = [_layer(f"synthesis.{i}", s, tensors, matrices) for i, s in enumerate(header["synthesis"])]
        height, width, channels = (int(side) for side in header["image_shape"])
        prior = [_layer(f"prior.{i}", s, tensors, []) for i, s in enumerate(header.get("prior", []))]
        network = layers.Network(
            header["method"], (height, width, channels), tuple(analysis), tuple(synthesis), tuple(prior)
        )
        shapes = layers.shapes(network.analysis + network.synthesis, network.input_shape)
        for before, after in zip(shapes[:1] + shapes, shapes, strict=False):
            if min(after) < 1:
                raise CorruptModel(f"{path}: its layers make {after} of {before}")
        if network.synthesis and shapes[-1] != network.input_shape:
            raise CorruptModel(f"{path}: its layers lead from {network.input_shape} to {shapes[-1]}")
        return Model(network, header["facts"])
    except (SafetensorError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise CorruptModel(f"{path} is no model of engram, or a damaged one: {error}") from error


def _layer(
    name: str, settings: dict[str, Any], tensors: dict[str, layers.Weights], matrices: list[layers.Weights]
) -> layers.Layer:
    """The layer of its settings and tensors; one that shares its weight takes the transpose of the last matrix.

    Each dense layer uses up one of `matrices`, so that the first of the synthesis mirrors the last of the analysis.
    """
    kind = KINDS[settings["kind"]]
    for key, least in _LEAST.items():
        value = settings.get(key, least)
        if type(value) is not int or value < least:
            raise ValueError(f"layer {name} has a {key} of {value}")
    values: dict[str, Any] = {key: value for key, value in settings.items() if key != "kind"}
    values |= {item.name: tensors[key] for item in fields(kind) if (key := f"{name}.{item.name}") in tensors}
    if kind is layers.Dense and matrices:
        mirrored = matrices.pop()
        if settings["shares_weight"]:
            values["weight"] = np.ascontiguousarray(mirrored.T)
    if kind is layers.Reshape:
        values["shape"] = tuple(values["shape"])
    return kind(**values)
