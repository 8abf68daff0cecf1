"""Rolling-origin validation: what each fold may see, what a trial is worth, and how it is pruned."""

import multiprocessing
from dataclasses import replace
from statistics import fmean

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from objectives.errors import InputError
from objectives.objective import Objective, recorded_path
from objectives.search_space.fold_pruning import values_in_fold
from objectives.search_space.pruning import make_pruner
from objectives.search_space.space import SearchSpace
from objectives.settings import DataSettings, SplitSettings
from objectives.split import cut, target_hash, validation_hash
from objectives.trials.messages import Checkpointing, TrialRequest
from objectives.trials.trial_process import LostTrialError, run_in_process

DATA = DataSettings(targets=("y",), horizon=3)
SPACE = SearchSpace(timesteps=8, units=4, depth=1, dropout=0.2, batch_size=32, learning_rate=0.02)
EPOCHS = 3


def cut_into(folds: int, rows: int = 1000, **settings):
    return cut(rows, SplitSettings(folds=folds, **settings), DATA, 48, None)


def borders(split):
    return [
        (fold.train.first, fold.train.end, fold.validation.first, fold.validation.end)
        for fold in split.folds
    ]


# ------------------------------------------------------------------------------------ the blocks


def test_blocks_precede_the_validation_part_and_train_on_what_precedes_them():
    assert borders(cut_into(3)) == [(0, 400, 400, 550), (0, 550, 550, 700), (0, 700, 700, 850)]
    sliding = cut_into(3, window="sliding")
    assert borders(sliding) == [(0, 400, 400, 550), (150, 550, 550, 700), (300, 700, 700, 850)]
    assert len({len(fold.train.origins) for fold in sliding.folds}) == 1
    assert sliding.train_and_validation().first == 300


@pytest.mark.parametrize(
    "sizes",
    [
        {"train": 700, "validation": 100, "test": 100},
        {"train": 0.7, "validation": 0.15, "test": 0.15},
    ],
)
def test_a_gap_lies_between_all_blocks_and_before_their_training_rows_end(sizes):
    split = cut_into(3, gap=20, **sizes)
    one = cut_into(1, gap=20, **sizes)
    assert borders(split)[-1:] == borders(one)
    length = one.validation.end - one.validation.first
    for earlier, later in zip(split.folds, split.folds[1:], strict=False):
        assert earlier.validation.end == later.validation.first - 20 == later.train.end
    for fold in split.folds:
        assert fold.validation.end - fold.validation.first == length
        assert fold.train.end == fold.validation.first - 20
        assert fold.train.origins[-1] + 3 <= fold.train.end
        assert fold.train.origins[0] == 48


def test_the_parts_of_one_fold_are_those_of_a_study_without_folds():
    one, three = cut_into(1), cut_into(3)
    assert one.folds[0].train is one.train
    for name in ("train", "validation", "test"):
        ours, theirs = getattr(three, name), getattr(one, name)
        np.testing.assert_array_equal(ours.origins, theirs.origins)
    assert [part.name for part in three.parts[:3]] == ["train 1", "validation 1", "train 2"]
    assert validation_hash(one) == target_hash(one.validation, 3)
    assert validation_hash(three.last_fold()) == validation_hash(one)
    assert len({validation_hash(cut_into(folds)) for folds in (1, 2, 3)}) == 3


def test_too_many_folds_are_refused_in_one_line_that_says_how_many_fit():
    with pytest.raises(InputError) as refused:
        cut_into(6)
    assert str(refused.value) == (
        "[split] folds = 6: 0 rows are left for training before the earliest validation block of "
        "150 rows, too few for timesteps 48 + horizon 3: the most folds that fit are 5"
    )
    assert len(cut_into(5).folds) == 5


# ------------------------------------------------------------------------------------ the training


@pytest.fixture(scope="module")
def task(make_task, series):
    """Three folds of the small series, each with the same number of epochs."""
    task = make_task(epochs=EPOCHS, patience=EPOCHS)
    data = DataSettings(targets=("first",), horizon=3)
    return replace(task, split=cut(len(series), SplitSettings(folds=3), data, 12, None))


@pytest.fixture(scope="module")
def request_(task, hyperparameters):
    return TrialRequest(task, hyperparameters(dropout=0.2), seed=7)


@pytest.fixture(scope="module")
def outcome(request_):
    return run_in_process(request_, lambda _: True)


def test_the_last_fold_is_the_trial_without_folds_and_the_value_is_the_mean(request_, outcome):
    alone = replace(request_.task, split=request_.task.split.last_fold())
    single = run_in_process(replace(request_, task=alone), lambda _: True)
    assert [replace(epoch, fold=1) for epoch in outcome.epochs] == list(single.epochs)
    for ours, theirs in zip(outcome.weights, single.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [len(fold.epochs) for fold in outcome.folds] == [EPOCHS] * 3
    assert [fold.epochs[0].fold for fold in outcome.folds] == [1, 2, 3]
    bests = [min(epoch.metrics["mse"] for epoch in fold.epochs) for fold in outcome.folds]
    assert outcome.value("mse") == fmean(bests)
    assert outcome.target_hash == validation_hash(request_.task.split)


def test_a_fold_learns_from_nothing_later_than_its_training_rows(
    request_, outcome, make_task, series
):
    first = request_.task.split.folds[0]
    later = series.copy()
    later[first.train.end :] = later[first.train.end :] * 3 + 100
    changed = replace(request_.task, rows=make_task(later).rows)
    other = run_in_process(replace(request_, task=changed), lambda _: True)
    ours, theirs = ([epoch.loss for epoch in o.folds[0].epochs] for o in (outcome, other))
    assert ours == theirs
    assert outcome.folds[1].epochs[0].loss != other.folds[1].epochs[0].loss


def test_folds_are_judged_in_one_unit(make_task, hyperparameters):
    """A series whose scale grows: the same relative error weighs more in later blocks."""
    time = np.arange(240)
    rows = np.stack([np.where(time % 2, 1.0, -1.0) * 1.02**time] * 2, axis=1)
    task = make_task(rows, epochs=1)
    data = DataSettings(targets=("first",), horizon=3)
    task = replace(task, split=cut(240, SplitSettings(folds=2), data, 12, None))
    untrained = hyperparameters(output="change", learning_rate=1e-12)  # it repeats the last value
    outcome = run_in_process(TrialRequest(task, untrained, seed=1), lambda _: True)
    unit = rows[: task.split.train.end, 0].std()
    for fold, result in zip(task.split.folds, outcome.folds, strict=True):
        origins = fold.validation.origins[:, None]
        errors = rows[origins + np.arange(3), 0] - rows[origins - 1, 0]
        assert result.value("mse") == pytest.approx(np.mean((errors / unit) ** 2), rel=1e-4)


def test_a_trial_that_is_killed_in_a_later_fold_goes_on_there(request_, outcome, tmp_path):
    request = replace(request_, checkpoint=Checkpointing(tmp_path / "slot.npz", 0.0))

    def kill(epoch) -> bool:
        if (epoch.fold, epoch.number) == (2, 3):
            (process,) = multiprocessing.active_children()
            process.kill()
            process.join()
        return True

    with pytest.raises(LostTrialError):
        run_in_process(request, kill)
    told = []
    resumed = run_in_process(request, lambda epoch: told.append(epoch) is None)
    assert resumed.resumed_from == EPOCHS + 2
    assert resumed.folds == outcome.folds
    assert told == [epoch for fold in outcome.folds for epoch in fold.epochs]
    for ours, theirs in zip(resumed.weights, outcome.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ------------------------------------------------------------------------------------ the study


def objective_on(task) -> Objective:
    return Objective(task, SPACE, validation_hash(task.split), seed_of=lambda trial: 7)


def test_a_study_is_told_of_every_epoch_of_every_fold_and_of_the_mean(task):
    study = optuna.create_study()
    study.optimize(objective_on(task), n_trials=1)
    (trial,) = study.trials
    attributes = trial.user_attrs
    assert list(trial.intermediate_values) == list(range(1, 3 * EPOCHS + 1))
    values = list(trial.intermediate_values.values())
    by_fold = [min(values[start : start + EPOCHS]) for start in range(0, 3 * EPOCHS, EPOCHS)]
    assert attributes["fold_values"] == by_fold
    assert trial.value == fmean(by_fold)
    assert attributes["epochs"] == 3 * EPOCHS
    assert len(attributes["curves"]["mse"]) == EPOCHS
    assert attributes["curves"]["mse"][0] == pytest.approx(values[2 * EPOCHS], rel=1e-5)
    updates = -(-len(task.split.train.origins) // 32)
    assert recorded_path(attributes) == ((0.02, updates),) * attributes["best_epoch"]


def test_a_trial_may_be_pruned_in_any_fold(task):
    pruner = optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=EPOCHS + 2)
    study = optuna.create_study(pruner=pruner)
    study.optimize(objective_on(task), n_trials=1)
    (trial,) = study.trials
    assert trial.state == TrialState.PRUNED
    assert max(trial.intermediate_values) == EPOCHS + 2
    assert len(trial.user_attrs["fold_values"]) == 2
    assert len(trial.user_attrs["curves"]["mse"]) == 2


# ------------------------------------------------------------------------------------ pruning


def test_values_in_a_fold_are_the_means_a_trial_would_end_with():
    values = {1: 5.0, 2: 3.0, 3: 4.0, 11: 8.0, 12: 7.0, 21: 1.0}  # ten epochs at most
    assert values_in_fold(values, 1, 10) == {1: 5.0, 2: 3.0, 3: 4.0}
    assert values_in_fold(values, 2, 10) == {1: 5.5, 2: 5.0}
    assert values_in_fold(values, 3, 10) == {1: (3 + 7 + 1) / 3}
    assert values_in_fold(values, 4, 10) == {}


def give_up_at(pruner, curves, new) -> int | None:
    """The step at which a trial with values `new` is given up after trials with others."""
    study = optuna.create_study(pruner=pruner)
    for steps in curves:
        trial = study.ask()
        for step, value in steps.items():
            trial.report(value, step)
            trial.should_prune()  # successive halving notes how far they came; none is given up
        study.tell(trial, min(steps.values()))
    trial = study.ask()
    for step, value in new.items():
        trial.report(value, step)
        if trial.should_prune():
            return step
    return None


def curve(*levels: float) -> dict[int, float]:
    """Ten epochs a fold, of which every other fold ends after six, near each level."""
    lengths = [10 if number % 2 else 6 for number in range(len(levels))]
    return {
        10 * number + epoch: level + 0.01 * (10 - epoch)
        for number, (level, length) in enumerate(zip(levels, lengths, strict=True))
        for epoch in range(1, length + 1)
    }


@pytest.mark.parametrize("name", ["median", "percentile", "successive-halving"])
def test_a_fold_is_compared_with_itself_whatever_its_level(name):
    others = [curve(1.0 + 0.1 * n, 9.0 + 0.1 * n, 1.0 + 0.1 * n) for n in range(8)]

    def given_up(*levels: float) -> int | None:
        return give_up_at(make_pruner(name, 10, folds=3), others, curve(*levels))

    assert given_up(0.9, 8.9, 0.9) is None  # the best in each fold; one fold is harder for all
    assert (given_up(0.9, 14.0, 0.9) or 0) in range(11, 21)  # good in the first, bad in the second
    # Optuna's own rule takes the least value so far, of whatever fold, and lets it pass.
    plain = give_up_at(make_pruner(name, 10), others, curve(0.9, 14.0, 0.9))
    assert name == "successive-halving" or plain is None or plain > 20


def test_a_trial_that_leads_over_the_folds_so_far_may_be_worse_in_one():
    others = [curve(2.0 + 0.1 * n, 2.0 + 0.1 * n) for n in range(8)]
    assert give_up_at(make_pruner("median", 10, folds=2), others, curve(1.0, 2.6)) is None
    assert give_up_at(make_pruner("median", 10, folds=2), others, curve(2.3, 4.0)) == 12
