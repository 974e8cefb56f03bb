"""Imports point down, heavy libraries stay in their rooms, and files stay small."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "engram"
FLOORS = {
    "images": 0,
    "errors": 0,
    "version": 0,
    "kinds": 0,
    "table": 0,
    "layers": 0,
    "files": 0,
    "document": 0,
    "storage": 0,
    "words": 0,
    "models": 1,
    "datasets": 1,
    "coding": 1,
    "networks": 1,
    "training": 2,
    "codecs": 2,
    "archive": 3,
    "evaluation": 4,
    "packing": 5,
    "experiments": 6,
    "report": 6,
    "integrations": 6,
    "cli": 7,
    "__main__": 7,
    "__init__": 7,
}
FILES = sorted(SOURCE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def room_of(path: Path) -> str:
    """The package, or the module, directly below engram."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, names from a package included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            if node.module == "engram":
                yield from (f"engram.{alias.name}" for alias in node.names)


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in FILES} == set(FLOORS)


def may_import(room: str, module: str) -> bool:
    """Whether a room may import a module of engram's: it lies below, or beside on any floor but the sixth."""
    other = module.split(".")[1]
    beside = other == room or FLOORS[room] != 6
    return other in FLOORS and (FLOORS[other] < FLOORS[room] or (FLOORS[other] == FLOORS[room] and beside))


def test_imports_point_down() -> None:
    wrong = [
        f"{path}, on floor {FLOORS[room_of(path)]}, imports {module}"
        for path in FILES
        if room_of(path) != "__init__"  # the public names, imported when used
        for module in imports(path)
        if module.startswith("engram.") and not may_import(room_of(path), module)
    ]
    assert wrong == []


NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}  # public, in spite of their names


def private_names_of_others(path: Path) -> Iterator[str]:
    """Every private name of another module that a file imports or reads."""
    nodes = list(ast.walk(tree_of(path)))
    aliases = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    imported = {alias.asname or alias.name.split(".")[0] for alias in aliases}
    used = [part for alias in aliases for part in alias.name.split(".")]
    used += [
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported
    ]
    yield from (name for name in used if re.match("_[^_]", name) and name not in NAMED_TUPLE)


def test_private_names_stay_in_their_file() -> None:
    assert [f"{path} uses {name}" for path in FILES for name in private_names_of_others(path)] == []


ROOMS_OF = {
    "torch": {"networks", "training", "integrations"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "constriction": {"coding"},
    "imagecodecs": {"evaluation"},
    "sklearn": {"codecs"},
    "skimage": {"evaluation"},
    "rich": {"cli"},
    "typer": {"cli"},
    "platformdirs": {"datasets"},
    "fsspec": {"storage"},
    "aiohttp": set(),
    "ray": {"integrations"},
    "pyarrow": {"datasets", "archive"},
    "pickle": set(),
}


def test_heavy_libraries_stay_in_their_rooms() -> None:
    wrong = [
        f"{path} imports {module}"
        for path in FILES
        for module in imports(path)
        if room_of(path) not in ROOMS_OF.get(module.split(".")[0], {room_of(path)})
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "first",
    [
        "import engram, engram.datasets.source, engram.archive, engram.codecs, engram.models",
        "import engram.cli.main",
        "import engram; engram.open, engram.pack, engram.verify, engram.info, engram.unpack, engram.load",
        "import engram; engram.freeze, engram.measure, engram.register_pillow",
    ],
)
def test_reading_needs_no_torch(first: str) -> None:
    names = ("torch", "matplotlib", "jinja2", "fsspec", "aiohttp", "ray", "pyarrow")
    blocked = f"import sys\nfor name in {names}: sys.modules[name] = None\n"
    subprocess.run([sys.executable, "-c", blocked + first], check=True, capture_output=True)


def test_a_command_line_starts_without_what_only_some_verbs_need() -> None:
    heavy = ("torch", "matplotlib", "PIL", "rich.progress", "constriction")
    code = f"import sys, engram.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_file_holds_one_idea() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    assert [f"{path} has {n} lines" for path, n in lines.items() if n > 350] == []
    assert [path for path in FILES if re.fullmatch(r"utils?|commons?|helpers?|base|managers?|misc", path.stem)] == []
    silent = [path for path, n in lines.items() if n and not ast.get_docstring(tree_of(path))]
    assert silent == [], "these files do not say what they are"


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    names = {re.match(r"[A-Za-z0-9-]+", item)[0].lower() for item in wanted} - {"engram-images"}
    pins = re.findall(r"^([a-z0-9-]+)==[0-9][0-9.]*$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert names <= set(pins)


def test_the_tree_in_the_architecture_is_the_tree() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    block = re.search(r"```\nsrc/engram/\n(.*?)```", text, re.DOTALL)
    assert block
    named = set(re.findall(r"^  ([a-z_0-9]+(?:\.py|/))", block[1], re.MULTILINE))
    rooms = {path.name + "/" for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    modules = {path.name for path in SOURCE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert named == rooms | modules
    for word in re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.[a-z]+)?|[a-z_]+\.py)`", text):
        assert (ROOT / word).exists() or (SOURCE / word).exists(), f"ARCHITECTURE.md names {word}"
    for room, files in re.findall(r"^  ([a-z]+)/ +(.*(?:\n {9}.*)*)", block[1], re.MULTILINE):
        for name in re.findall(r"`([a-z_]+)`", files):
            assert (SOURCE / room / f"{name}.py").exists(), f"ARCHITECTURE.md names {room}/{name}"


@pytest.mark.parametrize("name", ["fit", "ArchiveDataset"])
def test_without_torch_what_needs_it_says_what_to_install(name: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import engram; engram.{name}"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    words = f"engram.errors.MissingLibrary: engram.{name} needs torch; `pip install 'engram-images[train]'` brings it"
    assert done.stderr.splitlines()[-1] == words
