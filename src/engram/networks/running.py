"""Pixels to tensors and back, and a trained network run over a set: the one place that converts."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engram.images import Pixels

BATCH = 1000
CACHED = 40
"""Images whose activations in a convolutional classifier stay in a core's cache: twice as fast there as BATCH."""


def to_tensor(pixels: Pixels) -> Tensor:
    """float32[n, c, h, w] in [0, 1] of uint8[n, h, w, c]."""
    return torch.tensor(pixels).permute(0, 3, 1, 2).to(torch.float32).div_(255).contiguous()


def to_pixels(images: Tensor) -> Pixels:
    """uint8[n, h, w, c] of float32[n, c, h, w], rounded to the nearest and clipped to 0..255."""
    rounded = images.mul(255).round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).cpu().numpy())


@torch.no_grad()
def recover(network: nn.Module, pixels: Pixels) -> Pixels:
    """The images as an auto-associative network gives them back, uint8[n, h, w, c]."""
    device = next(network.parameters()).device
    parts = [to_pixels(network(to_tensor(part).to(device))) for part in _batches(pixels)]
    return np.concatenate([pixels[:0], *parts])


@torch.no_grad()
def classify(network: nn.Module, pixels: Pixels) -> NDArray[np.int64]:
    """The class that a classifier gives each image the highest score for, int64[n]."""
    device = next(network.parameters()).device
    training = network.training
    size = CACHED if device.type == "cpu" else BATCH
    network.eval()
    parts = [network(to_tensor(part).to(device)).argmax(1).cpu().numpy() for part in _batches(pixels, size)]
    network.train(training)
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _batches(pixels: Pixels, size: int = BATCH) -> list[Pixels]:
    return [pixels[first : first + size] for first in range(0, len(pixels), size)]
