"""Where a training runs, and how it rounds there."""

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


def rounding(device: torch.device, precision: str) -> torch.autocast:
    """Lets layers compute in bfloat16 within, where the precision is "bfloat16" and the device is no slower for it.

    A processor without AVX-512 convolves bfloat16 numbers by reference code, a hundred times as slow as float32 ones.
    """
    fast = device.type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast(device.type, torch.bfloat16, precision == "bfloat16" and fast)
