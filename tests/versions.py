"""The whole suite on other Pythons and on other versions of what engram stands on, each in an environment of its own.

python tests/versions.py                        every setting whose Python is on the PATH
python tests/versions.py "3.13, newest"         the one that is named
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASE = ("numpy", "pillow", "torch")
"""What versions are changed of; all else is as pinned, or as these allow."""
SETTINGS = {
    "3.11, oldest": "oldest",
    "3.12, pinned": "pinned",
    "3.13, newest": "newest",
    "3.14, newest": "newest",
}


def wanted(which: str) -> list[str]:
    """The lines of a constraints file."""
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    others = [pin for pin in pins if not pin.startswith(tuple(f"{name}==" for name in BASE))]
    if which == "pinned":
        return pins
    if which == "newest":
        return []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["train"]]
    least = [line.replace(">=", "==") for line in asked if re.split("[>=<]", line)[0] in BASE]
    free = ("scipy", "scikit", "imagecodecs", "matplotlib", "setuptools")
    return [*least, *(pin for pin in others if not pin.startswith(free))]


def python_of(setting: str) -> str | None:
    """The interpreter of a setting's version, where there is one."""
    version = setting.split(",", maxsplit=1)[0]
    found = shutil.which(f"python{version}")
    if found and not subprocess.run([found, "-c", "import ssl"], capture_output=True, check=False).returncode:
        return found
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(kept[-1]) if kept else None


def passes(setting: str, python: str, options: list[str]) -> bool:
    """Whether the suite does, in an environment that is made for it and removed."""
    with tempfile.TemporaryDirectory() as scratch:
        environment, limits = Path(scratch) / "venv", Path(scratch) / "constraints.txt"
        limits.write_text("\n".join(wanted(SETTINGS[setting])))
        subprocess.run([python, "-m", "venv", environment], check=True)
        run = environment / "bin"
        install = [run / "pip", "install", "--quiet", "--constraint", limits, "--editable", f"{ROOT}[dev]"]
        if subprocess.run(install, check=False).returncode:
            return False
        listed = subprocess.run([run / "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True)
        print(f"{setting}:", *re.findall(rf"^(?:{'|'.join(BASE)}).*", listed.stdout, re.MULTILINE), flush=True)
        ray = ROOT / "tests" / "integrations" / "test_ray.py"
        suite = [run / "pytest", "-n", "auto", "--dist", "worksteal", *(options or ["--ignore", ray])]
        runs = [suite] if options else [suite, [run / "pytest", ray]]
        return all(subprocess.run(command, cwd=ROOT, check=False).returncode == 0 for command in runs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=f"of {', '.join(map(repr, SETTINGS))}")
    given, options = parser.parse_known_args()
    failed = []
    for setting in given.settings or SETTINGS:
        python = python_of(setting)
        if python is None:
            print(f"{setting}: not run, there is no such Python here", flush=True)
        elif not passes(setting, python, options):
            failed.append(setting)
    if failed:
        print("failed with: " + "; ".join(failed), file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
