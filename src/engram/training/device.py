"""Where a training runs."""

from __future__ import annotations

import torch

from engram.errors import UsageError


def choose_device(wanted: str) -> str:
    """ "cuda" or "cpu": a CUDA GPU for "auto" where there is one. Raises UsageError where cuda is asked for in vain."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError("there is no CUDA GPU that torch can use here; leave out --device, or use --device cpu")
    return wanted
