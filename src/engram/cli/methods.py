"""The methods of `engram train`, and which of its options are of which."""

from __future__ import annotations

from typing import Any, Literal

from engram.errors import UsageError

Method = Literal[
    "cnn",
    "ann",
    "tied",
    "sparse",
    "bidirectional",
    "deep",
    "stacked",
    "pca",
    "lda",
    "isomap",
    "classifier",
    "judge",
    "pixel",
    "spatial",
    "restoration",
]
SOLVED = "pca", "lda", "isomap"
FULLY_CONNECTED = "ann", "tied", "sparse", "bidirectional"
AUTO_ASSOCIATIVE = "cnn", *FULLY_CONNECTED, "deep", "stacked"
_METHODS_OF: dict[str, tuple[str, ...]] = {
    "hidden": (*FULLY_CONNECTED, *SOLVED),
    "widths": ("deep",),
    "depth": ("stacked",),
    "code_channels": ("stacked",),
    "sparsity": ("sparse",),
    "bits": AUTO_ASSOCIATIVE,
    "noise": AUTO_ASSOCIATIVE,
    "noise_strength": AUTO_ASSOCIATIVE,
    "effort": ("pixel",),
    "max_error": ("pixel", "restoration"),
    "task": ("spatial",),
    "task_weight": ("spatial",),
}
_TRAINED = "epochs", "learning_rate", "batch_size", "precision"


def check_options(method: str, given: set[str]) -> None:
    """Raises UsageError for an option that is not of this method, or lacks another."""
    for name in sorted(given):
        option, methods = f"--{name.replace('_', '-')}", _METHODS_OF.get(name, (method,))
        if method not in methods:
            raise UsageError(f"{option} is for {_listed(methods)}, not for {method}")
        if name in _TRAINED and method in SOLVED:
            raise UsageError(f"{option} is for what is trained; {method} is solved at once")
    if "start" in given and method in SOLVED:
        raise UsageError(f"--start is for what is trained from weights; {method} starts from the images")
    if method == "restoration" and "max_error" not in given:
        raise UsageError("a restoration takes a --max-error, that of the pixel code")
    for name, needed in (("task_weight", "task"), ("noise_strength", "noise")):
        if name in given and needed not in given:
            meant = {"task": "a classifier, a file or one that engram brings", "noise": "gaussian, for example"}[needed]
            raise UsageError(f"--{name.replace('_', '-')} takes a --{needed}: {meant}")


def options_of(method: str, hidden: int | None, widths: str | None) -> dict[str, Any]:
    """What a network is made with, of the options that say its code. Raises UsageError for widths that are none."""
    options: dict[str, Any] = {}
    if hidden is not None:
        options["units" if method in SOLVED else "hidden"] = hidden
    if widths is not None:
        try:
            options["widths"] = [int(width) for width in widths.split(",")]
        except ValueError:
            raise UsageError(f"--widths takes whole numbers with commas between, 512,128,32; not {widths!r}") from None
    return options


def _listed(names: tuple[str, ...]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
