"""Kinds of pictures, and the layers that they are coded as.

A codec takes uint8 of one channel or three. A picture of another kind is several such layers: its colours, then its
alpha; of 16 bits, the high bytes, then the low bytes. So each kind is exact wherever the codecs of its layers are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import UsageError

AnyPixels = NDArray[Any]
"""uint8 or uint16[..., h, w, c], c = 1 to 4."""


@dataclass(frozen=True)
class Kind:
    """name: as FORMAT.md has it. channels: 1 to 4. bits: of each value, 8 or 16. layers: the channels of each layer."""

    name: str
    channels: int
    bits: int
    layers: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the pixels."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel says how opaque a pixel is."""
        return self.channels in (2, 4)

    def split(self, pixels: AnyPixels) -> list[NDArray[np.uint8]]:
        """The layers of pixels[..., c], each uint8[..., 1 or 3]."""
        if len(self.layers) == 1:
            return [pixels]
        if self.bits == 16:
            return [(pixels >> 8).astype(np.uint8), pixels.astype(np.uint8)]
        colours = self.layers[0]
        return [np.ascontiguousarray(pixels[..., :colours]), np.ascontiguousarray(pixels[..., colours:])]

    def join(self, layers: list[NDArray[np.uint8]]) -> AnyPixels:
        """The inverse of `split`."""
        if len(layers) == 1:
            return layers[0]
        if self.bits == 16:
            return (layers[0].astype(np.uint16) << 8) | layers[1]
        return np.concatenate(layers, axis=-1)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("gray", 1, 8, (1,)),
        Kind("gray-alpha", 2, 8, (1, 1)),
        Kind("rgb", 3, 8, (3,)),
        Kind("rgba", 4, 8, (3, 1)),
        Kind("gray16", 1, 16, (1, 1)),
        Kind("rgb16", 3, 16, (3, 3)),
    )
}
"""All kinds, by their names."""


def kind_of(pixels: AnyPixels) -> Kind:
    """The kind of pixels[..., c]. Raises UsageError for pixels of no kind."""
    for kind in KINDS.values():
        if pixels.ndim and (kind.channels, kind.dtype) == (pixels.shape[-1], pixels.dtype):
            return kind
    raise UsageError(
        f"pixels are uint8 with 1 to 4 channels, or uint16 with 1 or 3, not {pixels.dtype}{list(pixels.shape)}"
    )
