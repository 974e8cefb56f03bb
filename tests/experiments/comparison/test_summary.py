"""What follows from rows: means over seeds, the front, rates, and when a model has paid for itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.experiments.comparison.row import Row
from engram.experiments.comparison.summary import over_seeds, summary

PSNR = st.one_of(st.none(), st.integers(5, 60).map(float))
PLACES = st.lists(st.tuples(st.integers(1, 500), PSNR), max_size=12)


def row(method: str, rate: float, psnr_db: float | None, model: int = 0, setting: str = "", seed: int = 0) -> Row:
    return {
        "method": method,
        "family": "some",
        "setting": setting or f"{rate}",
        "seed": seed,
        "bytes_per_image": rate,
        "bytes_per_image_with_model": rate + model / 1000,
        "model_bytes": model,
        "total_bytes": 1000 * rate + model,
        "psnr_db": psnr_db,
        "ssim": 0.5,
        "max_error": 3,
        "accuracy": {"strong": psnr_db / 100 if psnr_db else 1.0},
        "encode_images_per_second": 10.0,
        "decode_images_per_second": 20.0,
        "random_access": True,
    }


def test_seeds_become_a_mean_and_a_spread() -> None:
    (point,) = over_seeds([row("m", 10, 20.0, seed=0, setting="s"), row("m", 12, 24.0, seed=1, setting="s")])
    assert (point["bytes_per_image"], point["psnr_db"], point["seeds"]) == (11, 22, 2)
    assert point["accuracy"]["strong"] == pytest.approx(0.22)
    assert point["deviation"]["psnr_db"] == pytest.approx(math.sqrt(8))
    assert point["deviation"]["strong"] == pytest.approx(math.sqrt(8) / 100)
    assert "seed" not in point


def test_one_training_has_no_spread_and_a_failure_stays_a_failure() -> None:
    rows = [{"method": "f", "error": "no"}, row("m", 10, 20.0)]
    point, failed = over_seeds(rows)
    assert point["seeds"] == 1
    assert "deviation" not in point
    assert failed == {"method": "f", "error": "no"}


@given(PLACES)
def test_the_front_is_what_nothing_beats(places: list[tuple[int, float | None]]) -> None:
    rows = [row("m", rate, psnr, setting=str(at)) for at, (rate, psnr) in enumerate(places)]
    points = summary(rows)["points"]

    def height(one: Row) -> float:
        return math.inf if one["psnr_db"] is None else one["psnr_db"]

    for one in points:
        beaten = any(
            other["bytes_per_image"] <= one["bytes_per_image"]
            and height(other) >= height(one)
            and (other["bytes_per_image"], height(other)) != (one["bytes_per_image"], height(one))
            for other in points
        )
        assert ("without_model" in one["front"]) == (not beaten)


def test_half_the_bytes_are_minus_fifty_per_cent() -> None:
    rows = [row("avif-atlas", rate, psnr) for rate, psnr in ((40, 20.0), (80, 30.0), (160, 40.0))]
    rows += [row("m", rate / 2, psnr, model=10_000) for rate, psnr in ((40, 20.0), (80, 30.0), (160, 40.0))]
    found = {(rate["method"], rate["counted"]): rate for rate in summary(rows)["bjontegaard"]}
    assert found["m", "without_model"]["percent"] == pytest.approx(-50)
    assert found["m", "with_model"]["percent"] > -50
    assert (found["m", "without_model"]["from_db"], found["m", "without_model"]["to_db"]) == (20, 40)
    assert ("avif-atlas", "without_model") not in found


def test_a_model_pays_from_the_image_on_where_it_has_saved_its_bytes() -> None:
    rows = [row("avif-atlas", 50, 20.0), row("avif-atlas", 100, 30.0), row("jxl-lossless-atlas", 300, None)]
    rows += [row("m", 80, 30.0, model=1001), row("n", 60, 20.0, model=5), row("l", 290, None, model=100)]
    rows += [row("far", 10, 50.0, model=5), row("free", 99, 30.0)]
    pays = {point["method"]: point["break_even_images"] for point in summary(rows)["points"]}
    assert pays["m"] == 51  # 1001 / 20
    assert pays["n"] is None  # never smaller
    assert pays["l"] == 10
    assert pays["far"] is None  # beyond the rival's curve
    assert pays["free"] == 0


def test_nothing_measured_is_nothing_summed_up() -> None:
    assert summary([]) == {"points": [], "bjontegaard": []}
