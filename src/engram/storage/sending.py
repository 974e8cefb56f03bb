"""What is whole on this machine, put under a URL: it appears there whole, or not at all.

No message repeats what a library says of a failed request, since that may hold the whole URL, credentials included.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from engram.errors import MissingLibrary, UsageError
from engram.files import CannotWrite, OutputExists
from engram.storage.location import shown

_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
"""Schemes under which a name is there when all of it is there."""


def check_free(url: str, force: bool) -> None:
    """Raises OutputExists where something lies there and may not be replaced; UsageError where nothing can be put."""
    system, path = _system(url)
    if _failing(url, None, lambda: system.exists(path)) and not force:
        raise OutputExists(f"{shown(url)} exists already; choose another name, or replace it with --force")


def put(place: Path, url: str, last: str = "") -> None:
    """Copies a file, or the files of a folder, the one called `last` after all others. Raises CannotWrite."""
    system, path = _system(url)
    if place.is_file():
        _failing(url, place, lambda: _put_file(system, place, path))
        return
    for file in sorted(place.iterdir(), key=lambda file: (file.name == last, file.name)):
        target = f"{path.rstrip('/')}/{file.name}"
        _failing(url, place, partial(_put_file, system, file, target))


def _put_file(system: Any, file: Path, path: str) -> None:
    protocols = {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)
    if protocols & _WHOLE:
        system.put_file(str(file), path)
        return
    system.makedirs(path.rpartition("/")[0] or "/", exist_ok=True)
    system.put_file(str(file), f"{path}.part")
    system.mv(f"{path}.part", path)


def _failing(url: str, place: Path | None, act: Any) -> Any:
    try:
        return act()
    except Exception as error:  # of whichever library fsspec has for the scheme
        kept = f"; what is packed lies whole in {place}" if place else ""
        raise CannotWrite(f"{shown(url)} could not be written ({type(error).__name__}){kept}") from None


def _system(url: str) -> tuple[Any, str]:
    if url.startswith(("http:", "https:")):
        raise UsageError(f"{shown(url)}: archives are not written by http; give a path, or the URL of an object store")
    try:
        import fsspec
    except ModuleNotFoundError:
        raise MissingLibrary(f"{shown(url)}: URLs need fsspec; `pip install 'engram-images[remote]'`") from None
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError):
        raise UsageError(
            f"{shown(url)}: fsspec does not know that scheme, or lacks its library; `pip install 'fsspec[SCHEME]'`"
        ) from None
    return found
