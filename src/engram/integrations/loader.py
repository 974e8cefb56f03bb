"""A DataLoader that knows which batch it gave last, so that a training goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from engram.integrations.order import BatchOrder


class BatchLoader(DataLoader[Any]):
    """What `ArchiveDataset.loader` gives: batches in the order of a BatchOrder, its `sampler`.

    Workers ask for batches ahead; `state_dict` counts those that were handed over. A state may be saved by one rank and
    loaded by all, for it says nothing of the rank.
    """

    sampler: BatchOrder
    _given: tuple[int, int] | None = None
    """Epoch and batches of an epoch that is not at its end."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # a generator, which has all that is promised
        epoch, position = self.sampler.epoch, self.sampler.position
        for batch in super().__iter__():
            position += 1
            self._given = (epoch, position) if position < len(self.sampler) else None
            yield batch
        self._given = None

    def state_dict(self) -> dict[str, Any]:
        """Where it is, JSON-able: what `load_state_dict` goes on from with the next batch."""
        state = self.sampler.state_dict()
        if self._given is not None:
            state["epoch"], state["position"] = self._given
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there at the next iteration. Raises OrderMismatch."""
        self.sampler.load_state_dict(state)
        self._given = None
