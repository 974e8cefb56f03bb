"""Packing in tests: of all that comes with engram only what is quick is at hand."""

from __future__ import annotations

import pytest

from engram.archive import shipped


@pytest.fixture(autouse=True)
def _generic(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes images of any size, and codes in no time."""
    monkeypatch.setattr(shipped, "names", lambda: ("generic-gray", "generic-rgb"))
