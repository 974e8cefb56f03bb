"""Training with torchrun: two ranks make what one process makes, and a killed rank changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ranks
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from torch import nn

from engram import models
from engram.errors import UsageError
from engram.training import checkpoint, distributed
from engram.training.classification import WholeBatchNorm
from engram.training.distributed import World, batch_mean, joined, world
from engram.training.errors import RankLost
from engram.training.fit import fit
from engram.training.steps import FullyConnectedDescent

SCRIPT = Path(ranks.__file__)


def launch(*arguments: object, restarts: int = 0, wanted: int = 0) -> subprocess.CompletedProcess[str]:
    """Two ranks on this machine, ended as wanted."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode != 0) == bool(wanted), done.stderr
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all that two ranks made and said."""
    folder = tmp_path_factory.mktemp("ranks")
    fit(ranks.IMAGES, "tied", 7, epochs=1, checkpoint=folder / "state")
    (folder / "bad").write_bytes(b"\xff" * 100)
    launch(SCRIPT, "laws", folder)
    return folder


@pytest.mark.parametrize("name", [*ranks.METHODS, "quantised"])
def test_two_ranks_make_what_one_process_makes(name: str, made: Path, tmp_path: Path) -> None:
    alone = ranks.quantised() if name == "quantised" else ranks.trained(name)
    alone.save(tmp_path / "alone")
    one, two, other = (load_file(path) for path in (tmp_path / "alone", made / f"{name}-0", made / f"{name}-1"))
    facts = [models.load(path).facts for path in (tmp_path / "alone", made / f"{name}-0")]
    assert facts[0].get("ranks") is None
    assert facts[1]["ranks"] == 2
    assert facts[1]["losses"] == pytest.approx(facts[0]["losses"], rel=1e-5)
    for key, weights in one.items():
        assert np.array_equal(two[key], other[key])  # the ranks themselves: to the last bit
        np.testing.assert_allclose(two[key], weights, rtol=1e-3, atol=2e-4, err_msg=key)


def test_two_ranks_agree_where_a_step_rounds_to_bfloat16(made: Path) -> None:
    """With each other to the last bit, with one process within what rounding does."""
    one, other = (load_file(made / f"muon-{rank}") for rank in (0, 1))
    assert all(np.array_equal(one[key], other[key]) for key in one)
    assert models.load(made / "muon-0").facts["losses"] == pytest.approx(ranks.by_muon().facts["losses"], rel=0.02)


def test_ranks_that_do_not_fit_each_other_are_refused(made: Path) -> None:
    for rank in (0, 1):
        images, recipe, foreign, corrupt, versions = (made / f"said-{rank}").read_text().splitlines()
        assert images.startswith("RanksDisagree: the images of rank 1 are not those of rank 0; give all ranks the same")
        assert recipe.startswith("RanksDisagree: the recipe of rank 1 is not that of rank 0; give all ranks the same")
        assert versions.startswith("RanksDisagree: the versions of rank 1 are not those of rank 0")
        assert f'rank {rank} has {{"engram": "0.{rank}"}}' in versions
        assert foreign.startswith("ForeignCheckpoint: ")
        assert corrupt.startswith("CorruptCheckpoint: ")


def test_no_thread_of_the_group_outlives_it(made: Path) -> None:
    # One that does may meet an interpreter that is no more, and abort a rank that has done its work.
    for rank in (0, 1):
        assert "gloo" not in (made / f"threads-{rank}").read_text()


def test_a_killed_rank_neither_loses_nor_repeats_a_step(made: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=ranks.IMAGES.images)
    options = [tmp_path / "images.npz", "--method", "cnn", "--epochs", "4", "--batch-size", "8"]
    killed = launch(SCRIPT, "train", *options, "-o", tmp_path / "killed", restarts=1)
    assert killed.stderr.count("rank 1 is killed") == 1
    assert killed.stdout.count("4 epochs on 33 images") == 1  # rank 0 alone says so
    assert not list(tmp_path.glob("*.checkpoint"))
    for key, weights in load_file(made / "whole-0").items():
        assert np.array_equal(load_file(tmp_path / "killed")[key], weights)
    losses = [models.load(path).facts["losses"] for path in (made / "whole-0", tmp_path / "killed")]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


def test_what_is_solved_is_solved_by_one_rank(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=ranks.IMAGES.images)
    command = ["-m", "engram", "train", tmp_path / "images.npz", "--method", "pca", "--hidden", "3"]
    assert launch(*command, "-o", tmp_path / "model").stdout.count("pca") == 1
    assert models.load(tmp_path / "model").network.code_numbers == 3
    refused = launch(*command, "-o", tmp_path / "model", wanted=2)
    assert "exists already" in refused.stderr


@given(st.integers(0, 40), st.integers(1, 9))
def test_parts_are_disjoint_and_weigh_1_together(count: int, size: int) -> None:
    parts = [World(rank, size).part(count) for rank in range(size)]
    taken = [list(range(count)[part.rows]) for part in parts]
    assert sum(part.weight for part in parts) == pytest.approx(1)
    if count >= size:
        assert [row for rows in taken for row in rows] == list(range(count))
        assert [part.weight * count for part in parts] == pytest.approx([len(rows) for rows in taken])
        assert max(map(len, taken)) - min(map(len, taken)) <= 1
    else:
        assert taken == [list(range(count))] * size


def test_without_torchrun_nothing_of_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.distributed", None)  # an import of it fails
    monkeypatch.setenv("WORLD_SIZE", "2")  # other launchers' business
    monkeypatch.setenv("RANK", "1")
    with joined() as ranks_:
        assert ranks_ == world() == distributed.ALONE
        with ranks_.one_first():
            fit(ranks.IMAGES, "sparse", epochs=1)
        assert ranks_.from_first(b"x") == b"x"


def test_a_rank_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        @staticmethod
        def all_reduce(values: torch.Tensor) -> None:
            raise RuntimeError("Connection closed by peer\nand a trace of it")

    monkeypatch.setattr(distributed, "_torch_distributed", lambda: Gone)
    with pytest.raises(RankLost, match=r"cannot be reached \(Connection closed by peer\); `torchrun --max-restarts 3`"):
        World(0, 2).total(torch.ones(1))


def test_more_ranks_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="4 ranks on a machine with 1 GPUs: start one for each, or use --device cpu"):
        joined("cuda").__enter__()


def test_batch_norm_over_ranks_is_torchs_where_there_is_one() -> None:
    ours, theirs = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    ours.__class__ = WholeBatchNorm
    images = torch.rand(5, 3, 4, 4, requires_grad=True)
    for training in (True, False):
        ours.train(training)
        theirs.train(training)
        torch.testing.assert_close(ours(images), theirs(images))
    torch.testing.assert_close(ours.state_dict()["running_var"], theirs.state_dict()["running_var"])
    assert repr(ours) == repr(theirs)
    assert torch.equal(batch_mean(images), images.mean(0))


def test_a_step_without_a_gradient_is_for_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    from engram.networks.registry import make
    from engram.training import steps
    from engram.training.recipe import RECIPES

    def step() -> steps.Step:
        return steps.step_for(make("ann", (4, 4, 1), hidden=3), RECIPES["ann"], nn.functional.mse_loss)

    assert isinstance(step(), FullyConnectedDescent)
    monkeypatch.setattr(distributed, "_now", World(0, 2))
    assert isinstance(step(), steps.AutogradStep)


def test_a_checkpoint_knows_what_was_started_from_and_what_was_spared(tmp_path: Path) -> None:
    state, images = tmp_path / "state", ranks.IMAGES
    first, other = (fit(images, "ann", epochs=epochs, options={"hidden": 4}) for epochs in (1, 2))
    fit(images, "ann", epochs=1, start=first, checkpoint=state)
    fit(images, "ann", epochs=1, start=first, checkpoint=state)
    with pytest.raises(checkpoint.ForeignCheckpoint, match="the model it starts from or spares"):
        fit(images, "ann", epochs=1, start=other, checkpoint=state)
    judges = [fit(images, "classifier", seed, epochs=1) for seed in (0, 1)]
    spared = {"epochs": 1, "task_weight": 1.0, "checkpoint": tmp_path / "spatial"}
    fit(images, "spatial", task=judges[0], **spared)
    with pytest.raises(checkpoint.ForeignCheckpoint, match="the model it starts from or spares"):
        fit(images, "spatial", task=judges[1], **spared)
