"""What `make dist` wrote, installed in environments of their own: packs, reads and says what it is, in an empty folder.

python tests/distribution.py dist                         all settings
python tests/distribution.py dist "no compiler"           the one that is named
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
SETTINGS = {"wheel": "*.whl", "source": "*.tar.gz", "no compiler": "*.tar.gz"}
NOT_IN = {".so", ".pyc", ".part"}


def files_of(*folders: str) -> set[str]:
    """Files of the tree, from its root."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return {
        str(path.relative_to(ROOT))
        for path in found
        if path.is_file() and path.suffix not in NOT_IN and not path.parent.name.endswith(("__pycache__", ".egg-info"))
    }


def holds(names: Iterable[str], wanted: set[str]) -> None:
    missing = sorted(wanted - set(names))
    assert not missing, f"the distribution lacks {missing}"


def check_files(dist: Path) -> None:
    """Whether wheel and source have all that they should."""
    [wheel], [source] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    package = {name.removeprefix("src/") for name in files_of("src/engram")}
    holds(names, {name for name in package if not name.endswith(".c")})
    holds(
        names, {f"{wheel.name.rsplit('-', 3)[0]}.dist-info/{name}" for name in ("licenses/LICENSE", "entry_points.txt")}
    )
    extra = [name for name in names if not name.startswith("engram") or name.endswith(".c")]
    assert not extra, f"the wheel has {extra}"
    with tarfile.open(source) as tar:
        names = [name.partition("/")[2] for name in tar.getnames()]
    top = {".ci/run", "LICENSE", "Makefile", "constraints.txt", "pyproject.toml", "MANIFEST.in", "PKG-INFO"}
    holds(
        names, files_of("src/engram", "tests", "docs", "benchmarks") | top | {path.name for path in ROOT.glob("*.md")}
    )


def pictures(folder: Path) -> None:
    """PNG and JPEG files, some of which are alike."""
    random = np.random.default_rng(0)
    for number in range(12):
        small = Image.fromarray(random.integers(0, 256, (4, 4, 3), np.uint8))
        for name, options in (("png", {}), ("jpg", {"quality": 80})):
            path = folder / name / f"{number}.{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            small.resize((24, 24)).save(path, **options)


def check(setting: str, dist: Path) -> None:
    """Installs a setting's distribution, without extras, and asks for everything once. Raises AssertionError."""
    [file] = dist.resolve().glob(SETTINGS[setting])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if setting == "no compiler":
        environment["CC"] = "/bin/false"
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "empty"
        place.mkdir()

        def run(*command: str | Path) -> str:
            done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
            return done.stdout

        run(sys.executable, "-m", "venv", "../venv")
        there = Path(scratch) / "venv" / "bin"
        run(there / "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", file)

        said = run(there / "engram", "--version")
        assert said == run(there / "python", "-m", "engram", "--version")
        version = run(there / "python", "-c", "import engram; print(engram.__version__)").strip()
        assert f"engram {version}\n" in said
        assert f"-{version}" in file.name
        built = setting == "wheel" or (setting == "source" and shutil.which("cc") is not None)
        assert ("code in C: built" if built else "code in C: not built") in said, said
        verbs = run(there / "engram", "--help")
        assert all(verb in verbs for verb in ("pack", "unpack", "info", "get", "verify", "ls")), verbs

        pictures(place / "in")
        engram = there / "engram"
        print(f"{setting}: {run(engram, 'pack', 'in', '-o', 'a.egm', '--budget', '5').splitlines()[0]}", flush=True)
        run(engram, "verify", "a.egm")
        assert "24" in run(engram, "info", "a.egm")
        assert len(run(engram, "ls", "a.egm").splitlines()) >= 24
        run(engram, "unpack", "a.egm", "out")
        for before in (place / "in").rglob("*.*"):
            [after] = (place / "out").rglob(f"{before.parent.name}/{before.stem}.*")
            with Image.open(before) as one, Image.open(after) as other:
                assert np.array_equal(np.asarray(one), np.asarray(other)), f"{before} comes back otherwise"
        run(engram, "get", "a.egm", "0", "-o", "0.png")
        assert (place / "0.png").is_file()
        run(engram, "pack", "in", "-o", "b.egm", "-m", "generic-rgb")  # which the wheel brings
        run(engram, "verify", "b.egm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dist", type=Path)
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=f"of {', '.join(map(repr, SETTINGS))}")
    given = parser.parse_args()
    check_files(given.dist)
    for setting in given.settings or SETTINGS:
        check(setting, given.dist)
        print(f"{setting}: sound", flush=True)


if __name__ == "__main__":
    main()
