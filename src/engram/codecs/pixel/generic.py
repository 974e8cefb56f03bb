"""A pixel code's networks used for images of another size than they were trained on: they look at neighbours alone."""

from __future__ import annotations

from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.network import CausalNetwork, joined
from engram.coding.neighbourhood import Neighbourhood


def brought_to(codec: Pixel, image_shape: tuple[int, int, int], max_error: int = 0) -> Pixel:
    """The codec with the same model, for images of as many channels. Raises MisfitNetwork where they are too large."""
    trained = codec.network.neighbourhood
    if image_shape == codec.image_shape:
        return Pixel(codec.network, 2 * max_error + 1)
    around = Neighbourhood(image_shape, trained.radius, trained.knots, trained.edges)
    networks = tuple(CausalNetwork(around, network.layers, network.high) for network in codec.network.networks)
    return Pixel(joined(networks), 2 * max_error + 1)
