"""The studies of the paper's future work, on few images: what they find, and what the page says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparing import material

from engram.document import Document, RateChart, Section, Table, Text
from engram.evaluation.distortion import psnr_db
from engram.experiments.comparison.job import Finding
from engram.experiments.comparison.material import Material
from engram.experiments.comparison.noise import KINDS, Denoising, Filters, noisy
from engram.experiments.comparison.smaller import Reduction, Weights
from engram.experiments.comparison.structure import SPACES, StructureSearch
from engram.experiments.comparison.study import Study

for library in ("sklearn", "skimage"):
    pytest.importorskip(library, reason="the comparison's extra is not installed: pip install 'engram-images[compare]'")


@pytest.fixture(scope="module")
def small() -> Material:
    return material(300, 40)


def told(study: Study, found: Finding) -> list[Any]:
    """The blocks, which together make a document."""
    blocks = study.blocks(found)
    Document("studies", "", (Section(study.title, blocks),))
    return list(blocks)


def test_filters_are_held_against_the_clean_images(small: Material) -> None:
    study = Filters("filters")
    found = study.run(small, lambda amount: None)
    assert set(found.facts) == set(KINDS)
    for kind in KINDS:
        assert found.facts[kind]["noisy"]["psnr_db"] == pytest.approx(
            psnr_db(small.test.images, noisy(small.test, kind))
        )
        assert set(found.facts[kind]["noisy"]["accuracy"]) == {"strong", "paper's"}
    table = next(block for block in told(study, found) if isinstance(block, Table))
    assert len(table.rows) == 3 * len(KINDS)


def test_a_network_that_saw_noise_is_beside_one_that_did_not(small: Material) -> None:
    study = Denoising("cnn", 1, 70e-6, 16)
    found = study.run(small, lambda amount: None)
    for variants in found.facts.values():
        assert set(variants) == {"trained on clean images", "trained with noise"}
        clean, noise = (variants[name]["psnr_db"] for name in ("trained on clean images", "trained with noise"))
        assert clean != noise
    assert np.array_equal(found.pictures["clean"], small.test.images[: len(found.pictures["clean"])])
    table, pictures = told(study, found)
    assert len(table.rows) == 2 * len(KINDS)
    assert len(pictures.rows) == 1 + 2 * len(KINDS)


def test_fewer_units_make_smaller_models(small: Material) -> None:
    study = Reduction("fewer units", "named", 1, 8, 24, (16, 8))
    found = study.run(small, lambda amount: None)
    assert {row["method"] for row in found.rows} == {
        "ann, units removed",
        "ann, units removed, tuned",
        "ann of few units",
    }
    sizes = {row["setting"]: row["model_bytes"] for row in found.rows if row["method"] == "ann, units removed"}
    assert sizes["24 units"] > sizes["16 units"] > sizes["8 units"]
    angles = [fact["angle"] for fact in found.facts["variants"] if fact["method"] == "ann, units removed"]
    assert angles[0] is None
    assert all(0 <= angle <= 90 for angle in angles[1:])
    assert len(found.pictures) == len(found.rows)
    assert any("hidden units" in block.text for block in told(study, found) if isinstance(block, Text))


def test_fewer_weights_make_smaller_models(small: Material) -> None:
    study = Weights("fewer weights", "named", 1, 8, 24, (0.2,), ((16, 8),))
    found = study.run(small, lambda amount: None)
    sizes = {row["method"]: row["model_bytes"] for row in found.rows}
    assert sizes["ann, pruned"] < sizes["ann, all weights"]
    assert sizes["ann, product quantised"] < sizes["ann, all weights"]
    table = next(block for block in told(study, found) if isinstance(block, Table))
    assert [row[1] for row in table.rows] == [
        *("100% of the weights", "20% of the weights", "20% of the weights"),
        "16 codewords of 8",
    ]


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_search_trains_the_better_half_for_twice_as_long(name: str, small: Material) -> None:
    study = StructureSearch(name, 2, 1)
    ticks: list[float] = []
    found = study.run(small, ticks.append)
    trials = found.facts["trials"]
    assert [trial["epochs"] for trial in trials] == [1, 1, 2]
    best = max(trials[:2], key=lambda trial: trial["psnr_db"])
    assert _setting(trials[2]) == _setting(best)
    assert found.facts["validated"] == 60
    assert sum(ticks) == pytest.approx(study.seconds(small), rel=0.3)
    chart = next(block for block in told(study, found) if isinstance(block, RateChart))
    front = chart.curves[0].points
    assert [point.y for point in front] == sorted(point.y for point in front)


def test_a_search_in_which_nothing_could_be_trained_says_so() -> None:
    failed = {"method": "ann", "options": {}, "recipe": {}, "epochs": 1, "psnr_db": 0.0, "model_bytes": 0}
    (block,) = StructureSearch("fully connected", 1, 1).blocks(Finding(facts={"trials": [failed], "validated": 1}))
    assert isinstance(block, Text)
    assert "No setting" in block.text


def _setting(trial: dict[str, Any]) -> tuple[Any, ...]:
    return trial["method"], trial["options"], trial["recipe"]
