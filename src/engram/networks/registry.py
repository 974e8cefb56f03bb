"""The trainable networks by method name."""

from __future__ import annotations

from typing import Any

import torch

from engram.errors import UsageError
from engram.models import Model
from engram.networks.autoassociative import AutoAssociative
from engram.networks.bidirectional import BidirectionalAutoencoder
from engram.networks.classifier import Classifier
from engram.networks.convolutional import ConvolutionalAutoencoder
from engram.networks.deep import DeepAutoencoder
from engram.networks.dense import DenseAutoencoder
from engram.networks.judge import JudgeNetwork
from engram.networks.pixel import PixelNetwork
from engram.networks.restoration import RestorationNetwork
from engram.networks.sparse import SparseAutoencoder
from engram.networks.spatial import Spatial
from engram.networks.stacked import StackedAutoencoder
from engram.networks.tied import TiedAutoencoder

Trainable = AutoAssociative | Classifier | JudgeNetwork | PixelNetwork

NETWORKS: dict[str, type[Trainable]] = {
    network.method: network
    for network in (
        ConvolutionalAutoencoder,
        DenseAutoencoder,
        TiedAutoencoder,
        SparseAutoencoder,
        BidirectionalAutoencoder,
        DeepAutoencoder,
        StackedAutoencoder,
        Classifier,
        JudgeNetwork,
        Spatial,
        PixelNetwork,
        RestorationNetwork,
    )
}


def make(
    method: str, image_shape: tuple[int, int, int], seed: int = 0, initial_scale: float = 1.0, **options: Any
) -> Trainable:
    """A network with weights drawn from the seed, times initial_scale; the caller's random state is left as it was.

    Raises UsageError for an unknown method or option.
    """
    if method not in NETWORKS:
        raise UsageError(f"there is no method {method!r} to train; there are {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        try:
            network = NETWORKS[method](image_shape, **options)
        except TypeError as error:
            raise UsageError(f"{method} takes no such option: {error}") from error
        for parameter in network.parameters():
            parameter.mul_(initial_scale)
    return network


def restore(model: Model) -> Trainable:
    """The network of a trained model, to be used as it is. Raises UsageError or CorruptData where they do not fit."""
    network = make(model.network.method, model.network.image_shape, **model.facts.get("options", {}))
    network.absorb(model.network)
    return network.eval()
