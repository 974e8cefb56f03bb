"""A file from the network, whole and right or not at all: resumed after a cut, retried, checked by MD5."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from engram.errors import EngramError
from engram.files import CannotWrite

PAUSES_SECONDS = (0.5, 2.0)
"""The waits before the second and the third attempt; there is no fourth."""
_TIMEOUT_SECONDS = 20.0
_PIECE = 1 << 16
_NETWORK = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


class DownloadFailed(EngramError):
    """The address could not be reached, or its bytes did not come whole, after all attempts."""


class WrongBytes(EngramError):
    """The address served other bytes than the file's MD5 promises."""


def download(
    url: str,
    target: Path,
    size_bytes: int,
    md5: str,
    progress: Callable[[int, int], None] | None = None,
    pauses: tuple[float, ...] = PAUSES_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Makes `target` the file that the address serves. What came before a cut waits in `target`.part.

    Raises DownloadFailed, WrongBytes, CannotWrite; `target` then does not exist.
    """
    part = target.with_name(target.name + ".part")
    failure = "never tried"
    for pause in (0.0, *pauses):
        if pause:
            sleep(pause)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            resumed = part.exists()
            _receive(url, part, size_bytes, progress)
            if (found := md5_of(part)) == md5:
                os.replace(part, target)
                return
            part.unlink()
            if not resumed:  # a part of an earlier day may be at fault, fresh bytes are the server's own
                raise WrongBytes(f"{url} served a file with MD5 {found}, not {md5}; nothing of it was kept")
            failure = "the resumed file had a wrong MD5"
        except urllib.error.HTTPError as error:
            error.close()
            failure = f"HTTP status {error.code}"
            if error.code == 416 and part.exists():  # the part reaches beyond what the server has
                part.unlink()
            elif 400 <= error.code < 500:
                break
        except _NETWORK as error:
            failure = str(getattr(error, "reason", "") or error or type(error).__name__)
        except OSError as error:
            raise CannotWrite(f"{part}: could not be written ({error.strerror}). Make room there") from error
    raise DownloadFailed(f"{url}: {failure}")


def md5_of(path: Path) -> str:
    """MD5 in hex: what the authors publish, a check against damage and not against forgery."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _receive(url: str, part: Path, size_bytes: int, progress: Callable[[int, int], None] | None) -> None:
    """Adds to the part file what it lacks. Raises one of _NETWORK where less came than should."""
    have = part.stat().st_size if part.exists() else 0
    if have >= size_bytes:
        part.unlink()
        have = 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
        if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server sends all of it again
        with open(part, "r+b" if have else "wb") as file:
            file.seek(have)
            for piece in _pieces(response, size_bytes - have):
                file.write(piece)
                have += len(piece)
                if progress:
                    progress(have, size_bytes)
    if have < size_bytes:
        raise http.client.HTTPException(f"ended after {have:,} of {size_bytes:,} bytes")


def _pieces(response: http.client.HTTPResponse, wanted: int) -> Iterator[bytes]:
    """What the response holds, up to one byte more than wanted, which makes the MD5 wrong."""
    wanted += 1
    while wanted and (piece := response.read(min(_PIECE, wanted))):
        wanted -= len(piece)
        yield piece
