"""The Optuna objective: what a study is told of a trial, however it ended."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from objectives.objective import (
    InterruptedTrialError,
    Objective,
    recorded_path,
    resolved_hyperparameters,
)
from objectives.search_space.space import SearchSpace
from objectives.split import target_hash
from objectives.trials.messages import Checkpointing, TrialRequest
from objectives.trials.trial_process import LostTrialError, TrialFailedError, run_in_process

SPACE = SearchSpace(
    timesteps=[4, 8],
    units=4,
    depth=[1, 2],
    dropout=0.1,
    batch_size=32,
    learning_rate={"low": 0.9, "high": 1.0},  # so large that the best epoch is not the last
    optimizer="sgd",
)
HISTORY = {"epochs", "best_epoch", "updates_per_epoch", "updates", "curves"}
FACTS = {"parameters", "stopped", "target_hash", "seconds", "peak_memory"}
STARTED = {"seed", "hyperparameters"}


def objective_on(task, **changes) -> Objective:
    fields = {
        "task": task,
        "space": SPACE,
        "target_hash": target_hash(task.split.validation, task.split.horizon),
        "seed_of": lambda trial: 100 + trial.number,
        **changes,
    }
    return Objective(**fields)


def run(objective, trials=1, pruner=None):
    """Optimise; what Optuna would let pass, it lets pass here too."""
    sampler = optuna.samplers.RandomSampler(seed=2)
    study = optuna.create_study(sampler=sampler, pruner=pruner or optuna.pruners.NopPruner())
    study.optimize(objective, n_trials=trials, catch=(TrialFailedError,))
    return study.trials


@pytest.fixture(scope="module")
def task(make_task):
    return make_task(epochs=3, schedule="exponential", metric="mae")


@pytest.fixture(scope="module")
def complete(task):
    """The finished trials of a study, and what was kept of them: (state then, outcome) by number."""
    kept = {}

    def keep(trial, outcome):
        stored = trial.study.get_trials(deepcopy=False)[trial.number]
        kept[trial.number] = (stored.state, outcome)

    return run(objective_on(task, keep=keep), trials=2), kept


def test_a_trial_is_worth_its_best_epochs_metric(complete):
    trials, kept = complete
    for trial in trials:
        assert trial.state == TrialState.COMPLETE
        _, outcome = kept[trial.number]
        values = [epoch.metrics["mae"] for epoch in outcome.epochs]
        assert trial.value == min(values) == values[trial.user_attrs["best_epoch"] - 1]
    best = [trial.user_attrs["best_epoch"] for trial in trials]
    assert min(best) < 3  # otherwise this and what follows say little


def test_every_epoch_is_reported_under_its_number(complete):
    trials, kept = complete
    for trial in trials:
        epochs = kept[trial.number][1].epochs
        expected = {epoch.number: epoch.metrics["mae"] for epoch in epochs}
        assert trial.intermediate_values == expected
        assert list(expected) == [1, 2, 3]


def test_everything_needed_later_is_in_the_attributes(complete, task):
    trials, kept = complete
    for trial in trials:
        attributes, outcome = trial.user_attrs, kept[trial.number][1]
        assert set(attributes) == STARTED | HISTORY | FACTS
        assert json.loads(json.dumps(attributes)) == attributes
        assert attributes["seed"] == 100 + trial.number
        for name, value in trial.params.items():
            assert attributes["hyperparameters"][name] == value
        curves = attributes["curves"]
        assert set(curves) == {"loss", "mse", "mae", "rmse", "learning_rate"}
        assert curves["loss"] == pytest.approx([e.loss for e in outcome.epochs], rel=1e-5)
        for name in ("mse", "mae", "rmse"):
            expected = [e.metrics[name] for e in outcome.epochs]
            assert curves[name] == pytest.approx(expected, rel=1e-5)
        updates = -(-len(task.split.train.origins) // 32)
        assert attributes["updates_per_epoch"] == updates
        assert attributes["updates"] == updates * attributes["best_epoch"]
        assert attributes["epochs"] == 3
        assert attributes["stopped"] == "epochs"
        assert attributes["parameters"] == sum(weight.size for weight in outcome.weights)
        assert attributes["target_hash"] == target_hash(task.split.validation, 3)


def test_an_outcome_is_kept_before_its_trial_is_told(complete):
    assert {state for state, _ in complete[1].values()} == {TrialState.RUNNING}
    assert set(complete[1]) == {0, 1}


def test_a_trial_can_be_run_again_from_its_attributes(complete, task):
    trial = complete[0][1]
    wanted = resolved_hyperparameters(trial.user_attrs)
    request = TrialRequest(task, wanted, trial.user_attrs["seed"])
    again = run_in_process(request, lambda _: True)
    kept = complete[1][1][1]
    assert again.epochs == kept.epochs
    for ours, theirs in zip(again.weights, kept.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_recorded_path_ends_with_the_best_epoch_and_is_not_rounded(complete):
    for trial in complete[0]:
        epochs = complete[1][trial.number][1].epochs[: trial.user_attrs["best_epoch"]]
        expected = tuple((epoch.learning_rate, epoch.updates) for epoch in epochs)
        assert recorded_path(trial.user_attrs) == expected


def test_the_recorded_path_leaves_out_what_came_after_the_best_epoch():
    attributes = {
        "curves": {"learning_rate": [0.1, 0.1, 0.05, 0.05]},
        "best_epoch": 3,
        "updates_per_epoch": 7,
    }
    assert recorded_path(attributes) == ((0.1, 7), (0.1, 7), (0.05, 7))


@pytest.mark.parametrize("units", [(4,), (4, 4), (4, 8), (16, 8, 8)])
def test_hyperparameters_survive_being_stored(hyperparameters, units):
    wanted = hyperparameters(units=units, bidirectional=True, l2=1e-4)
    stored = {"hyperparameters": json.loads(json.dumps(wanted.as_dict()))}
    assert resolved_hyperparameters(stored) == wanted
    assert stored["hyperparameters"]["depth"] == len(units)


def test_a_pruned_trial_is_pruned_described_and_has_curves(task):
    kept, described = [], []
    pruner = optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=2)  # from epoch 2 on
    objective = objective_on(
        task,
        keep=lambda *given: kept.append(given),
        describe=lambda trial, ended: described.append(ended),
    )
    (trial,) = run(objective, pruner=pruner)
    (ended,) = described
    assert ended.pruned
    assert [epoch.number for epoch in ended.epochs] == [1, 2]
    assert ended.outcome.stopped == "asked"
    assert trial.state == TrialState.PRUNED
    assert trial.user_attrs["epochs"] == len(trial.user_attrs["curves"]["mae"]) == 2
    assert trial.user_attrs["stopped"] == "asked"
    assert set(trial.user_attrs) == STARTED | HISTORY | FACTS
    assert list(trial.intermediate_values) == [1, 2]
    assert not kept
    assert not multiprocessing.active_children()


def test_a_trial_judged_on_other_targets_fails(task):
    kept = []
    other = target_hash(task.split.test, 3)
    objective = objective_on(task, target_hash=other, keep=lambda *given: kept.append(given))
    (trial,) = run(objective)
    assert trial.state == TrialState.FAIL
    failure = trial.user_attrs["failure"]
    assert failure.startswith("judged on other targets than the study's")
    assert other[:12] in failure
    assert not kept


def test_a_diverged_trial_fails_with_its_reason_and_the_search_goes_on(make_task):
    space = SPACE.model_copy(update={"depth": 1, "learning_rate": 1.0, "l2": 1e30})
    task = make_task(epochs=3, clip_norm=None)
    trials = run(objective_on(task, space=space), trials=2)
    assert [trial.state for trial in trials] == [TrialState.FAIL] * 2
    for trial in trials:
        assert trial.user_attrs["failure"].startswith("diverged: ")
        assert set(trial.user_attrs) >= STARTED


def test_a_stop_ends_the_trial_after_its_epoch_and_says_why(task):
    asked = []

    def stop():
        asked.append(None)
        return "interrupted by the user" if len(asked) == 2 else None

    objective = objective_on(task, stop=stop)
    study = optuna.create_study()
    with pytest.raises(InterruptedTrialError, match=r"^interrupted by the user$"):
        study.optimize(objective, n_trials=1)
    (trial,) = study.trials
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["failure"] == "interrupted by the user"
    assert trial.user_attrs["epochs"] == 2  # what it had reached is not lost
    assert not multiprocessing.active_children()


# ------------------------------------------------------------------------------------ checkpoints


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "checkpoints" / "slot_0.npz"


@pytest.fixture
def leaving(task, path):
    """An objective whose trials leave a checkpoint after every epoch."""

    def make(**changes) -> Objective:
        fields = {"task": task, "checkpoint": lambda trial: Checkpointing(path, 0.0), **changes}
        return objective_on(**fields)

    return make


def test_a_complete_trials_checkpoint_is_removed_when_its_outcome_is_kept(leaving, path, complete):
    found = []
    (trial,) = run(leaving(keep=lambda *_: found.append(path.exists())))
    assert found == [True]
    assert not any(path.parent.iterdir())
    assert trial.value == complete[0][0].value
    assert "resumed_from" not in trial.user_attrs


def test_a_pruned_trials_checkpoint_is_removed(leaving, path):
    pruner = optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=2)
    (trial,) = run(leaving(), pruner=pruner)
    assert trial.state == TrialState.PRUNED
    assert path.parent.exists()
    assert not any(path.parent.iterdir())


def test_the_checkpoint_of_a_trial_that_failed_for_good_is_removed(leaving, task, path, make_task):
    (trial,) = run(leaving(target_hash=target_hash(task.split.test, 3)))
    assert trial.state == TrialState.FAIL
    assert path.parent.exists()
    assert not any(path.parent.iterdir())
    path.write_bytes(b"left by an earlier try")
    diverging = SPACE.model_copy(update={"depth": 1, "learning_rate": 1.0, "l2": 1e30})
    (trial,) = run(leaving(task=make_task(epochs=3, clip_norm=None), space=diverging))
    assert trial.user_attrs["failure"].startswith("diverged: ")
    assert not path.exists()


def kill_the_process() -> None:
    for process in multiprocessing.active_children():
        process.kill()
        process.join()  # otherwise it might be answered before it is dead


def at_epoch(number, act):
    """What `stop` says when asked after every epoch: `act` at one of them, None at the others."""
    asked = []

    def stop():
        asked.append(None)
        return act() if len(asked) == number else None

    return stop


@pytest.mark.parametrize(
    ("act", "error"),
    [(kill_the_process, LostTrialError), (lambda: "interrupted", InterruptedTrialError)],
    ids=["lost", "interrupted"],
)
def test_a_trial_that_is_tried_again_goes_on_from_its_checkpoint(
    leaving, path, complete, act, error
):
    study, described = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=2)), []
    objective = leaving(stop=at_epoch(3, act), describe=lambda *given: described.append(given))
    with pytest.raises(error):
        study.optimize(objective, n_trials=1)
    (lost,) = study.trials
    ((_, ended),) = described
    assert ended.again
    assert ended.failure == lost.user_attrs["failure"]
    assert lost.state == TrialState.FAIL
    assert path.exists()
    study.enqueue_trial(lost.params)
    study.optimize(leaving(seed_of=lambda trial: 100), n_trials=1)
    again = study.trials[1]
    assert again.user_attrs["resumed_from"] == 2
    undisturbed = complete[0][0]
    assert again.value == undisturbed.value
    assert again.intermediate_values == undisturbed.intermediate_values
    assert again.user_attrs["curves"] == undisturbed.user_attrs["curves"]
    assert not any(path.parent.iterdir())


def test_the_checkpoint_stays_when_the_study_cannot_be_told(leaving, path):
    def keep(*_) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run(leaving(keep=keep))
    assert path.exists()
