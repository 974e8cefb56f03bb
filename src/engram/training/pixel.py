"""Training a pixel code for the fewest bits: each step takes some pixels of the batch's images with their neighbours.

Most values among zeros are zeros, so a step looks at few of these and counts each for more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from engram.coding.neighbourhood import AHEAD, FULL
from engram.networks.pixel import PixelNetwork
from engram.training.distributed import world
from engram.training.recipe import Recipe
from engram.training.steps import Step, descend, optimiser_state, restore_optimiser

AMONG_OTHERS, AMONG_ZEROS = 8192, 512
"""How many values a step takes, about, that have a neighbour other than 0, and that have none."""
WARM_UP = 300
"""Steps until the learning rate is what the recipe says, or a fifth of all."""
LEAST_RATE = 0.01
"""Of the recipe's learning rate, at the end of the cosine."""
OTHERS = 0.1
"""Of the recipe's learning rate, what Adam takes for the parameters that Muon does not change."""


@final
class CodeLengthStep(Step):
    """Steps towards the fewest bits, over all epochs of the recipe. The loss is in bits for a value of an image."""

    def __init__(self, network: PixelNetwork, recipe: Recipe, images: Tensor, seed: int) -> None:
        self.network, self.recipe, self.seed, self.done = network, recipe, seed, 0
        self.steps = recipe.epochs * -(-len(images) // recipe.batch_size)
        self.optimisers = _optimisers(network, recipe)
        self.draws = torch.Generator(images.device)
        around = network.neighbourhood
        self.taps = torch.from_numpy(around.taps).to(images.device)
        self.positions = torch.from_numpy(around.positions).to(images.device, torch.float32) / FULL

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        rate = min(1.0, (self.done + 1) / min(WARM_UP, 1 + self.steps // 5))
        rate *= LEAST_RATE + (1 - LEAST_RATE) * (0.5 + 0.5 * math.cos(math.pi * self.done / self.steps))
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * rate
        self.draws.manual_seed((self.seed << 32) + self.done)
        loss = self._bits(inputs)
        self.done += 1
        return descend(list(self.optimisers.values()), loss)

    def _bits(self, images: Tensor) -> Tensor:
        """The mean bits of a value, estimated from the pixels drawn."""
        network = self.network
        around, channels = network.neighbourhood, network.channels
        if channels == 3:
            images = images[:, [1, 0, 2]]  # as `neighbourhood.ordered`
        symbols = torch.div(images * 255 + network.step // 2 + 0.5, network.step).floor()
        gray = (symbols * network.step).clamp_max(255)
        canvases = functional.pad(gray, (around.radius, AHEAD, around.radius, 0))
        near = torch.stack([canvases[:, :, 1:, 1:-1], canvases[:, :, :-1, :-2], canvases[:, :, :-1, 2:]]).amax((0, 2))
        others = near[:, around.radius - 1 :, around.radius - 1 : around.radius - 1 + images.shape[3]]
        busy = others.reshape(-1) > 0
        flat = canvases.permute(0, 2, 3, 1).reshape(-1)
        symbols = symbols.permute(0, 2, 3, 1).reshape(-1, channels).long()
        nats = flat.new_zeros(())
        for wanted, most in ((busy, AMONG_OTHERS), (~busy, AMONG_ZEROS)):
            where = torch.nonzero(wanted)[:, 0]
            if len(where):
                drawn = where[torch.randint(len(where), (most // channels,), generator=self.draws, device=where.device)]
                part = world().part(len(drawn))
                drawn = part.of(drawn)
                pixels = len(self.positions) // channels
                starts = (drawn // pixels * around.canvas_size)[:, None]
                for channel in range(channels):
                    value = drawn % pixels * channels + channel
                    x = network.inputs(flat, self.taps[value] + starts, self.positions[value])
                    cost = network.nats(network(x, channel), symbols[drawn, channel])
                    nats = nats + cost.mean() * (len(where) / len(symbols) * part.weight)
        return nats / (channels * math.log(2))

    def state(self) -> dict[str, Tensor]:
        states = {name: optimiser_state(optimiser) for name, optimiser in self.optimisers.items()}
        remembered = {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}
        return {"done": torch.tensor(self.done)} | remembered

    def restore(self, state: Mapping[str, Tensor]) -> None:
        rest = dict(state)
        self.done = int(rest.pop("done"))
        for name, optimiser in self.optimisers.items():
            start = f"{name}."
            own = {key.removeprefix(start): value for key, value in rest.items() if key.startswith(start)}
            restore_optimiser(optimiser, own)


def _optimisers(network: PixelNetwork, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    """What changes the parameters, by name. Each group's `initial_lr` is its learning rate before any schedule.

    Muon changes the matrices of the hidden layers; heads and biases stay with Adam.
    """
    matrices = network.hidden_weights() if recipe.optimiser == "muon" else []
    taken = {id(weight) for weight in matrices}
    others = [parameter for parameter in network.parameters() if id(parameter) not in taken]
    rate = recipe.learning_rate * (OTHERS if matrices else 1)
    made: dict[str, torch.optim.Optimizer] = {"others": torch.optim.Adam(others, rate, (0.9, 0.98), fused=True)}
    if matrices:
        made["matrices"] = torch.optim.Muon(
            matrices, recipe.learning_rate, weight_decay=0, adjust_lr_fn="match_rms_adamw"
        )
    for optimiser in made.values():
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return made
