"""Names of places: paths and URLs, and what of a URL may be shown."""

from __future__ import annotations

import re
from pathlib import Path

Location = Path | str
"""A path, or a URL (always a str): https://host/a.egm, s3://bucket/a.egm, simplecache::https://host/a.egm."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")
_SECRETS = re.compile(r"(?<=://)[^/?#:@]*(:[^?#@]*)?@|[?#].*", re.DOTALL)
"""User and password, also one with a slash in it that should have been written %2F; query and fragment."""


def is_url(location: Location) -> bool:
    """Whether it is for fsspec. A Path never is, nor is a drive letter."""
    return isinstance(location, str) and _URL.match(location) is not None


def shown(location: Location) -> str:
    """What messages say: of a URL no user, password, query or fragment, where credentials stand."""
    text = str(location)
    return "::".join(_SECRETS.sub("", link) for link in text.split("::")) if is_url(location) else text
