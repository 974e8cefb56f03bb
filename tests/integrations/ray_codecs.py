"""Codecs that do on a node what nodes do: die, fail, run full, or take long. Files say when, and what became of it."""

from __future__ import annotations

import errno
import os
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from engram.codecs.raw import Raw
from engram.images import Pixels


@dataclass(frozen=True)
class Quick(Raw):
    """Raw, hardly deflated. `signals` is a folder."""

    signals: Path = Path()

    def encode(self, block: Pixels) -> bytes:
        self.before()
        return zlib.compress(block.tobytes(), 1)

    def before(self) -> None:
        """What happens before a block is encoded."""

    def first(self, name: str) -> bool:
        """Whether nobody has come here before."""
        try:
            (self.signals / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


@dataclass(frozen=True)
class Dying(Quick):
    """Its process ends at its first blocks, one in each process, as often as `times` says."""

    times: int = 1

    def before(self) -> None:
        if any(self.first(f"died-{number}") for number in range(self.times)):
            os._exit(1)


@dataclass(frozen=True)
class Failing(Quick):
    """Its first blocks fail, one in each try, as often as `times` says."""

    times: int = 1

    def before(self) -> None:
        if any(self.first(f"failed-{number}") for number in range(self.times)):
            raise FloatingPointError("a bit fell over")


@dataclass(frozen=True)
class Full(Quick):
    """While there is a file `full`, the node has no room."""

    def before(self) -> None:
        sync = os.fsync

        def fsync(file: int) -> None:
            os.fsync = sync
            if (self.signals / "full").exists():
                raise OSError(errno.ENOSPC, "No space left on device")

        os.fsync = fsync


@dataclass(frozen=True)
class Waiting(Quick):
    """Images that are not black wait for the file `go`, and say on which node, and in which process, they do."""

    def encode(self, block: Pixels) -> bytes:
        import ray

        if block.any():
            (self.signals / f"{ray.get_runtime_context().get_node_id()}-{os.getpid()}").touch()
            while not (self.signals / "go").exists():
                time.sleep(0.01)
        return super().encode(block)


@dataclass(frozen=True)
class Fetched(Quick):
    """Each process that it comes to is noted, as often as it comes."""

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        with (self.signals / str(os.getpid())).open("a") as file:
            file.write("fetched\n")
