"""SCALE.md is what its command makes of the committed rates, and the simulation behind it keeps its laws."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import scale  # noqa: E402
from schedule import Cluster, simulate  # noqa: E402

RATES = json.loads((ROOT / "docs" / "scale" / "rates.json").read_text())


def test_the_tables_are_those_of_the_rates() -> None:
    text = (ROOT / "SCALE.md").read_text()
    assert text == scale.filled(text, scale.tables(RATES))


def test_a_changed_rate_changes_the_tables() -> None:
    faster = json.loads(json.dumps(RATES))
    faster["codes"]["lossless"]["packed"] *= 2
    before, after = scale.costs_table(RATES), scale.costs_table(faster)
    assert before != after
    hours = [float(found.splitlines()[5].split(" | ")[4]) for found in (before, after)]
    assert hours[0] == pytest.approx(2 * hours[1], rel=0.01)


def test_rates_are_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import engram
    from engram.datasets import wardrobe

    monkeypatch.setattr(engram, "load", lambda data: wardrobe.draw(100, seed=len(data)))
    monkeypatch.setattr(scale, "memory", lambda count, memory=scale.memory: memory(count // 1000))
    monkeypatch.setattr(scale, "SEEDS", 1)
    names = re.findall(r"<!-- (?!end)(\w+) -->", (ROOT / "SCALE.md").read_text())
    (tmp_path / "page.md").write_text("".join(f"<!-- {name} -->\n<!-- end -->\n" for name in names))
    arguments = ["scale.py", "--repetitions", "1", "--rates", str(tmp_path / "rates.json")]
    monkeypatch.setattr(sys, "argv", [*arguments, "--into", str(tmp_path / "page.md")])
    scale.main()
    measured = json.loads((tmp_path / "rates.json").read_text())
    assert measured.keys() == RATES.keys()
    assert all(code["packed"] > 0 and code["unpacked"] > 0 for code in measured["codes"].values())
    assert measured["codes"]["16 bytes"]["bytes_per_image"] < measured["codes"]["lossless"]["bytes_per_image"]
    assert (tmp_path / "page.md").read_text() != (ROOT / "SCALE.md").read_text()


@given(st.integers(0, 40), st.integers(1, 5), st.integers(1, 4), st.integers(0, 9))
@settings(deadline=None)
def test_a_run_takes_no_less_than_its_work(ranges: int, nodes: int, cores: int, seed: int) -> None:
    even = simulate(ranges, 10.0, Cluster(nodes, cores, spread=0.0), seed)
    assert even.seconds == pytest.approx(10.0 * math.ceil(ranges / (nodes * cores)))
    assert (even.repeated, even.lost_seconds) == (0, 0.0)
    rough = Cluster(nodes, cores, spread=0.0, hours_between_losses=0.01, seconds_away=5.0)
    lost = simulate(ranges, 10.0, rough, seed)
    assert lost.seconds >= even.seconds - 1e-6 or lost.repeated == 0
    assert lost.lost_seconds <= 10.0 * lost.repeated
    assert lost == simulate(ranges, 10.0, rough, seed)


def test_what_a_lost_node_worked_on_is_done_again() -> None:
    cluster = Cluster(3, 2, spread=0.0, hours_between_losses=0.05, seconds_away=30.0)
    runs = [simulate(60, 20.0, cluster, seed) for seed in range(10)]
    assert any(run.repeated for run in runs)
    for run in runs:
        assert (run.lost_seconds > 0) == (run.repeated > 0)
        assert run.seconds >= 200.0


def test_slow_ranges_are_as_many_as_said() -> None:
    alone = Cluster(1, 1, spread=0.0, slow=0.25, times=9.0)
    assert simulate(4000, 1.0, alone, 0).seconds == pytest.approx(4000 * (1 + 0.25 * 8), rel=0.1)
    assert simulate(4000, 1.0, Cluster(1, 1, spread=0.3), 0).seconds == pytest.approx(4000, rel=0.05)
