"""Findings are kept by what they depend on; jobs that fail become rows; nothing finished is done again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparing import Told, material

from engram.experiments.comparison import job as jobs
from engram.experiments.comparison import run
from engram.experiments.comparison.codecs import Brought
from engram.experiments.comparison.job import Finding, Job
from engram.experiments.comparison.material import Material
from engram.training.workers import Tick


@pytest.fixture(scope="module")
def small() -> Material:
    return material()


def find(planned: list[Job], small: Material, folder: Path) -> dict[Job, Finding]:
    return run.find(planned, small, folder, 0, lambda what, done, total: None)


def test_a_finding_comes_back(tmp_path: Path) -> None:
    found = Finding(({"method": "m", "psnr_db": None},), {"a": [1, 2]}, {"p": np.arange(6, dtype=np.uint8)}, 1.5, "why")
    found.save(tmp_path / "f")
    again = jobs.load(tmp_path / "f")
    assert again is not None
    assert (again.rows, again.facts, again.seconds, again.error) == (found.rows, found.facts, 1.5, "why")
    assert np.array_equal(again.pictures["p"], found.pictures["p"])


@pytest.mark.parametrize("content", [b"", b"nothing to trust", b"\x00" * 100])
def test_what_cannot_be_read_is_no_finding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert jobs.load(tmp_path / "f") is None
    assert jobs.load(tmp_path / "missing") is None


def test_what_is_finished_is_not_done_again(tmp_path: Path, small: Material) -> None:
    diary = str(tmp_path / "diary")
    planned: list[Job] = [Told("one", diary), Told("two", diary)]
    first = find(planned, small, tmp_path / "work")
    second = find(planned, small, tmp_path / "work")
    assert Path(diary).read_text().split() == ["one", "two"]
    assert [first[item].rows for item in planned] == [second[item].rows for item in planned]


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, small: Material) -> None:
    diary = str(tmp_path / "diary")
    with pytest.raises(KeyboardInterrupt):
        find([Told("one", diary), Told("two", diary, "interrupted")], small, tmp_path / "work")
    find([Told("one", diary), Told("two", diary)], small, tmp_path / "work")
    assert Path(diary).read_text().split() == ["one", "two", "two"]


def test_a_failure_is_an_error_and_the_run_goes_on(tmp_path: Path, small: Material) -> None:
    diary = str(tmp_path / "diary")
    planned: list[Job] = [Told(fails, diary, fails) for fails in ("broken", "refused", "library")] + [
        Told("well", diary)
    ]
    found = find(planned, small, tmp_path / "work")
    assert [found[item].error for item in planned] == [
        "ZeroDivisionError: nothing to divide by",
        "these images will never do",
        "this needs a library",
        "",
    ]
    find(planned, small, tmp_path / "work")  # only what another run may do better is tried again
    assert Path(diary).read_text().split()[4:] == ["broken", "library"]


def test_ticks_make_up_what_a_job_was_said_to_take(tmp_path: Path, small: Material) -> None:
    reports: list[tuple[float, float]] = []
    planned: list[Job] = [Told("one", str(tmp_path / "d")), Told("two", str(tmp_path / "d"), "broken")]
    run.find(planned, small, tmp_path / "work", 0, lambda what, done, total: reports.append((done, total)))
    assert reports[-1] == (2.0, 2.0)
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)


def test_a_key_changes_with_whatever_matters(small: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Told("one", "d")
    assert first.key(small) == Told("one", "d").key(small)
    other_images = replace(small, test=small.test[:-1])
    keys = {first.key(small), Told("one", "e").key(small), Told("two", "d").key(small), first.key(other_images)}
    monkeypatch.setattr(jobs, "REVISION", jobs.REVISION + 1)
    keys.add(first.key(small))
    assert len(keys) == 5
    assert all(set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for key in keys)


def test_a_key_changes_with_the_model_that_engram_brings(small: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    from engram.archive import shipped

    brought = Brought("pixel", "engram", ("fashion-mnist-lossless",))
    before = brought.key(small)
    monkeypatch.setattr(shipped, "checksum", lambda name: "another")
    assert brought.key(small) != before


def test_a_missing_version_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs.versions(("numpy", "no-such-library"))["no-such-library"] == "none"


def test_the_longest_job_comes_first(tmp_path: Path, small: Material) -> None:
    class Long(Job):
        def seconds(self, material: Material) -> float:
            return 9.0

        def run(self, material: Material, tick: Tick) -> Finding:
            Path(self.name).write_text("long\n")
            return Finding()

    diary = tmp_path / "diary"
    find([Told("short", str(diary)), Long(str(diary))], small, tmp_path / "work")
    assert diary.read_text() == "long\nshort\n"
