"""Learning to judge within a time."""

from __future__ import annotations

import torch

from engram.datasets import wardrobe
from engram.training.budget import Budget
from engram.training.judging import MOST_EPOCHS, learn_judge


def test_the_time_decides_how_often_the_images_are_seen() -> None:
    torch.set_num_threads(1)
    sample, reports = wardrobe.draw(60, 0), []
    assert len(learn_judge(sample, Budget(0)).facts["losses"]) == 1
    judge = learn_judge(sample, Budget(1e6), progress=lambda done, total: reports.append((done, total)))
    assert judge.network.method == "classifier"
    assert reports[-1] == (MOST_EPOCHS, MOST_EPOCHS)
    assert judge.facts["losses"][-1] < judge.facts["losses"][0]
