"""Pruners: each name gives its own, and none acts before it may."""

from typing import get_args

import optuna
import pytest
from optuna import pruners
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from objectives.search_space.pruning import GlancingPruner, PrunerName, make_pruner

CLASSES = {
    "median": pruners.MedianPruner,
    "patient-median": pruners.PatientPruner,
    "percentile": pruners.PercentilePruner,
    "successive-halving": pruners.SuccessiveHalvingPruner,
    "hyperband": pruners.HyperbandPruner,
    "patient": pruners.PatientPruner,
    "none": pruners.NopPruner,
}
# At a fifth of 20 epochs nothing is pruned yet, and these judge a trial by the others.
COMPARING = ("median", "patient-median", "percentile", "successive-halving", "hyperband")


def study_with(name, epochs, trials=0):
    """A study of `trials` trials that fell from 1 to 0.1, run to their end."""
    study = optuna.create_study(study_name="pruned", pruner=make_pruner(name, epochs))
    for _ in range(trials):
        trial = study.ask()
        for epoch in range(1, epochs + 1):
            trial.report(1 / epoch, epoch)
            trial.should_prune()  # successive halving notes here what a trial had reached
        study.tell(trial, 1 / epochs)
    return study


def pruned_at(study, epochs, values) -> int | None:
    """The epoch after which a trial with these values is given up, None if it is not."""
    trial = study.ask()
    for epoch in range(1, epochs + 1):
        trial.report(values(epoch), epoch)
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return epoch
    study.tell(trial, values(epochs))
    return None


def test_every_name_gives_its_own_pruner():
    assert set(get_args(PrunerName)) == set(CLASSES)
    for name, kind in CLASSES.items():
        assert type(make_pruner(name, 30)) is kind


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_every_pruner_can_judge_short_trials(name, epochs):
    study = study_with(name, epochs, trials=6)
    pruned_at(study, epochs, lambda _: 5.0)


def test_none_prunes_nothing():
    assert pruned_at(study_with("none", 20, trials=6), 20, float) is None


@pytest.mark.parametrize("name", ["median", "patient-median", "percentile"])
def test_the_first_trials_are_spared(name):
    study = study_with(name, 20, trials=4)
    assert pruned_at(study, 20, lambda epoch: 5.0 + epoch) is None


@pytest.mark.parametrize("name", COMPARING)
def test_a_bad_trial_is_pruned_but_not_before_a_fifth_of_its_epochs(name):
    study = study_with(name, 20, trials=9)
    # Hyperband puts trials into brackets, one of which prunes none: look at several.
    found = [pruned_at(study, 20, lambda epoch: 5.0 + epoch) for _ in range(6)]
    epochs = [epoch for epoch in found if epoch is not None]
    assert epochs
    assert min(epochs) >= 20 // 5


@pytest.mark.parametrize("name", COMPARING)
def test_a_better_trial_is_not_pruned(name):
    study = study_with(name, 20, trials=9)
    assert pruned_at(study, 20, lambda epoch: 0.5 / epoch) is None


def test_patience_alone_needs_no_other_trials():
    study = study_with("patient", 20)
    assert pruned_at(study, 20, lambda epoch: 1 / epoch) is None
    stuck = pruned_at(study, 20, lambda epoch: 1 / min(epoch, 3) + epoch / 100)
    assert stuck is not None
    assert stuck > 3 + 2


def test_a_median_with_patience_spares_a_bad_trial_that_still_falls():
    values = {"falling": lambda epoch: 9.0 - epoch / 10, "rising": lambda epoch: 5.0 + epoch}
    study = study_with("patient-median", 20, trials=6)
    assert pruned_at(study, 20, values["falling"]) is None
    assert pruned_at(study, 20, values["rising"]) is not None
    assert pruned_at(study_with("median", 20, trials=6), 20, values["falling"]) is not None


def test_hyperband_prunes_before_any_trial_is_complete():
    study = study_with("hyperband", 27)
    found = []
    trials = [study.ask() for _ in range(12)]
    for place, trial in enumerate(trials):
        for epoch in range(1, 28):
            trial.report(place + 1 / epoch, epoch)
            if trial.should_prune():
                found.append((place, epoch))
                break
    assert found


class CountedStorage(InMemoryStorage):
    looks = 0

    def get_all_trials(self, *arguments, **named):
        self.looks += 1
        return super().get_all_trials(*arguments, **named)


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"hyperband"}))
def test_glancing_decides_as_looking_after_every_epoch_does(name):
    decisions, looks = [], []
    for glance in (False, True):
        pruner = make_pruner(name, 10)
        storage = CountedStorage()
        study = optuna.create_study(
            storage=storage, pruner=GlancingPruner(pruner) if glance else pruner
        )
        decided = []
        for number in range(12):
            trial = study.ask()
            storage.looks = 0
            for epoch in range(1, 11):
                trial.report((number % 4) + 1 / epoch + 0.3 * (epoch > 4) * (number % 3), epoch)
                decided.append(trial.should_prune())
            looks.append(storage.looks)
            study.tell(trial, number % 4)
        decisions.append(decided)
    assert decisions[0] == decisions[1]
    assert max(looks[12:]) <= 1
