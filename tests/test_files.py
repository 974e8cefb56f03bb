"""A file or a folder appears whole under its final name, or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from engram.errors import EngramError, UsageError
from engram.files import CannotWrite, OutputExists, replacing_file, replacing_folder


class Interruption(BaseException):
    """Stands for Ctrl-C."""


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with replacing_file(tmp_path / "a") as file:
        file.write(b"new")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with replacing_file(str(tmp_path / "a")) as file:
        file.write(b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("failure", [ValueError, Interruption])
def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def write_half() -> None:
        with replacing_file(tmp_path / "a") as file:
            file.write(b"half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_needs_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a"
    message = f"{path}: could not be written (No such file or directory); nothing was left there. Make room, or"
    with pytest.raises(CannotWrite, match=re.escape(message)), replacing_file(path):
        pytest.fail("the block must not start")


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from engram.files import CannotWrite, replacing_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with replacing_file(sys.argv[1]) as file:
        file.write(bytes(100_000))
except CannotWrite as error:
    print(error)
"""
    path = tmp_path / "a"
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"{path}: could not be written (File too large); nothing was left there")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_when_the_block_ends(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "deep" / "a") as folder:
        (folder / "file").write_bytes(b"new")
        assert not (tmp_path / "deep" / "a").exists()
    assert (tmp_path / "deep" / "a" / "file").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]


@pytest.mark.parametrize("failure", [ValueError, Interruption])
@pytest.mark.parametrize("older", [False, True])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path, failure: type[BaseException], older: bool) -> None:
    path = tmp_path / "a"
    if older:
        path.mkdir()
        (path / "old").touch()

    def fill_half() -> None:
        with replacing_folder(path, force=True) as folder:
            (folder / "half").touch()
            raise failure

    with pytest.raises(failure):
        fill_half()
    assert list(tmp_path.rglob("*")) == ([path, path / "old"] if older else [])


def test_an_existing_folder_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").touch()
    message = f"{path}: this folder exists already; choose another name, or force it"
    with pytest.raises(OutputExists, match=f"^{re.escape(message)}$"), replacing_folder(path):
        pytest.fail("the block must not start")
    with replacing_folder(path, force=True) as folder:
        (folder / "new").touch()
    assert list(tmp_path.rglob("*")) == [path, path / "new"]


def test_a_file_is_never_replaced_by_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    message = f"{path}: a file of this name exists already; choose another name"
    with pytest.raises(OutputExists, match=f"^{re.escape(message)}$"), replacing_folder(path, force=True):
        pytest.fail("the block must not start")
    assert path.read_bytes() == b"old"


def test_the_older_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if target == path and (self / "new").exists():
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(CannotWrite, match="Permission denied"), replacing_folder(path, force=True) as folder:
        (folder / "new").touch()
    assert list(tmp_path.rglob("*")) == [path, path / "old"]


def test_what_each_error_means_to_the_shell() -> None:
    assert issubclass(CannotWrite, EngramError)
    assert CannotWrite.exit_code == 1
    assert issubclass(OutputExists, UsageError)
    assert OutputExists.exit_code == 2
