"""One trial in this process: what it is judged on, what it is fitted on, and the winner's refit."""

from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras.utils import set_random_seed

from objectives.lstm.network import build_network
from objectives.scaling import fit_scaling
from objectives.split import target_hash
from objectives.trials.messages import ForecastRequest, Member, RefitRequest, TrialRequest
from objectives.trials.training import replay
from objectives.trials.trial import forecast, refit, run_trial
from objectives.trials.window_trainer import WindowTrainer
from objectives.windows import input_windows, target_windows

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = 1e-30  # a learning rate that moves no float32 weight
SEED = 2**32 + 5  # larger than TensorFlow's seeds may be


def go_on(_) -> bool:
    return True


def run(task, hyperparameters, seed=SEED, go_on=go_on):
    return run_trial(TrialRequest(task, hyperparameters, seed), go_on)


def losses(outcome):
    return [epoch.loss for epoch in outcome.epochs]


def figures(outcome):
    return [epoch.metrics for epoch in outcome.epochs]


def all_equal(ours, theirs) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def altered(rows, start, end):
    changed = rows.copy()
    changed[start:end] = 7 * changed[start:end] + 100
    return changed


def test_trials_are_judged_on_the_same_targets_whatever_their_timesteps(make_task, hyperparameters):
    task = make_task(epochs=1)
    short, long = (run(task, hyperparameters(timesteps=steps)) for steps in (3, 12))
    assert short.target_hash == long.target_hash
    assert short.target_hash == target_hash(task.split.validation, task.split.horizon)
    assert losses(short) != losses(long)


@pytest.mark.parametrize("scaling", ["standard", "min-max", "none"])
def test_the_metric_is_in_training_deviations_whatever_the_scaling(
    make_task, series, hyperparameters, scaling
):
    # A network that does not learn repeats the last value, so its figures can be had by hand.
    task = make_task(epochs=1)
    outcome = run(task, hyperparameters(scaling=scaling, learning_rate=STILL))
    origins = task.split.validation.origins
    error = target_windows(series, origins, 3, 1) - series[origins - 1, None, :1]
    error /= series[: task.split.train.end, 0].std()
    expected = {
        "mse": np.mean(error**2),
        "mae": np.mean(np.abs(error)),
        "rmse": np.mean(error**2) ** 0.5,
    }
    assert outcome.epochs[0].metrics == pytest.approx(expected, rel=1e-4)


def test_later_rows_do_not_reach_what_comes_before(make_task, series, hyperparameters):
    wanted = hyperparameters()
    task = make_task()
    split = task.split
    original = run(task, wanted)
    other_test = run(make_task(altered(series, split.test.first, None)), wanted)
    assert figures(other_test) == figures(original)
    assert losses(other_test) == losses(original)
    validation = (split.train.end, split.validation.end)
    other_validation = run(make_task(altered(series, *validation)), wanted)
    assert losses(other_validation) == losses(original)
    assert figures(other_validation) != figures(original)


def test_a_seed_is_a_trial(make_task, hyperparameters):
    task, wanted = make_task(epochs=1), hyperparameters(dropout=0.2, output="level")
    first, again, other = (run(task, wanted, seed) for seed in (SEED, SEED, SEED + 1))
    assert first.epochs == again.epochs
    assert all_equal(first.weights, again.weights)
    assert losses(first) != losses(other)


def test_an_outcome_tells_size_times_and_why_it_ended(make_task, hyperparameters):
    outcome = run(make_task(epochs=5), hyperparameters(), go_on=lambda epoch: epoch.number < 2)
    assert (outcome.stopped, len(outcome.epochs)) == ("asked", 2)
    lstm, head, skip = 4 * 4 * (2 + 4 + 1), 4 * 3 + 3, 8 * 3
    assert outcome.parameters == lstm + head + skip
    assert outcome.parameters == sum(weight.size for weight in outcome.weights)
    assert set(outcome.seconds) == {"load", "build", "trace", "compile", "steps"}
    assert min(outcome.seconds.values()) > 0


def test_a_long_trial_shows_its_forecasts_of_what_validation_ends_with(
    make_task, series, hyperparameters, monkeypatch
):
    task, wanted = make_task(epochs=3), hyperparameters()
    assert run(task, wanted).glimpse is None  # it takes too little time
    monkeypatch.setattr("objectives.trials.trial.PICTURED_SECONDS", 0.0)
    seen = run(task, wanted).glimpse
    first, end = task.split.validation.origins[0], task.split.validation.end
    assert sorted(seen.rows.reshape(-1)) == list(range(end - seen.rows.size, end))
    assert first <= seen.rows.min() < first + 3
    assert np.array_equal(seen.truth, series[seen.rows, 0])
    # No more than the noise away, in the data's units: the weights are those of a trained network.
    repeated = series[seen.rows[:, :1] - 1, 0]
    assert np.mean((seen.forecast - seen.truth) ** 2) < np.mean((repeated - seen.truth) ** 2)


# ----------------------------------------------------------------------------------------- refit


@pytest.fixture(scope="module")
def won(make_task, hyperparameters, one_thread):
    """A task, the winner's hyperparameters and its outcome."""
    task = make_task(epochs=3, schedule="exponential")
    wanted = hyperparameters(scaling="min-max", dropout=0.1)
    return task, wanted, run(task, wanted)


def request_of(won, directory, task=None) -> RefitRequest:
    original, wanted, outcome = won
    path = tuple((epoch.learning_rate, epoch.updates) for epoch in outcome.epochs)
    return RefitRequest(
        task=task or original,
        weights=outcome.weights,
        directory=directory,
        members=(Member(wanted, SEED, path[: outcome.best_epoch]),),
    )


class Refitted(NamedTuple):
    passes: float
    updates: int
    validation: np.ndarray
    test_train_only: np.ndarray
    test: np.ndarray


@pytest.fixture(scope="module")
def refitted(won, tmp_path_factory):
    directory = tmp_path_factory.mktemp("refit")
    request = request_of(won, directory)
    outcome = refit(request)
    split = request.task.split
    return request, Refitted(
        passes=outcome.passes,
        updates=outcome.updates,
        validation=forecast_of(request, "model_train_only.keras", split.validation.origins),
        test_train_only=forecast_of(request, "model_train_only.keras", split.test.origins),
        test=forecast_of(request, "model.keras", split.test.origins),
    )


def forecast_of(request, name, origins):
    return forecast(ForecastRequest(request.directory / name, request.task.rows, origins)).forecast


def on_raw_windows(request, name, origins):
    model = keras.saving.load_model(request.directory / name, safe_mode=True)
    windows = input_windows(request.task.load_rows(), origins, 8)
    return model.predict(windows, verbose=0)


def test_both_models_are_written_and_nothing_half_written_is_left(refitted):
    request, _ = refitted
    names = sorted(path.name for path in request.directory.iterdir())
    assert names == ["model.keras", "model_train_only.keras"]


def test_the_saved_models_forecast_what_the_refit_reports(refitted):
    request, outcome = refitted
    test, validation = request.task.split.test.origins, request.task.split.validation.origins
    # the series has the level 50 and the deviation 7: float32 leaves about 1e-6 of it
    for name, origins, found in (
        ("model.keras", test, outcome.test),
        ("model_train_only.keras", test, outcome.test_train_only),
        ("model_train_only.keras", validation, outcome.validation),
    ):
        assert found.shape == (len(origins), 3, 1)
        np.testing.assert_allclose(on_raw_windows(request, name, origins), found, rtol=1e-5)
    assert np.abs(outcome.test - outcome.test_train_only).max() > 1e-3


def test_the_train_only_model_is_the_winner_as_the_search_judged_it(won, refitted, series):
    task, _, trained = won
    error = refitted[1].validation - target_windows(series, task.split.validation.origins, 3, 1)
    mse = np.mean((error / series[: task.split.train.end, 0].std()) ** 2)
    best = trained.epochs[trained.best_epoch - 1].metrics["mse"]
    assert mse == pytest.approx(best, rel=1e-4)


def test_the_refit_makes_the_winners_updates_on_train_and_validation(won, refitted, series):
    task, wanted, _ = won
    request, outcome = refitted
    more = task.split.train_and_validation()
    scaling = fit_scaling("min-max", series[: more.end])
    set_random_seed(SEED % 2**32)
    network = build_network(wanted, 2, 1, 3, fast=True)
    by_hand = WindowTrainer(network, scaling.apply(series), wanted, task.training, SEED)
    passes = replay(by_hand, more.origins, request.members[0].path).passes
    updates = sum(updates for _, updates in request.members[0].path)
    assert outcome.updates == updates == int(by_hand._optimizer.iterations)
    assert outcome.passes == passes == updates / -(-len(more.origins) // 32)
    expected = scaling.invert(by_hand.outputs(task.split.test.origins))
    np.testing.assert_allclose(outcome.test, expected, rtol=1e-5)  # float32 at a level of 50


def test_test_rows_reach_neither_model(won, refitted, make_task, series, tmp_path):
    task = make_task(altered(series, won[0].split.test.first, None))
    other = request_of(won, tmp_path, replace(won[0], rows=task.rows))
    refit(other)
    origins = won[0].split.validation.origins
    for name in ("model.keras", "model_train_only.keras"):
        ours, theirs = (on_raw_windows(r, name, origins) for r in (refitted[0], other))
        np.testing.assert_array_equal(ours, theirs)
