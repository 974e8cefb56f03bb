"""How an array that is no set of images becomes one: the line of NumPy that a message gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

_CHANNELS = (1, 2, 3, 4)


def how_to_convert(array: NDArray[Any], path: Path, key: str) -> str:
    """ "; convert it: LINE" of float, bool and NCHW arrays of a .npy, or of a .npz by its key; "" of others."""
    shape = array.shape
    is_turned = array.ndim == 4 and shape[1] in _CHANNELS and shape[3] not in _CHANNELS
    scale = {"f": "({} * 255).round().astype(np.uint8)", "b": "{} * np.uint8(255)"}.get(array.dtype.kind, "{}")
    if (scale == "{}" and not is_turned) or array.ndim not in (3, 4) or path.suffix not in (".npy", ".npz"):
        return ""
    given, out = f"np.load({str(path)!r})", str(path.with_name(f"converted{path.suffix}"))
    held = f"d[{key!r}]" if path.suffix == ".npz" else given
    made = scale.format(f"{held}.transpose(0, 2, 3, 1)" if is_turned else held)
    save = f"np.savez({out!r}, **(d := dict({given})) | {{{key!r}: {made}}})"
    line = save if path.suffix == ".npz" else f"np.save({out!r}, {made})"
    return f"; convert values in [0, 1] so: {line}" if array.dtype.kind == "f" else f"; convert it so: {line}"
