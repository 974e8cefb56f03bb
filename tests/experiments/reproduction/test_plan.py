"""Which trainings make a reproduction."""

from __future__ import annotations

from collections import Counter

from engram.experiments.reproduction.plan import CHOICES, DECISIVE, EQUAL, JUDGE, OPEN, PAPER, plan
from engram.networks.registry import make
from engram.training.recipe import RECIPES, Recipe

ALL = ("cnn", "ann", "tied")


def test_the_whole_plan() -> None:
    trials = plan(3, ALL, 40, quick=False, influence=True)
    purposes = Counter(trial.purpose for trial in trials)
    assert purposes == {PAPER: 9, JUDGE: 3, EQUAL: 6, CHOICES: len(DECISIVE) + len(OPEN)}
    assert {(t.method, t.seed) for t in trials if t.purpose == PAPER} == {(m, s) for m in ALL for s in range(3)}
    assert all(trial.snapshots == (1, 100, 200) for trial in trials if trial.purpose == PAPER)
    assert all(trial.snapshots == (1, 5, 10, 15, 20) for trial in trials if trial.purpose == JUDGE)
    assert all(trial.options == {"hidden": 40} for trial in trials if trial.purpose == EQUAL)
    assert len({trial.name for trial in trials}) == len(trials)


def test_the_open_choices_are_left_out_unless_asked_for() -> None:
    assert sum(t.purpose == CHOICES for t in plan(1, ALL, 40, quick=False, influence=False)) == len(DECISIVE)
    assert sum(t.purpose == CHOICES for t in plan(1, ALL, 40, quick=True, influence=True)) == 0


def test_a_method_alone() -> None:
    trials = plan(1, ("tied",), 40, quick=False, influence=True)
    assert {trial.method for trial in trials} == {"tied", "classifier"}
    assert not [trial for trial in trials if trial.purpose == EQUAL], "there is nothing to be equal to"


def test_every_choice_departs_from_the_recipe_and_is_valid() -> None:
    for choice in DECISIVE + OPEN:
        settings = vars(RECIPES[choice.method])
        assert choice.options or any(settings[name] != value for name, value in choice.recipe.items()), choice
        Recipe(**settings | choice.recipe)
        make(choice.method, (28, 28, 1), **choice.options)
    questions = {choice.question for choice in DECISIVE + OPEN}
    assert questions == {"learning rate", "optimiser", "batch size", "initialisation", "output", "stride"}
