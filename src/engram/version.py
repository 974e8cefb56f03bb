"""The version of the distribution, `engram-images`, and what it is installed with."""

from __future__ import annotations

__version__ = "0.2.0"

EXTRAS = {
    "train": ("torch",),
    "report": ("matplotlib", "jinja2"),
    "rivals": ("imagecodecs",),
    "compare": ("scikit-learn", "scikit-image"),
    "remote": ("fsspec", "aiohttp"),
    "ray": ("ray",),
    "parquet": ("pyarrow",),
}
"""The libraries of each extra."""


def described() -> str:
    """engram, Python, NumPy and Pillow with their versions, the code in C, and what there is of each extra."""
    import platform
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    def found(library: str) -> str:
        try:
            return f"{library} {version(library)}"
        except PackageNotFoundError:
            return f"{library} is missing"

    compiled = ("codecs.pixel._kernel", "coding._scans", "codecs.jpeg._coefficients")
    missing = [name for name in compiled if find_spec(f"engram.{name}") is None]
    core = f"not built: {', '.join(missing)}; Python does the same, slowly" if missing else "built"
    lines = [f"engram {__version__}", f"Python {platform.python_version()}, {found('numpy')}, {found('pillow')}"]
    lines.append(f"code in C: {core}")
    lines += [f"engram-images[{extra}]: {', '.join(map(found, libraries))}" for extra, libraries in EXTRAS.items()]
    return "\n".join(lines)
