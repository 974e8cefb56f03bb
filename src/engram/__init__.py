"""engram: compression of collections of small images by auto-associative networks.

    images = engram.load("fashion-mnist")
    train, test = images.split("train"), images.split("test")
    model = engram.fit(train, method="tied", seed=0)
    codec = engram.freeze(model, train)
    engram.pack(test, "fashion.egm", model=codec)
    with engram.open("fashion.egm") as archive:
        image = archive[4711]
    row = engram.measure("fashion.egm", test)

Each name is imported when it is first used, so `import engram` is quick and reading an archive never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engram.version import __version__

if TYPE_CHECKING:
    from engram.archive import Archive, CorruptArchive, append, info, open, shard, unpack, verify
    from engram.codecs.freeze import freeze
    from engram.datasets.notices import Notice
    from engram.datasets.source import Reading, load, stream
    from engram.errors import CorruptData, EngramError, UsageError
    from engram.evaluation.measure import measure
    from engram.images import ImageSet
    from engram.integrations.dataset import ArchiveDataset
    from engram.integrations.pillow import register_pillow
    from engram.packing import pack
    from engram.packing.repacking import repack
    from engram.training.fit import fit

__all__ = [
    "Archive",
    "ArchiveDataset",
    "CorruptArchive",
    "CorruptData",
    "EngramError",
    "ImageSet",
    "Notice",
    "Reading",
    "UsageError",
    "__version__",
    "append",
    "fit",
    "freeze",
    "info",
    "load",
    "measure",
    "open",
    "pack",
    "register_pillow",
    "repack",
    "shard",
    "stream",
    "unpack",
    "verify",
]

_ROOMS = {
    "archive": ("Archive", "CorruptArchive", "append", "info", "open", "shard", "unpack", "verify"),
    "codecs.freeze": ("freeze",),
    "datasets.notices": ("Notice",),
    "datasets.source": ("Reading", "load", "stream"),
    "errors": ("CorruptData", "EngramError", "UsageError"),
    "evaluation.measure": ("measure",),
    "images": ("ImageSet",),
    "integrations.dataset": ("ArchiveDataset",),
    "integrations.pillow": ("register_pillow",),
    "packing": ("pack",),
    "packing.repacking": ("repack",),
    "training.fit": ("fit",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'engram' has no attribute {name!r}")
    try:
        room = import_module(f"engram.{_ROOM_OF[name]}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from engram.errors import MissingLibrary

        raise MissingLibrary(f"engram.{name} needs torch; `pip install 'engram-images[train]'` brings it") from error
    return getattr(room, name)


def __dir__() -> list[str]:
    return __all__
