"""SVG as elements: built for a file, rebuilt for the page."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from engram.report.ink import color, themed
from engram.report.wording import printable

NARROW, WIDE = frozenset("fijlrtI .,:;'|()[]-"), frozenset("mwMW@%")


def element(tag: str, *children: Element | str, **attributes: object) -> Element:
    """An SVG element of text and elements.

    `_` in an attribute's name is written `-`, and left out at its end; floats get two digits.
    """
    made = Element(tag)
    for key, value in attributes.items():
        made.set(key.removesuffix("_").replace("_", "-"), f"{value:.2f}" if isinstance(value, float) else str(value))
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = printable(child)
        else:
            made.text = printable(child)
    return made


def text(x: float, y: float, *children: Element | str, ink: str = "ink", more: str = "") -> Element:
    """A line of text whose baseline begins at (x, y); `more` is further style."""
    return element("text", *children, x=x, y=y, style=f"fill: {color(ink)}; font-size: 12px; {more}".strip("; "))


def text_width(words: str, size: float = 12, bold: bool = False) -> float:
    """About how many pixels a line of text takes in a wide sans-serif."""
    ems = sum(0.38 if letter in NARROW else 0.95 if letter in WIDE else 0.63 for letter in words)
    return ems * size * (1.1 if bold else 1)


def document(width: float, height: float, elements: list[Element], scale: float = 1, margin: int = 0) -> str:
    """A stand-alone SVG file on white paper, shown `scale` times as large as its coordinates say.

    `margin` is kept free around the `width` by `height` of the elements.
    """
    whole = width + 2 * margin, height + 2 * margin
    root = element(
        "svg",
        element("rect", x=-margin, y=-margin, width="100%", height="100%", style=f"fill: {color('paper')}"),
        *elements,
        xmlns="http://www.w3.org/2000/svg",
        width=f"{whole[0] * scale:g}",
        height=f"{whole[1] * scale:g}",
        viewBox=f"{-margin} {-margin} {whole[0]:g} {whole[1]:g}",
        style="font-family: 'DejaVu Sans', sans-serif",
    )
    return ElementTree.tostring(root, encoding="unicode")


def inline(svg: str, prefix: str, description: str, role: str = "img") -> str:
    """An SVG file as a part of the page: themed, named for screen readers, its ids apart from other figures'."""
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in [child for child in parent if child.tag.endswith("}style")]:
            parent.remove(child)  # in a page it would hold for everything
    for node in root.iter():
        node.tag = node.tag.split("}")[-1]
        for key, value in list(node.items()):
            del node.attrib[key]
            node.set(key.split("}")[-1], _apart(key.split("}")[-1], value, prefix))
    width, height = (root.get(side, "").removesuffix("pt") for side in ("width", "height"))
    root.attrib.pop("style", None)  # the page's own font
    root.attrib |= {"width": width, "height": height, "role": role, "aria-label": printable(description)}
    return ElementTree.tostring(root, encoding="unicode")


def _apart(key: str, value: str, prefix: str) -> str:
    match key:
        case "id":
            return f"{prefix}-{value}"
        case "href":
            return value.replace("#", f"#{prefix}-", 1)
        case "style":
            return themed(value)
        case _:
            return value.replace("url(#", f"url(#{prefix}-")
