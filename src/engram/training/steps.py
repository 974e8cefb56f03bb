"""One optimiser step on one batch: by automatic differentiation, or written out where that is much faster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.errors import UsageError
from engram.networks.fully_connected import FullyConnected
from engram.networks.sparse import SparseAutoencoder
from engram.networks.tied import TiedAutoencoder
from engram.training.distributed import batch_mean, world
from engram.training.recipe import Recipe

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
"""(gradient of a sigmoid's output, that output, grad_input=where to write) to the gradient of its input."""

Objective = Callable[[Tensor, Tensor], Tensor]
"""(network output, target) to the mean loss of the batch, a scalar."""


class Step(ABC):
    """Changes a network's weights by one batch, of which each rank that trains takes its part."""

    @abstractmethod
    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The batch's mean loss before the step, a detached scalar."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What the optimiser remembers beside the weights, for a checkpoint."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set what `state` gave."""


def step_for(network: nn.Module, recipe: Recipe, objective: Objective) -> Step:
    """The fastest step that computes what the recipe says. One that writes no gradient has none to share with ranks."""
    plain = recipe.optimiser == "sgd" and recipe.momentum == 0 and objective is functional.mse_loss
    if plain and isinstance(network, FullyConnected) and network.output == "sigmoid" and world().size == 1:
        return FullyConnectedDescent(network, recipe.learning_rate)
    return AutogradStep(network, recipe, objective)


class AutogradStep(Step):
    """Any network, any objective, torch's own optimisers."""

    def __init__(self, network: nn.Module, recipe: Recipe, objective: Objective) -> None:
        self.network = network
        self.objective = objective
        self.optimiser: torch.optim.Optimizer
        if recipe.optimiser == "muon":
            raise UsageError("muon is for pixel codes; other networks are trained by sgd or adam")
        if recipe.optimiser == "adam":
            self.optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate, fused=True)
        else:
            self.optimiser = torch.optim.SGD(
                network.parameters(), recipe.learning_rate, momentum=recipe.momentum, fused=True
            )

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        part = world().part(len(inputs))
        return descend([self.optimiser], self._loss(part.of(inputs), part.of(targets)) * part.weight)

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        if isinstance(self.network, SparseAutoencoder):
            code = self.network.analysis(inputs)
            return self.objective(self.network.synthesis(code), targets) + self.network.penalty(batch_mean(code)[None])
        return self.objective(self.network(inputs), targets)

    def state(self) -> dict[str, Tensor]:
        return optimiser_state(self.optimiser)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        restore_optimiser(self.optimiser, state)


def descend(optimisers: Sequence[torch.optim.Optimizer], loss: Tensor, largest_gradient: float | None = None) -> Tensor:
    """The sum over all ranks of the losses given, after each optimiser's step down its gradient.

    largest_gradient: the norm that the gradient of all parameters is cut down to.
    """
    parameters = [parameter for optimiser in optimisers for parameter in parameters_of(optimiser)]
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    loss = world().total_gradients(parameters, loss)
    if largest_gradient is not None:
        torch.nn.utils.clip_grad_norm_(parameters, largest_gradient)
    for optimiser in optimisers:
        optimiser.step()
    return loss.detach()


def parameters_of(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    """What it changes, in the order in which its state counts them."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What torch's optimiser remembers, by `<parameter>.<name>`."""
    remembered = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": value.contiguous()
        for index, values in remembered.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Set what `optimiser_state` gave."""
    whole, parameters = optimiser.state_dict(), parameters_of(optimiser)
    whole["state"] = {}
    for key, value in state.items():
        index, name = key.split(".")
        parameter = parameters[int(index)]
        # moments take the parameter's memory layout, which the fused kernels assume
        moment = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        whole["state"].setdefault(int(index), {})[name] = moment
    optimiser.load_state_dict(whole)


class FullyConnectedDescent(Step):
    """Plain gradient descent on the mean squared error of `ann` and its kin, with no weight's gradient ever stored.

    A matrix product can add to its output: W <- W - rate * x^T d is one product, so a step is five products of the
    batch with a matrix and no pass over the weights beside them. torch's optimiser writes each gradient (as large as
    the matrix), reads it again, and reads and writes the weights. For `tied` both uses of the matrix add to it in one
    product over twice the batch. `sparse` pays its penalty too.
    """

    def __init__(self, network: FullyConnected, learning_rate: float) -> None:
        self.network = network
        self.learning_rate = learning_rate
        self.buffers: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    @torch.no_grad()
    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        net, n = self.network, len(inputs)
        # (inputs, output's delta) and (code's delta, code), one below the other: what `tied` multiplies in one product
        rows, codes, error = self._buffers(inputs)
        x, output, code_delta, code = rows[:n], rows[n:], codes[:n], codes[n:]
        x.copy_(inputs.flatten(1))
        torch.addmm(net.analysis_bias, x, net.analysis_matrix, out=code).sigmoid_()
        torch.addmm(net.synthesis_bias, code, net.synthesis_matrix, out=output).sigmoid_()
        flat = torch.sub(output, targets.flatten(1), out=error).view(-1)
        loss = flat.dot(flat) / flat.numel()
        output_delta = sigmoid_backward(error, output, grad_input=output)
        torch.mm(output_delta, net.synthesis_matrix.t(), out=code_delta)
        if isinstance(net, SparseAutoencoder):
            loss += net.penalty(code)
            code_delta += net.penalty_slope(code)
        sigmoid_backward(code_delta, code, grad_input=code_delta)
        rate = -2 * self.learning_rate / flat.numel()
        if isinstance(net, TiedAutoencoder):
            net.weight.addmm_(rows.t(), codes, alpha=rate)
        else:
            net.analysis_matrix.addmm_(x.t(), code_delta, alpha=rate)
            net.synthesis_matrix.addmm_(code.t(), output_delta, alpha=rate)
        net.analysis_bias.add_(code_delta.sum(0), alpha=rate)
        net.synthesis_bias.add_(output_delta.sum(0), alpha=rate)
        return loss

    def _buffers(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """float32[2 n, pixels], [2 n, hidden] and [n, pixels], kept: fresh ones cost page faults at every step."""
        n, pixels = len(inputs), self.network.pixels
        if n not in self.buffers:
            shapes = (2 * n, pixels), (2 * n, self.network.hidden), (n, pixels)
            rows, codes, error = (inputs.new_empty(shape) for shape in shapes)
            self.buffers[n] = rows, codes, error
        return self.buffers[n]

    def state(self) -> dict[str, Tensor]:
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        pass  # plain descent remembers nothing
