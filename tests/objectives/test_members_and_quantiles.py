"""The refit's members as one model, its number of updates, and quantiles from the loss to the model."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from objectives.lstm.network import build_network
from objectives.objective import most_loss, replayed_path
from objectives.settings import FinalSettings, TrainingSettings
from objectives.trials import trial
from objectives.trials.messages import (
    DivergedError,
    ForecastRequest,
    Member,
    RefitRequest,
    TrialRequest,
)
from objectives.trials.seeds import member_seeds
from objectives.trials.trial import forecast, refit, run_trial
from objectives.trials.window_trainer import WindowTrainer
from objectives.windows import input_windows, target_windows

pytestmark = pytest.mark.usefixtures("one_thread")

SEED = 3
QUANTILES = (0.1, 0.5, 0.8, 0.9)
PATH = ((0.01, 30), (0.005, 30))


def always(_) -> bool:
    return True


def loaded(path):
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def request_of(task, wanted, directory, **changes) -> RefitRequest:
    """A refit whose train-only weights are those of an untrained network."""
    quantiles = task.training.forecast_quantiles
    weights = tuple(build_network(wanted, 2, 1, 3, quantiles, fast=True).get_weights())
    fields = {"weights": weights, "directory": directory, "members": members_of(wanted)}
    return RefitRequest(task=task, **{**fields, **changes})


def members_of(wanted, count=1, path=PATH) -> tuple[Member, ...]:
    return tuple(Member(wanted, seed, path) for seed in member_seeds(SEED, count))


# ---------------------------------------------------------------------------------------- members


def test_several_members_are_one_model_that_gives_their_mean(
    make_task, hyperparameters, tmp_path, monkeypatch
):
    task, wanted = make_task(), hyperparameters(dropout=0.2)
    trained = []
    adopt = WindowTrainer.adopt_average

    def note(trainer) -> None:
        adopt(trainer)
        trained.append(trainer.outputs(task.split.test.origins))

    monkeypatch.setattr(WindowTrainer, "adopt_average", note)
    other = Member(replace(wanted, timesteps=11, units=(3, 2)), SEED, PATH[:1])
    members = (*members_of(wanted, 2), other)
    outcome = refit(request_of(task, wanted, tmp_path, members=members))
    assert len(trained) == 3
    assert outcome.updates == 60  # of the first
    assert np.abs(trained[0] - trained[1]).max() > 1e-4  # their seeds differ
    model = loaded(tmp_path / "model.keras")
    windows = input_windows(task.load_rows(), task.split.test.origins, 11)
    rows = task.load_rows()[: task.split.validation.end, 0]
    expected = np.mean(trained, axis=0) * rows.std() + rows.mean()
    np.testing.assert_allclose(model.predict(windows, verbose=0), expected, rtol=1e-5)
    assert {layer.__class__.__module__.split(".")[0] for layer in model._flatten_layers()} == {
        "keras"
    }


def test_the_first_member_is_the_refit_of_one(make_task, hyperparameters, tmp_path):
    task, wanted = make_task(), hyperparameters()
    models = []
    for members in (1, 2):
        folder = tmp_path / str(members)
        folder.mkdir()
        refit(request_of(task, wanted, folder, members=members_of(wanted, members)))
        models.append(loaded(folder / "model.keras"))
    first = models[1].get_layer("network_1").get_weights()
    for ours, theirs in zip(models[0].get_layer("network").get_weights(), first, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_member_that_has_not_learnt_is_trained_anew_and_the_best_attempt_kept(
    make_task, hyperparameters, tmp_path, monkeypatch
):
    wanted, losses, networks = hyperparameters(), [0.9, 0.7, 0.8, 0.3], []
    replay = trial.replay

    def as_if(trainer, examples, path):
        replayed = replay(trainer, examples, path)
        networks.append(trainer.network.get_weights())
        return replace(replayed, loss=losses[len(networks) - 1])

    monkeypatch.setattr(trial, "replay", as_if)
    (member,) = members_of(wanted)

    def restarts(most_loss) -> int:
        networks.clear()
        members = (replace(member, most_loss=most_loss),)
        return refit(request_of(make_task(), wanted, tmp_path, members=members)).restarts

    def kept() -> list:
        return loaded(tmp_path / "model.keras").get_layer("network").get_weights()

    assert restarts(None) == restarts(0.95) == 0
    assert restarts(0.75) == 1
    assert restarts(0.35) == 3
    np.testing.assert_array_equal(kept()[0], networks[3][0])
    losses[3] = 0.75
    assert restarts(0.1) == 3  # then it is given up
    np.testing.assert_array_equal(kept()[0], networks[1][0])
    assert np.abs(networks[0][0] - networks[1][0]).max() > 0


def test_an_attempt_that_diverges_leaves_what_an_earlier_one_learnt(
    make_task, hyperparameters, tmp_path, monkeypatch
):
    wanted, networks = hyperparameters(), []
    replay = trial.replay

    def once(trainer, examples, path):
        if networks:
            raise DivergedError("the training loss became nan")
        replayed = replay(trainer, examples, path)
        networks.append(trainer.network.get_weights())
        return replayed

    monkeypatch.setattr(trial, "replay", once)
    members = tuple(replace(member, most_loss=0.0) for member in members_of(wanted))
    refitted = refit(request_of(make_task(), wanted, tmp_path, members=members))
    assert refitted.restarts == 3  # those that diverged are told of too
    kept = loaded(tmp_path / "model.keras").get_layer("network").get_weights()
    np.testing.assert_array_equal(kept[0], networks[0][0])


@pytest.mark.parametrize(
    ("losses", "epochs", "expected"),
    [
        ([16.0, 4.0, 0.01, 0.04, 3.0], 4, 0.8),
        ([0.5, 0.4], 2, 0.8),
        ([0.5, 0.4, 0.3], 1, None),
        ([0.5, 0.6], 2, None),
    ],
)
def test_a_network_has_learnt_that_comes_halfway_to_the_trials_loss(losses, epochs, expected):
    found = most_loss({"curves": {"loss": losses}}, ((0.01, 7),) * epochs)
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_path_is_replayed_update_by_update_or_pass_by_pass():
    path = ((0.1, 7), (0.05, 7))
    assert replayed_path(path, FinalSettings(), 16) == path
    whole = FinalSettings(updates="same-epochs")
    assert replayed_path(path, whole, 16) == ((0.1, 16), (0.05, 16))


# -------------------------------------------------------------------------------------- quantiles


@pytest.mark.parametrize(
    "quantiles", [(0.1, 0.9), (0.5, 0.1), (0.1, 0.5, 0.5), (0.5,), (0.0, 0.5), (0.5, 1.0)]
)
def test_quantiles_must_rise_and_hold_the_median(quantiles):
    with pytest.raises(ValidationError):
        TrainingSettings(loss="quantile", quantiles=quantiles)


@pytest.mark.parametrize("output", ["change", "level"])
@pytest.mark.parametrize("normalization", ["none", "standard"])
def test_quantiles_never_cross_whatever_the_weights(hyperparameters, output, normalization):
    wanted = hyperparameters(output=output, window_normalization=normalization)
    network = build_network(wanted, 2, 1, 3, QUANTILES, fast=False)
    generator = np.random.default_rng(0)
    network.set_weights([generator.normal(size=w.shape) * 3 for w in network.get_weights()])
    found = network(generator.normal(size=(50, 8, 2)).astype(np.float32)).numpy()
    assert found.shape == (50, 3, 1, 4)
    assert (np.diff(found, axis=-1) >= 0).all()
    assert np.diff(found, axis=-1).max() > 0.1


def test_the_pinball_loss_is_that_of_koenker_and_bassett(make_task, hyperparameters):
    task = make_task(epochs=1, loss="quantile", quantiles=QUANTILES, weight_average=None)
    wanted = hyperparameters(learning_rate=1e-30, optimizer="sgd")  # it moves no weight
    outcome = run_trial(TrialRequest(task, wanted, SEED), always)
    network = build_network(wanted, 2, 1, 3, QUANTILES, fast=True)
    network.set_weights(outcome.weights)
    rows = task.load_rows()
    train = rows[: task.split.train.end]
    scaled = ((rows - train.mean(axis=0)) / train.std(axis=0)).astype(np.float32)
    origins = task.split.train.origins
    found = network(input_windows(scaled, origins, 8)).numpy()
    error = target_windows(scaled, origins, 3, 1)[..., None] - found  # truth less forecast
    levels = np.array(QUANTILES)
    pinball = np.where(error >= 0, levels * error, (levels - 1) * error)
    assert outcome.epochs[0].loss == pytest.approx(pinball.mean(), rel=1e-4)
    origins = task.split.validation.origins
    median = network(input_windows(scaled, origins, 8)).numpy()[..., 1]
    mse = np.mean((median - target_windows(scaled, origins, 3, 1)) ** 2)
    assert outcome.epochs[0].metrics["mse"] == pytest.approx(mse, rel=1e-4)


@pytest.fixture(scope="module")
def with_quantiles(make_task, hyperparameters, one_thread, tmp_path_factory):
    """A trained and refitted model of two members: its task, its trial and its folder."""
    generator = np.random.default_rng(5)
    rows = generator.normal(size=(1500, 2)) * [2.0, 1.0] + [100.0, 0.0]
    task = make_task(rows, epochs=12, loss="quantile", quantiles=QUANTILES, patience=12)
    wanted = hyperparameters(output="level", skip="none")
    folder = tmp_path_factory.mktemp("quantiles")
    trial = run_trial(TrialRequest(task, wanted, SEED), always)
    path = tuple((epoch.learning_rate, epoch.updates) for epoch in trial.epochs)
    changes = {"weights": trial.weights, "members": members_of(wanted, 2, path)}
    refit(request_of(task, wanted, folder, **changes))
    return task, trial, folder


def test_the_saved_model_gives_the_median_and_the_quantiles_in_the_datas_units(with_quantiles):
    task, _, folder = with_quantiles
    origins = task.split.test.origins
    windows = input_windows(task.load_rows(), origins, 8)
    for name in ("model.keras", "model_train_only.keras"):
        outputs = loaded(folder / name).predict(windows, verbose=0)
        assert set(outputs) == {"forecast", "quantiles"}
        assert outputs["quantiles"].shape == (len(origins), 3, 1, 4)
        np.testing.assert_array_equal(outputs["forecast"], outputs["quantiles"][..., 1])
        found = forecast(ForecastRequest(folder / name, task.rows, origins))
        np.testing.assert_allclose(found.forecast, outputs["forecast"], rtol=1e-6)
        np.testing.assert_allclose(found.quantiles, outputs["quantiles"], rtol=1e-6)


def test_quantiles_cover_the_share_that_they_say(with_quantiles):
    """On noise without a pattern, the share of the test rows below each quantile is its level."""
    task, _, folder = with_quantiles
    origins = task.split.test.origins
    found = forecast(ForecastRequest(folder / "model.keras", task.rows, origins)).quantiles
    below = target_windows(task.load_rows(), origins, 3, 1)[..., None] <= found
    np.testing.assert_allclose(below.mean(axis=(0, 1, 2)), QUANTILES, atol=0.08)


def test_a_point_forecast_has_no_quantiles(make_task, hyperparameters, tmp_path):
    task = make_task()
    refit(request_of(task, hyperparameters(), tmp_path))
    request = ForecastRequest(tmp_path / "model.keras", task.rows, task.split.test.origins)
    assert forecast(request).quantiles is None
