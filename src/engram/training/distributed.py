"""Training with torchrun: each rank takes its part of every batch, and the gradients are summed.

Everything that is drawn is drawn for the whole batch, and whatever looks at a batch as a whole (batch norm, a mean
activation) sees all of it. So the ranks compute together what one process would compute alone, up to rounding, however
many they are. Every rank holds all images, and draws the same numbers from the same seed.

torch.distributed is imported by `joined` alone, and only in a process that torchrun started.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from engram.errors import UsageError
from engram.training.errors import RankLost, RanksDisagree
from engram.version import __version__


@dataclass(frozen=True)
class Part:
    """What a rank takes of a batch: some of its rows, and how much their mean counts in the mean over all of them."""

    count: int
    rows: slice
    weight: float

    def of(self, batch: Tensor) -> Tensor:
        """The rank's rows."""
        return batch[self.rows]


@dataclass(frozen=True)
class World:
    """The processes that train one network together, as one of them sees it."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that writes and tells."""
        return self.rank == 0

    def part(self, count: int) -> Part:
        """This rank's part of so many rows. Of fewer rows than ranks, each rank takes all, and they count together."""
        if count < self.size:
            return Part(count, slice(0, count), 1 / self.size)
        first, stop = (count * rank // self.size for rank in (self.rank, self.rank + 1))
        return Part(count, slice(first, stop), (stop - first) / count)

    def total(self, values: Tensor) -> Tensor:
        """The sum over the ranks; when alone, the values themselves. Gradients do not pass: see `batch_mean`."""
        if self.size == 1:
            return values
        values = values.detach().clone()
        with _speaking():
            _torch_distributed().all_reduce(values)
        return values

    def total_gradients(self, parameters: Iterable[Tensor], loss: Tensor) -> Tensor:
        """Set each gradient to its sum over the ranks, and return that of the losses: one message for all."""
        if self.size == 1:
            return loss
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        sums = self.total(torch.cat([loss.detach().reshape(1), *(gradient.reshape(-1) for gradient in gradients)]))
        pieces = torch.split(sums[1:], [gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view(gradient.shape))
        return sums[0]

    @torch.no_grad()
    def share(self, network: nn.Module) -> None:
        """Give every rank the first one's weights: what was solved for may differ from machine to machine."""
        if self.size > 1:
            for value in network.state_dict().values():
                sent = value.to(self.device).contiguous()
                with _speaking():
                    _torch_distributed().broadcast(sent, 0)
                value.copy_(sent)

    def from_first(self, data: bytes | None) -> bytes | None:
        """What the first rank gives, on every rank."""
        if self.size == 1:
            return data
        length = torch.tensor(-1 if data is None else len(data), device=self.device)
        with _speaking():
            _torch_distributed().broadcast(length, 0)
            if length <= 0:
                return None if length < 0 else b""
            sent = torch.empty(int(length), dtype=torch.uint8, device=self.device)
            if self.is_first:
                assert data is not None
                sent.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
            _torch_distributed().broadcast(sent, 0)
        return sent.cpu().numpy().tobytes()

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Raise RanksDisagree, on every rank, unless all give the same facts, which JSON can hold."""
        if self.size == 1:
            return
        texts = [json.dumps(fact, sort_keys=True) for fact in facts.values()]
        every = torch.zeros(self.size, len(texts), 32, dtype=torch.int64, device=self.device)
        every[self.rank] = torch.tensor([list(hashlib.sha256(text.encode()).digest()) for text in texts])
        every = self.total(every)
        for name, text, seen in zip(facts, texts, every.unbind(1), strict=True):
            others = [str(rank) for rank in range(self.size) if not torch.equal(seen[rank], seen[0])]
            if others:
                those = "are not those" if name.endswith("s") else "is not that"
                raise RanksDisagree(
                    f"the {name} of rank {', '.join(others)} {those} of rank 0; give all ranks the same "
                    f"(rank {self.rank} has {text:.200})"
                )

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """Let one rank of each machine go through the block before the others: a download is made once."""
        leads = os.environ.get("LOCAL_RANK", "0") == "0"
        if not leads:
            self.total(torch.zeros(1, device=self.device))
        yield
        if leads:
            self.total(torch.zeros(1, device=self.device))


ALONE = World()
_now = ALONE


def world() -> World:
    """The ranks that this process trains with: ALONE, but within `joined`."""
    return _now


@contextmanager
def joined(device: str = "cpu") -> Iterator[World]:
    """All ranks that torchrun started, for as long as the block lasts; ALONE in a process that it did not start.

    device: "cpu" speaks gloo, "cuda" nccl, a GPU for each rank. Raises RanksDisagree where versions differ.
    """
    global _now  # noqa: PLW0603 - torch.distributed's group of processes is global too
    size = int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if size == 1:
        yield World(device=device)
        return
    if device == "cuda":
        here, there = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
        if there > here:
            raise UsageError(f"{there} ranks on a machine with {here} GPUs: start one for each, or use --device cpu")
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    found = World(int(os.environ["RANK"]), size, device)
    with _speaking():
        _introduce("nccl" if device == "cuda" else "gloo")
    try:
        _now = found
        found.agree({"versions": {"engram": __version__, "torch": torch.__version__}})
        yield found
    finally:
        _now = ALONE
        _torch_distributed().destroy_process_group()


def batch_mean(values: Tensor) -> Tensor:
    """The mean over the rows of all ranks; a gradient passes through to all of them."""
    if world().size == 1:
        return values.mean(0)
    sums = torch.cat([values.sum(0).reshape(-1), values.new_tensor([len(values)])])
    total: Tensor = _Total.apply(sums)  # type: ignore[no-untyped-call]
    return (total[:-1] / total[-1]).view(values.shape[1:])


class _Total(torch.autograd.Function):
    """The sum over the ranks. What each adds to it counts in the losses of all, so gradients are summed as well."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return world().total(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return world().total(gradient.contiguous())


def _introduce(backend: str) -> None:
    """Let the ranks find each other in torchrun's store.

    After a restart it may still hold where the dead were reached. On one machine the restarts are counted alike by all,
    so each life has keys of its own; on several they are not, and the guide says what to set there.
    """
    # The first optimiser imports it; imported while there is a group, it holds that group's threads to the end of the
    # process, where one of them may meet an interpreter that is no more, and abort.
    import_module("torch._dynamo")

    dist = _torch_distributed()
    store, rank, size = next(dist.rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        store = dist.PrefixStore(f"life {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)


@contextmanager
def _speaking() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise RankLost(
            f"the other ranks cannot be reached ({str(error).splitlines()[0]}); `torchrun --max-restarts 3` starts all "
            "of them again where the last checkpoint was written"
        ) from error


def _torch_distributed() -> Any:
    import torch.distributed

    return torch.distributed
