"""The whole reproduction, small: on the built-in set, and on folders of a user's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from command_line import run as run_command
from typer.testing import CliRunner

from engram.cli import reproduce as verb
from engram.datasets import catalog, wardrobe
from engram.datasets.source import TooFewImages
from engram.document import Confusion, LineChart, Pictures, Table, Topology, Verdicts
from engram.errors import UsageError
from engram.experiments.reproduction import plan as plan_module
from engram.experiments.reproduction import reproduce as reproduce_module
from engram.experiments.reproduction import trial as trial_module
from engram.experiments.reproduction.chapters import document
from engram.experiments.reproduction.material import NoLabels, prepare
from engram.experiments.reproduction.montage import montage
from engram.experiments.reproduction.output import write
from engram.experiments.reproduction.reproduce import reproduce

SMALL = {"networks_train": 120, "networks_test": 70, "classifier_train": 300, "classifier_test": 100}
EPOCHS = {"cnn": 4, "ann": 4, "tied": 4, "classifier": 5}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "QUICK", EPOCHS)
    monkeypatch.setattr(reproduce_module, "QUICK", SMALL)
    monkeypatch.setattr(wardrobe, "COUNTS", {"train": 600, "test": 200})


@pytest.fixture
def no_fashion_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a copy nor a network."""

    def fetch(*args: object, **kwargs: object) -> Path:
        raise catalog.NotAvailable("fashion-mnist is nowhere")

    monkeypatch.setattr(catalog, "fetch", fetch)


@pytest.mark.usefixtures("no_fashion_mnist")
def test_without_the_papers_data_it_falls_back_loudly_and_compares_nothing(tmp_path: Path) -> None:
    run = reproduce(tmp_path, seeds=1, quick=True, counts=SMALL, workers=0)
    story = document(run)
    assert story.title.endswith("reproduced on wardrobe")
    assert story.warning.startswith("These are NOT results on Fashion-MNIST")
    assert "fashion-mnist is nowhere" in story.warning
    blocks = [block for section in story.sections for block in section.blocks]
    (verdicts,) = (block for block in blocks if isinstance(block, Verdicts))
    assert {verdict.outcome for verdict in verdicts.verdicts} == {"not compared"}
    headings = [column.title for block in blocks if isinstance(block, Table) for column in block.columns]
    assert not [title for title in headings if "published" in title]
    assert run.results["data"]["files"] == []


@pytest.mark.usefixtures("no_fashion_mnist")
def test_every_part_of_the_paper_is_there(tmp_path: Path) -> None:
    run = reproduce(tmp_path, seeds=2, quick=True, counts=SMALL, workers=0)
    blocks = [block for section in document(run).sections for block in section.blocks]
    assert {block.name for block in blocks if isinstance(block, Topology)} == {
        "figure-2-cnn",
        "figure-4-ann",
        "figure-5-tied",
        "figure-6-classifier",
    }
    (chart,) = (block for block in blocks if isinstance(block, LineChart))
    assert [(series.label, len(series.x)) for series in chart.series] == [("cnn", 4), ("ann", 4), ("tied", 4)]
    (pictures,) = (block for block in blocks if isinstance(block, Pictures))
    assert pictures.columns == ("epoch 1", "epoch 2", "epoch 4", "originals")
    assert {picture.shape for row in pictures.pictures for picture in row} == {(8 * 29 - 1, 8 * 29 - 1, 1)}
    confusions = {block.name: block.counts.sum() for block in blocks if isinstance(block, Confusion)}
    assert confusions == {f"confusion-{name}": 2 * 70 for name in ("originals", "cnn", "ann", "tied")}
    rows = run.results["rows"]
    assert len(rows) == 2 * (1 + 3 + 2)
    for row in rows:
        assert 0 <= row["accuracy"] <= 1
        assert len(row["losses"]) == row["settings"]["epochs"]
    assert json.loads(json.dumps(run.results)) == run.results


@pytest.mark.usefixtures("no_fashion_mnist")
def test_what_is_finished_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reproduce(tmp_path, seeds=1, quick=True, counts=SMALL, workers=0)
    trained = []
    run = trial_module.run
    monkeypatch.setattr(trial_module, "run", lambda job, *rest: trained.append(job.label) or run(job, *rest))
    next((tmp_path / "trainings").glob("paper-tied-*.outcome.safetensors")).write_bytes(b"damaged")
    again = reproduce(tmp_path, seeds=1, quick=True, counts=SMALL, workers=0)
    assert trained == ["tied"]
    timeless = [
        [{key: value for key, value in row.items() if "seconds" not in key} for row in part.results["rows"]]
        for part in (whole, again)
    ]
    assert timeless[0] == timeless[1]
    trained.clear()
    reproduce(tmp_path, seeds=1, quick=True, counts=SMALL | {"networks_test": 69}, workers=0)
    assert len(trained) == 6, "other images, other trainings"
    write(whole, tmp_path)
    assert not (tmp_path / "trainings").exists()
    assert json.loads((tmp_path / "results.json").read_text())["rows"] == whole.results["rows"]
    assert {path.name for path in (tmp_path / "models").iterdir()} == {
        f"{method}-seed0.safetensors" for method in ("cnn", "ann", "tied", "classifier")
    }


def test_the_command_writes_the_page_and_says_what_it_is(tmp_path: Path) -> None:
    command = ("reproduce", "--data", "wardrobe", "--quick", "--json", "--method", "tied")
    done = run_command(*command, "--train-images", 200, "--test-images", 100, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["data"] == "wardrobe"
    assert "*** These results were made on wardrobe, not on the paper's data" in done.stderr
    page = (tmp_path / "report.html").read_text()
    assert "These results were made on wardrobe" in page
    assert json.loads((tmp_path / "results.json").read_text())["methods"] == ["tied"]
    assert (tmp_path / "figures" / "figure-7-loss.svg").is_file()


def test_jpg_is_what_the_networks_see() -> None:
    counts = SMALL | {"networks_train": 50}
    material = prepare("wardrobe", counts, "cpu")
    assert [len(images) for images in (material.networks_train, material.networks_test)] == [50, 70]
    assert len(material.classifier_train) == 300
    assert not np.array_equal(material.classifier_test.images, material.original_test.images)
    assert 30 < material.facts["jpeg_psnr_db"] < 60
    again = prepare("wardrobe", counts, "cpu")
    assert again.fingerprint == material.fingerprint
    assert prepare("wardrobe", counts | {"networks_test": 69}, "cpu").fingerprint != material.fingerprint


def test_a_set_that_comes_whole_is_divided(tmp_path: Path) -> None:
    images = wardrobe.draw(700, 0)
    np.savez(tmp_path / "set.npz", images=images.images, labels=images.labels, class_names=images.class_names)
    material = prepare(str(tmp_path / "set.npz"), SMALL, "cpu")
    assert (material.facts["train_images"], material.facts["test_images"]) == (600, 100)


def test_what_cannot_be_reproduced_is_refused(tmp_path: Path) -> None:
    images = wardrobe.draw(70, 0)
    np.savez(tmp_path / "few.npz", images=images.images, labels=images.labels, class_names=images.class_names)
    np.save(tmp_path / "bare.npy", images.images)
    with pytest.raises(TooFewImages, match="are needed"):
        reproduce(tmp_path, data=str(tmp_path / "few.npz"), quick=True, workers=0)
    with pytest.raises(NoLabels, match="use a folder with one sub-folder per class"):
        reproduce(tmp_path, data=str(tmp_path / "bare.npy"), quick=True, workers=0)
    with pytest.raises(UsageError, match="at least one seed, not 0"):
        reproduce(tmp_path, seeds=0)
    with pytest.raises(UsageError, match="the paper has no method pca; it has cnn, ann, tied"):
        reproduce(tmp_path, methods=("pca",))


@pytest.mark.parametrize(("count", "shape"), [(1, (4, 5)), (2, (4, 11)), (5, (9, 17)), (64, (39, 47))])
def test_montage(count: int, shape: tuple[int, int]) -> None:
    sheet = montage(np.full((count, 4, 5, 1), 9, np.uint8))
    assert sheet.shape == (*shape, 1)
    assert (sheet == 9).sum() == count * 20


@pytest.mark.real
def test_the_papers_data_is_compared(tmp_path: Path) -> None:
    material = prepare("fashion-mnist", SMALL, "cpu")
    assert material.facts["is_papers"]
    assert material.networks_train.class_names[9] == "Ankle boot"


@pytest.mark.parametrize(
    ("options", "seeds"), [((), 3), (("--quick",), 1), (("--quick", "--seeds", "5"), 5), (("--seeds", "2"), 2)]
)
def test_as_many_seeds_as_asked_for(
    options: tuple[str, ...], seeds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        pass

    def run(out: Path, **settings: object) -> None:
        raise Asked(settings["seeds"])

    monkeypatch.setattr(reproduce_module, "reproduce", run)
    app = typer.Typer()
    app.command()(verb.reproduce)
    result = CliRunner().invoke(app, [*options, "--out", str(tmp_path / "r")])
    assert isinstance(result.exception, Asked), result.output
    assert result.exception.args == (seeds,)


@pytest.mark.usefixtures("no_fashion_mnist")
def test_that_the_papers_data_is_missing_is_said_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Training(Exception):
        pass

    def train(*_: object, **__: object) -> None:
        raise Training

    monkeypatch.setattr(reproduce_module, "run_jobs", train)
    said: list[str] = []
    with pytest.raises(Training):
        reproduce(tmp_path, seeds=1, quick=True, counts=SMALL, notice=said.append)
    assert said == ["This run is made on wardrobe, not on the paper's data: fashion-mnist is nowhere"]
