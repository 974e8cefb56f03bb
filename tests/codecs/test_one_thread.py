"""Encoders in floats run on one thread, so their bytes are the same on any number of cores."""

from __future__ import annotations

import sys

import pytest
from sample_networks import pictures, spatial
from threadpoolctl import threadpool_info, threadpool_limits

from engram.codecs.freeze import freeze
from engram.codecs.one_thread import on_one_thread
from engram.codecs.pca import fit_pca


def threads() -> set[int]:
    """Of NumPy's own library: SciPy has another, which may be loaded at any time, and no encoder uses it."""
    blas = [each for each in threadpool_info() if each["user_api"] == "blas" and "numpy" in each["filepath"]]
    return {library["num_threads"] for library in blas}


def test_the_limit_ends_with_the_block() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with on_one_thread():
            assert threads() == {1}
        assert threads() == before


@pytest.mark.parametrize("method", ["frozen", "spatial"])
def test_encoders_run_on_one_thread(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(40, (8, 8, 1))
    codec = freeze(fit_pca(images, 4) if method == "frozen" else spatial((8, 8, 1)), images)
    seen = []
    module = sys.modules[type(codec).__module__]
    evaluated = module.evaluate

    def evaluate(*arguments: object) -> object:
        seen.append(threads())
        return evaluated(*arguments)

    monkeypatch.setattr(module, "evaluate", evaluate)
    with threadpool_limits(2, user_api="blas"):
        codec.encode_many([images.images])
    assert seen
    assert all(each == {1} for each in seen)
