"""A network drawn from its own description, from the image down: what flows as solids, the layers between them.

Maps are cuboids, rows of units are bars, each half of the network has its colour, and the code stands on a band.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import final
from xml.etree.ElementTree import Element

import numpy as np

from engram.document import Topology
from engram.layers import (
    Convolution,
    Crop,
    Dense,
    Features,
    Layer,
    MaxPooling,
    Network,
    Pad,
    Reshape,
    Shape,
    Shuffle,
    TransposedConvolution,
    Unshuffle,
    shapes,
)
from engram.report.ink import color
from engram.report.svg import document, element, text
from engram.report.wording import dimensions, label, number

MARGIN = 14  # left of the solids, where a shared matrix is shown
LAYER = 46  # height of what stands between two solids
HEADING = 22  # more of it where a half's name stands above
LINE = 16
BAR = 14


def draw(topology: Topology, width: int) -> str:
    """The network as SVG: a shape is channels by height by width, or units."""
    wide = width >= 600
    scale = _Scale(topology.network, solids_width=150 if wide else 80)
    return _Drawing(topology.network, scale, 460 if wide else width).svg(enlarged=1.25 if wide else 1)


@final
class _Scale:
    """How large a shape is drawn: maps by their sides, rows by their length, both against the network's largest."""

    def __init__(self, network: Network, solids_width: float) -> None:
        found = shapes(network.analysis + network.synthesis, network.input_shape)
        self.width = solids_width
        self.longest_side = max((side for shape in found if len(shape) == 3 for side in shape[1:]), default=1)
        self.most_units = max((shape[0] for shape in found if len(shape) == 1), default=1)

    def face(self, shape: Shape) -> tuple[float, float]:
        """(width, height) of a solid's face."""
        if len(shape) == 1:
            return max(6.0, self.width * shape[0] / self.most_units), BAR
        _, height, width = shape
        side = 0.5 * self.width / self.longest_side
        return max(5.0, width * side), max(5.0, height * side)

    def depth(self, shape: Shape) -> float:
        """How far a solid reaches back: more for more maps."""
        return 0.0 if len(shape) == 1 else min(0.3 * self.width, 3 * math.sqrt(shape[0]))


@final
class _Drawing:
    """A pen that moves down from solid to layer to solid."""

    def __init__(self, network: Network, scale: _Scale, width: float) -> None:
        self.network, self.scale, self.width = network, scale, width
        self.center = MARGIN + scale.width / 2
        self.column = MARGIN + scale.width + 12
        self.y = 4.0
        self.elements: list[Element] = []
        self.layer_y: dict[int, float] = {}  # the middle of each dense layer, by its place

    def svg(self, enlarged: float) -> str:
        network = self.network
        layers = network.analysis + network.synthesis
        found = shapes(layers, network.input_shape)
        code = len(network.analysis)
        if network.synthesis:
            self._heading("analysis", "blue")
        self._solid(found[0], "blue", "image")
        for place, (layer, (before, after)) in enumerate(zip(layers, pairwise(found), strict=True)):
            half = "blue" if place < code else "green"
            self._layer(layer, before, after, half, place, "synthesis" if place == code else "")
            if place + 1 == code and network.synthesis:
                self._code(after)
            else:
                last = "" if place + 1 < len(layers) else "recovered" if network.synthesis else "scores"
                self._solid(after, half, last)
        self._shared_matrices(layers)
        self._total()
        return document(self.width, math.ceil(self.y), self.elements, enlarged)

    def _heading(self, name: str, hue: str) -> None:
        style = "font-weight: bold; letter-spacing: 0.06em"
        self.elements.append(text(self.column, self.y + 14, name, ink=hue, more=style))
        self.y += HEADING

    def _solid(self, shape: Shape, hue: str, role: str = "", note: str = "") -> None:
        width, height = self.scale.face(shape)
        depth = self.scale.depth(shape)
        lift = 0.6 * depth
        left, right = self.center - (width + depth) / 2, self.center + (width - depth) / 2
        top, bottom = self.y + lift, self.y + lift + height
        sides = {
            0.9: [(left, top), (right, top), (right, bottom), (left, bottom)],
            0.45: [(left, top), (left + depth, self.y), (right + depth, self.y), (right, top)],
            0.65: [(right, top), (right + depth, self.y), (right + depth, bottom - lift), (right, bottom)],
        }
        for opacity, corners in sides.items() if depth else [(0.9, sides[0.9])]:
            self.elements.append(_polygon(corners, hue, opacity))
        middle = (self.y + bottom) / 2
        name = element("tspan", dimensions(shape), style="font-weight: bold")
        numbers = _muted(note or ("units" if len(shape) == 1 else f"{number(math.prod(shape), 0)} numbers"))
        words = [f"{role} "] if role else []
        if note:
            self.elements.append(text(self.column, middle - 4, *words, name))
            self.elements.append(text(self.column, middle + LINE - 5, numbers))
        else:
            self.elements.append(text(self.column, middle + 4, *words, name, " ", numbers))
        self.y = bottom

    def _code(self, shape: Shape) -> None:
        channels = self.network.input_shape[0]
        values = math.prod(self.network.input_shape)
        pixels = f"{number(values, 0)} {'pixels' if channels == 1 else 'values'}"
        numbers = math.prod(shape)
        solid = self.scale.face(shape)[1] + 0.6 * self.scale.depth(shape)
        height = max(solid, 2 * LINE) + 12
        style = f"fill: {color('orange')}; fill-opacity: 0.2; stroke: {color('orange')}"
        top = self.y
        self.elements.append(element("rect", x=0.5, y=top, width=self.width - 1, height=height, rx=6, style=style))
        self.y += (height - solid) / 2
        share = number(100 * numbers / values, 1)
        self._solid(shape, "vermillion", "code", f"{number(numbers, 0)} numbers for {pixels}, {share} %")
        self.y = top + height

    def _layer(self, layer: Layer, before: Shape, after: Shape, hue: str, place: int, heading: str) -> None:
        start = self.y
        if heading:
            self._heading(heading, hue)
        end = self.y + LAYER
        (wide, _), (narrow, _) = self.scale.face(before), self.scale.face(after)
        behind = self.center - self.scale.depth(before) / 2
        ahead = self.center + self.scale.depth(after) / 2
        corners = [
            (behind - wide / 2, start),
            (behind + wide / 2, start),
            (ahead + narrow / 2, end),
            (ahead - narrow / 2, end),
        ]
        self.elements.append(_polygon(corners, hue, 0.13))
        middle = end - LAYER / 2
        self.layer_y[place] = middle
        title, note = _words(layer)
        self.elements.append(text(self.column, middle + (-3 if note else 4), title))
        if note:
            self.elements.append(text(self.column, middle + LINE - 5, _muted(note)))
        self.y = end

    def _shared_matrices(self, layers: tuple[Layer, ...]) -> None:
        """A dashed line from each layer that shares its matrix to the one that stores it."""
        for place, layer in enumerate(layers):
            if not (isinstance(layer, Dense) and layer.shares_weight):
                continue
            for other, owner in enumerate(layers):
                if isinstance(owner, Dense) and other != place and np.array_equal(owner.weight.T, layer.weight):
                    start, end = self.layer_y[other], self.layer_y[place]
                    path = f"M {MARGIN + 6} {start:.1f} H 6 V {end:.1f} H {MARGIN + 6}"
                    style = f"fill: none; stroke: {color('muted')}; stroke-dasharray: 4 3"
                    self.elements.append(element("path", d=path, style=style))

    def _total(self) -> None:
        self.y += 12
        rule = f"stroke: {color('rule')}"
        self.elements.append(element("line", x1=0, x2=self.width, y1=self.y, y2=self.y, style=rule))
        words = f"{number(self.network.parameters, 0)} parameters"
        self.elements.append(text(self.column, self.y + 20, element("tspan", words, style="font-weight: bold")))
        self.elements.append(text(MARGIN, self.y + 20, label(self.network.method, 16), ink="muted"))
        self.y += 30


def _words(layer: Layer) -> tuple[str, str]:
    """What a layer does, and with what."""
    activation = {"none": "", "relu": ", ReLU", "sigmoid": ", sigmoid"}[getattr(layer, "activation", "none")]
    parameters = f"{number(layer.parameters, 0)} parameters"
    match layer:
        case Dense(weight=weight, shares_weight=shared):
            inputs, outputs = weight.shape
            title = f"{layer.kind} {number(inputs, 0)} → {number(outputs, 0)}{activation}"
            return title, f"same matrix, transposed · {parameters}" if shared else parameters
        case Convolution() | TransposedConvolution():
            padding = f", padding {layer.padding}" if layer.padding else ""
            title = f"{layer.kind} {dimensions(layer.weight.shape[2:])}{activation}"
            return title, f"stride {layer.stride}{padding} · {parameters}"
        case MaxPooling(size=size, stride=stride):
            return f"{layer.kind} {dimensions((size, size))}, stride {stride}", ""
        case Pad() | Crop():
            return f"{layer.kind} to {dimensions((layer.height, layer.width))}", ""
        case Reshape() | Unshuffle() | Shuffle() | Features():
            return layer.kind, ""


def _muted(words: str) -> Element:
    return element("tspan", words, style=f"fill: {color('muted')}; font-size: 11px; font-weight: normal")


def _polygon(corners: list[tuple[float, float]], hue: str, opacity: float) -> Element:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return element("polygon", points=points, style=f"fill: {color(hue)}; fill-opacity: {opacity}")
