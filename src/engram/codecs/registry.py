"""The codecs by their ids, which is what an archive's header names them by."""

from __future__ import annotations

import re

from engram.codecs.contract import Codec
from engram.codecs.frozen import Frozen
from engram.codecs.jpeg.codec import JpegCoefficients
from engram.codecs.picture_files import PictureFiles
from engram.codecs.pixel.codec import Pixel
from engram.codecs.raw import Raw
from engram.codecs.restored.codec import Restored
from engram.codecs.spatial.codec import Spatial
from engram.errors import UsageError

_codecs: dict[str, type[Codec]] = {}


class UnknownCodec(UsageError):
    """An id that no registered codec has."""


def register(codec: type[Codec]) -> type[Codec]:
    """The codec itself, now found by its id; usable as a decorator. Raises UsageError for a bad or a taken id."""
    if not re.fullmatch(r"[a-z0-9-]{1,32}", codec.id):
        raise UsageError(f"a codec's id is 1 to 32 lower-case letters, digits and '-', not {codec.id!r}")
    if _codecs.setdefault(codec.id, codec) is not codec:
        raise UsageError(f"the codec id {codec.id!r} is taken by {_codecs[codec.id].__name__}")
    return codec


def get(id: str) -> type[Codec]:
    """The codec class of an id. Raises UnknownCodec."""
    try:
        return _codecs[id]
    except KeyError:
        raise UnknownCodec(
            f"no codec is called {id!r}; there are {', '.join(ids())}. A newer engram may know it."
        ) from None


def ids() -> tuple[str, ...]:
    """The ids of all registered codecs, sorted."""
    return tuple(sorted(_codecs))


register(Frozen)
register(JpegCoefficients)
register(PictureFiles)
register(Pixel)
register(Raw)
register(Restored)
register(Spatial)
