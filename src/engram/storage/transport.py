"""Ranges of a file by fsspec: few requests, sent at once, and sent again when they fail. Nothing is kept here.

No message repeats what a library says of a failed request, since that may hold the whole URL, credentials included.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from engram.errors import EngramError, MissingLibrary, UsageError
from engram.storage.location import shown

WAITS_SECONDS = (0.2, 1.0, 4.0)
"""Before a request is sent for the second, third and fourth time."""
MOST_AT_ONCE = 16
"""Requests on their way together."""
_PASSING = {408, 425, 429}
"""HTTP statuses below 500 after which asking again helps."""
_CONTENT_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")

Range = tuple[int | None, int | None]
"""(start, stop); (-n, None) for the last n bytes, (None, None) for all."""
Answer = TypeVar("Answer")


class NothingThere(UsageError):
    """There is no file at a URL."""


class UnknownScheme(UsageError):
    """A URL of a scheme that fsspec does not know, or cannot make sense of."""


class Refused(EngramError):
    """The server answered that it will not give a file: its credentials are missing or wrong, mostly."""


class ReadInterrupted(EngramError):
    """Bytes did not come, or not all of them, however often they were asked for."""


class RangesIgnored(EngramError):
    """The server sends the whole file whatever part is asked for; nothing of it was read."""


class FileChanged(EngramError):
    """A file behind a URL has another size than when it was opened."""


class Transport:
    """A file behind a URL. Raises NothingThere, UnknownScheme, Refused, ReadInterrupted, RangesIgnored, FileChanged."""

    def __init__(self, url: str) -> None:
        self._url, self._shown = url, shown(url)
        self._size: int | None = None

    def ends(self, length: int) -> tuple[int, bytes, bytes]:
        """(the file's size, its first bytes, its last), up to `length` of either.

        By HTTP these are two requests, sent together; elsewhere the size is asked for before.
        """
        system, path = self._system()
        if not _is_http(system):
            size = self._asked(lambda: system.size(path))
            self._size = int(size)
            head, tail = self.ranges([(0, min(length, size)), (max(0, size - length), size)])
            return size, head, tail
        head, tail = self.ranges([(0, length), (-length, None)])
        if self._size is None:
            raise RangesIgnored(f"{self._shown}: the server does not say how large the file is, so it cannot be read")
        return self._size, head, tail

    def whole(self) -> bytes:
        """All of it."""
        return self.ranges([(None, None)])[0]

    def matching(self) -> list[str]:
        """The URLs of all files that match this one, a pattern, sorted."""
        system, path = self._system()
        return [str(system.unstrip_protocol(each)) for each in self._asked(lambda: sorted(system.glob(path)))]

    def ranges(self, wanted: Sequence[Range]) -> list[bytes]:
        """The bytes of each range, asked for together; what did not come whole is asked for again."""
        found: dict[Range, bytes] = {}

        def ask() -> None:
            system, path = self._system()
            left = [each for each in wanted if each not in found]
            starts, stops = ([each[side] for each in left] for side in (0, 1))
            failed: Exception | None = None
            for each, answer in zip(
                left, system.cat_ranges([path] * len(left), starts, stops, **self._options(system)), strict=True
            ):
                if isinstance(answer, Exception):
                    failed = answer
                elif self._is_whole(answer, each):
                    found[each] = answer
                else:
                    failed = EOFError()
            if failed is not None:
                raise failed

        self._asked(ask)
        return [found[each] for each in wanted]

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` gives, at the latest after so many times."""
        reason = ""
        for wait in (0, *WAITS_SECONDS):
            time.sleep(wait)
            try:
                return ask()
            except EngramError:
                raise
            except Exception as error:  # of whichever library fsspec has for the scheme
                reason = self._passing(error)
        raise ReadInterrupted(
            f"{self._shown}: reading was interrupted {len(WAITS_SECONDS) + 1} times ({reason}); try again later"
        )

    def _passing(self, error: Exception) -> str:
        """What went wrong, where asking again may help. Raises what fits where it does not."""
        status = getattr(error, "status", None)
        refused = isinstance(status, int) and 400 <= status < 500 and status not in _PASSING
        if isinstance(error, FileNotFoundError) or status == 410:
            raise NothingThere(f"{self._shown}: there is no such file") from None
        if isinstance(error, PermissionError) or refused:
            answer = f"HTTP status {status}" if refused else "no permission"
            raise Refused(
                f"{self._shown}: the server refuses to give it ({answer}); look at its address and rights"
            ) from None
        if isinstance(error, ValueError):
            raise UnknownScheme(f"{self._shown} is no URL that can be asked for") from None
        if isinstance(error, EOFError):
            return "fewer bytes came than were asked for"
        return f"HTTP status {status}" if status else type(error).__name__

    def _is_whole(self, data: bytes, wanted: Range) -> bool:
        """Whether as much came as lies there. Raises RangesIgnored for more."""
        start, stop = wanted
        if start is None or self._size is None:
            return True
        length = min(-start, self._size) if start < 0 else max(0, min(stop or self._size, self._size) - start)
        if len(data) > length:
            raise self._ignored()
        return len(data) == length

    def _system(self) -> tuple[Any, str]:
        """fsspec's file system, of which it keeps one for each process, and the path within it."""
        try:
            import fsspec
        except ModuleNotFoundError:
            words = "reading URLs needs fsspec; `pip install 'engram-images[remote]'`"
            raise MissingLibrary(f"{self._shown}: {words}") from None
        try:
            system, path = fsspec.core.url_to_fs(self._url)
        except ImportError:
            scheme = self._shown.split(":")[0]
            raise MissingLibrary(
                f"{self._shown}: fsspec lacks what it needs for {scheme}; `pip install fsspec[{scheme}]`, "
                f"for http 'engram-images[remote]'"
            ) from None
        except ValueError:
            raise UnknownScheme(f"{self._shown} has a scheme that fsspec does not know") from None
        return system, path

    def _options(self, system: Any) -> dict[str, Any]:
        """What a request is sent with. By HTTP every answer is looked at before any of its bytes are read."""
        options: dict[str, Any] = {"batch_size": MOST_AT_ONCE} if system.async_impl else {}
        if _is_http(system):
            headers = system.kwargs.get("headers", {}) | {"Accept-Encoding": "identity"}
            options |= {"raise_for_status": self._look_at, "headers": headers}
        return options

    async def _look_at(self, response: Any) -> None:
        """Raises RangesIgnored and FileChanged; learns the file's size."""
        if response.status == 200 and "Range" in response.request_info.headers:
            response.close()
            raise self._ignored()
        said = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status == 206 and said:
            size = int(said[1])
            if self._size not in (None, size):
                response.close()
                raise FileChanged(f"{self._shown} has {size:,} bytes now, {self._size:,} when it was opened")
            self._size = size

    def _ignored(self) -> RangesIgnored:
        return RangesIgnored(
            f"{self._shown}: the server ignores ranges and sends the whole file; download it, or serve it otherwise"
        )


def _is_http(system: Any) -> bool:
    return "http" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol)
