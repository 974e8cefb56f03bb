"""Curves and the Bjontegaard rate, held against cases whose answers are known."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.evaluation.curves import Curve, NoCurve, OutsideCurve, bjontegaard_rate, front

POINTS = [(24.1, 20.06), (48.5, 24.05), (86.9, 29.48), (143.0, 36.17), (254.5, 47.60)]


def points_of(steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A rising curve of (factor of the rate, step in dB)."""
    rate, psnr_db, points = 5.0, 18.0, []
    for factor, step in steps:
        rate, psnr_db = rate * factor, psnr_db + step
        points.append((rate, psnr_db))
    return points


CURVES = st.lists(st.tuples(st.floats(1.05, 3), st.floats(0.3, 6)), min_size=2, max_size=8).map(points_of)


@given(CURVES, st.floats(0.1, 3))
def test_a_constant_factor_is_the_bjontegaard_rate(points: list[tuple[float, float]], factor: float) -> None:
    scaled = Curve((rate * factor, psnr_db) for rate, psnr_db in points)
    assert bjontegaard_rate(Curve(points), scaled) == pytest.approx(100 * (factor - 1), abs=1e-9)


def test_half_the_rate_everywhere_is_minus_50() -> None:
    assert bjontegaard_rate(Curve(POINTS), Curve((rate / 2, db) for rate, db in POINTS)) == pytest.approx(-50)


@given(CURVES, CURVES)
def test_exchanging_the_curves_inverts_the_ratio(
    one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> None:
    if max(one[0][1], other[0][1]) >= min(one[-1][1], other[-1][1]):
        with pytest.raises(OutsideCurve):
            bjontegaard_rate(Curve(one), Curve(other))
        return
    there, back = bjontegaard_rate(Curve(one), Curve(other)), bjontegaard_rate(Curve(other), Curve(one))
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


def test_only_the_psnr_that_both_reach_counts() -> None:
    anchor = Curve([(10.0, 20.0), (20.0, 30.0), (40.0, 40.0)])
    other = Curve([(10.0, 30.0), (20.0, 40.0), (1e6, 50.0)])
    # From 30 to 40 dB both are exponentials but for their slopes at the knots, which the far point bends.
    assert -60 < bjontegaard_rate(anchor, other) < -50


def test_different_exponentials_have_the_mean_of_their_logarithms() -> None:
    anchor = Curve((math.exp(0.10 * db), db) for db in (20.0, 25.0, 31.0, 40.0))
    other = Curve((math.exp(0.08 * db), db) for db in (22.0, 30.0, 38.0))
    assert bjontegaard_rate(anchor, other) == pytest.approx(100 * math.expm1(-0.02 * (22 + 38) / 2))


def test_a_cubic_is_integrated_exactly() -> None:
    """Knots (0, 0), (1, 1), (3, 2): slopes worked out by hand from Fritsch and Carlson's means, and PCHIP's ends."""
    anchor = Curve([(1.0, 0.0), (1.0 + 1e-12, 3.0)])
    other = Curve([(1.0, 0.0), (math.e, 1.0), (math.e**2, 3.0)])
    first, inner, last = (4 * 1 - 1 * 0.5) / 3, 9 / (5 / 1 + 4 / 0.5), (5 * 0.5 - 2 * 1) / 3
    area = (0 + 1) / 2 + (first - inner) / 12 + 2 * (1 + 2) / 2 + 4 * (inner - last) / 12
    assert bjontegaard_rate(anchor, other) == pytest.approx(100 * math.expm1(area / 3))


@given(CURVES)
def test_a_curve_goes_through_its_points_and_rises_between(points: list[tuple[float, float]]) -> None:
    curve = Curve(reversed(points))
    low, high = points[0][1], points[-1][1]
    for rate, psnr_db in points:
        assert curve.rate_at(psnr_db) == pytest.approx(rate)
    rates = [curve.rate_at(min(high, low + (high - low) * step / 50)) for step in range(51)]
    assert all(before <= after * (1 + 1e-9) for before, after in pairwise(rates))


def test_a_psnr_outside_is_refused() -> None:
    with pytest.raises(OutsideCurve, match=r"the curve runs from 20\.06 to 47\.60 dB, which leaves out 50\.00"):
        Curve(POINTS).rate_at(50)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "needs two points, not 0"),
        ([(1.0, 20.0)], "needs two points, not 1"),
        ([(0.0, 20.0), (1.0, 30.0)], "above 0"),
        ([(1.0, 20.0), (2.0, math.inf)], "finite"),
        ([(1.0, 20.0), (2.0, math.nan)], "finite"),
        ([(1.0, 20.0), (2.0, 19.0)], "PSNR must rise with the rate"),
        ([(1.0, 20.0), (1.0, 21.0)], "PSNR must rise with the rate"),
        ([(1.0, 20.0), (2.0, 20.0)], "take their front"),
    ],
)
def test_points_that_make_no_curve(points: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(NoCurve, match=message):
        Curve(points)


def test_the_front_leaves_out_what_another_point_beats() -> None:
    points = [(30.0, 25.0), (10.0, 20.0), (10.0, 19.0), (20.0, 20.0), (25.0, 26.0), (40.0, 27.0)]
    assert front(points) == [(10.0, 20.0), (25.0, 26.0), (40.0, 27.0)]
    assert front([]) == []
