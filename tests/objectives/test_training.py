"""Training: what an epoch does, which weights are kept, and that a replay is the same training."""

import math

import numpy as np
import pytest
from keras.utils import set_random_seed

from objectives.lstm.network import build_network
from objectives.settings import TrainingSettings
from objectives.trials import graph_trainer
from objectives.trials.messages import DivergedError
from objectives.trials.training import Examples, Schedule, replay, train
from objectives.trials.window_trainer import WindowTrainer
from objectives.windows import input_windows, target_windows

pytestmark = pytest.mark.usefixtures("one_thread")

HORIZON = 3
ONE = np.ones(1)
STILL = 1e-30  # a learning rate that moves no float32 weight
TRAIN = np.arange(12, 82)  # 70 windows: two batches of 32 and one of 6
VALIDATION = np.arange(90, 130)


@pytest.fixture(scope="module")
def rows(series) -> np.ndarray:
    return ((series - series.mean(axis=0)) / series.std(axis=0)).astype(np.float32)


@pytest.fixture
def make_trainer(rows, hyperparameters):
    """A trainer of a network whose first weights come from `seed` as well."""

    def make(seed=1, fast=True, settings=None, seen=rows, **changes) -> WindowTrainer:
        set_random_seed(seed)
        wanted = hyperparameters(**changes)
        network = build_network(wanted, seen.shape[1], 1, HORIZON, fast=fast)
        return WindowTrainer(network, seen, wanted, settings or TrainingSettings(), seed)

    return make


def settings_of(**changes) -> TrainingSettings:
    return TrainingSettings(**{"epochs": 3, "schedule": "constant", **changes})


def go_on(_) -> bool:
    return True


def run(trainer, settings, go_on=go_on):
    return train(trainer, Examples(TRAIN, VALIDATION), settings, go_on)


def truth_at(rows, origins):
    return target_windows(rows, origins, HORIZON, 1)


def curves(trained):
    return np.array([[epoch.loss, *epoch.metrics.values()] for epoch in trained.epochs])


def iterations(trainer) -> int:
    return int(trainer._optimizer.iterations)


def all_equal(ours, theirs) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


# ----------------------------------------------------------------------------- windows and metrics


def test_forecasts_are_the_networks_on_the_windows_before_the_origins(make_trainer, rows):
    trainer = make_trainer(output="level")
    expected = trainer.network(input_windows(rows, VALIDATION, 8), training=False)
    np.testing.assert_allclose(trainer.outputs(VALIDATION), expected, atol=1e-6)


def test_validation_figures_are_numpys_on_the_forecasts(make_trainer, rows):
    trainer = make_trainer(output="level")
    for unit in (1.0, 2.5):
        error = unit * (trainer.outputs(VALIDATION) - truth_at(rows, VALIDATION))
        expected = {
            "mse": np.mean(error**2),
            "mae": np.mean(np.abs(error)),
            "rmse": np.mean(error**2) ** 0.5,
        }
        trainer.unit = unit * ONE
        assert trainer.validate(VALIDATION) == pytest.approx(expected, rel=1e-5)


def test_chunks_change_neither_forecasts_nor_figures(make_trainer, monkeypatch):
    trainer = make_trainer(output="level")
    forecast, figures = trainer.outputs(VALIDATION), trainer.validate(VALIDATION)
    for windows in (0, 1, 7, 39):  # at least one window, even if it alone is too large
        monkeypatch.setattr(graph_trainer, "_EVALUATION_CELLS", windows * 8 * 2)
        np.testing.assert_allclose(trainer.outputs(VALIDATION), forecast, atol=1e-6)
        assert trainer.validate(VALIDATION) == pytest.approx(figures, rel=1e-6)


def test_the_validation_metric_holds_no_penalty(make_trainer, rows):
    trainer = make_trainer(l2=100.0)
    trained = run(trainer, settings_of(epochs=1))
    with trainer.averaged():
        error = trainer.outputs(VALIDATION) - truth_at(rows, VALIDATION)
    assert float(sum(trainer.network.losses)) > 10  # what must not be in the metric
    assert trained.epochs[0].metrics["mse"] == pytest.approx(np.mean(error**2), rel=1e-5)
    assert trained.epochs[0].loss < 10


def test_the_penalty_acts_on_the_weights_all_the_same(make_trainer):
    norms = []
    for l2 in (0.0, 1.0):
        trainer = make_trainer(l2=l2)
        for _ in range(3):
            trainer.update(TRAIN, 0, 3, 0.01)
        norms.append(np.linalg.norm(trainer.network.get_layer("lstm_1").get_weights()[0]))
    assert norms[1] < 0.9 * norms[0]


# -------------------------------------------------------------------------------------- one epoch


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        ("mse", lambda error: error**2),
        ("mae", np.abs),
        ("huber", lambda e: np.where(np.abs(e) <= 1, 0.5 * e**2, np.abs(e) - 0.5)),
    ],
)
def test_the_training_loss_is_the_mean_over_all_windows_in_their_batches(
    make_trainer, rows, loss, by_hand
):
    # The last batch has 6 windows; each window must weigh the same.
    trainer = make_trainer(settings=settings_of(loss=loss), output="level")
    error = trainer.outputs(TRAIN) - truth_at(rows, TRAIN)
    assert trainer.update(TRAIN, 0, 3, STILL) == pytest.approx(by_hand(error).mean(), rel=1e-5)
    last = error[64:70]
    assert trainer.update(TRAIN, 2, 3, STILL) == pytest.approx(by_hand(last).mean(), rel=1e-5)


def test_the_training_loss_is_the_same_whether_its_first_update_is_timed_or_not(make_trainer, rows):
    # With one huge error the sum of the losses is rounded, and so depends on the order of adding.
    spiked = rows.copy()
    spiked[50, 0] = 1e7
    timed, untimed = make_trainer(seen=spiked), make_trainer(seen=spiked)
    untimed.compile_seconds = 0.0
    for _ in range(20):
        order = timed.shuffled(TRAIN)
        timed.compile_seconds = None
        loss = timed.update(order, 0, 3, STILL)
        assert timed.compile_seconds is not None
        assert loss == untimed.update(order, 0, 3, STILL)


def test_a_pass_makes_an_update_for_each_batch_and_one_for_what_is_left(make_trainer):
    trainer = make_trainer()
    counts = [trainer.updates_an_epoch(windows) for windows in (1, 32, 33, 64, 70)]
    assert counts == [1, 1, 2, 2, 3]


def test_an_epoch_records_the_updates_it_made(make_trainer):
    trainer = make_trainer()
    trained = run(trainer, settings_of(epochs=2, patience=1))
    assert trained.stopped == "epochs"
    assert [epoch.updates for epoch in trained.epochs] == [3, 3]
    assert [epoch.number for epoch in trained.epochs] == [1, 2]
    assert iterations(trainer) == 6


def test_the_running_mean_of_the_weights_is_that_of_every_update(make_trainer):
    trainer = make_trainer(settings=settings_of(weight_average=0.5), output="level")
    mean = trainer.network.get_weights()
    for made in range(1, 13):
        trainer.update(TRAIN, made % 3, made % 3 + 1, 0.01)
        decay = min(0.5, (1 + made) / (10 + made))  # the first weights are soon forgotten
        latest = trainer.network.get_weights()
        mean = [decay * old + (1 - decay) * new for old, new in zip(mean, latest, strict=True)]
    with trainer.averaged():
        for ours, by_hand in zip(trainer.network.get_weights(), mean, strict=True):
            np.testing.assert_allclose(ours, by_hand, atol=1e-6)
    assert all_equal(trainer.network.get_weights(), latest)  # training goes on from these
    assert not all_equal(latest, mean)
    trainer.adopt_average()
    np.testing.assert_allclose(trainer.network.get_weights()[0], mean[0], atol=1e-6)


def test_without_a_running_mean_the_weights_stand_as_they_are(make_trainer):
    settings = settings_of(weight_average=None, epochs=1)
    trainer = make_trainer(settings=settings)
    trained = run(trainer, settings)
    assert all_equal(trained.weights, trainer.network.get_weights())
    trainer.adopt_average()
    assert all_equal(trained.weights, trainer.network.get_weights())


def test_each_pass_has_an_order_of_its_own_of_the_same_windows(make_trainer):
    trainer = make_trainer()
    first, second = trainer.shuffled(TRAIN), trainer.shuffled(TRAIN)
    assert not np.array_equal(first, second)
    for order in (first, second):
        np.testing.assert_array_equal(np.sort(order), TRAIN)


# ------------------------------------------------------------------------------------- the search


@pytest.mark.parametrize("units", [(6, 4), (16, 64, 56)])
def test_fast_and_plain_layers_train_alike(make_trainer, units):
    wanted = {"units": units, "dropout": 0.2, "l2": 1e-3}
    fused, plain = (run(make_trainer(fast=fast, **wanted), settings_of()) for fast in (True, False))
    np.testing.assert_allclose(curves(fused), curves(plain), rtol=1e-4)
    assert curves(fused)[2, 1] < 0.9 * curves(fused)[0, 1]  # they learn something


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_optimizer_learns(make_trainer, optimizer):
    trainer = make_trainer(optimizer=optimizer)
    first, second = (trainer.update(TRAIN, 0, 3, 0.01) for _ in range(2))
    assert second < first


def test_a_seed_gives_the_same_curves_and_another_seed_others(make_trainer):
    wanted = {"dropout": 0.2, "output": "level"}
    first, again, other = (
        run(make_trainer(seed=seed, **wanted), settings_of(epochs=2)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(curves(first), curves(again))
    assert all_equal(first.weights, again.weights)
    assert not np.isclose(curves(first), curves(other), rtol=1e-3).any()


def test_the_weights_kept_are_the_best_epochs(make_trainer):
    trainer = make_trainer(learning_rate=0.15, skip="none")
    trained = run(trainer, settings_of(epochs=12, patience=12))
    values = [epoch.metrics["mse"] for epoch in trained.epochs]
    assert trained.best_epoch == 1 + int(np.argmin(values))
    assert 1 < trained.best_epoch < 12  # otherwise this says nothing
    assert not all_equal(trained.weights, trainer.network.get_weights())
    trainer.network.set_weights(trained.weights)
    assert trainer.validate(VALIDATION)["mse"] == pytest.approx(min(values), rel=1e-6)


@pytest.mark.parametrize("metric", ["mse", "mae"])
def test_the_best_epoch_is_by_the_settings_metric(make_trainer, monkeypatch, metric):
    # Figures of which the two metrics prefer different epochs.
    figures = iter([{"mse": mse, "mae": mae, "rmse": 1.0} for mse, mae in ((3, 1), (1, 3), (2, 2))])
    trainer = make_trainer()
    monkeypatch.setattr(trainer, "validate", lambda *_: next(figures))
    best = {"mse": 2, "mae": 1}[metric]
    assert run(trainer, settings_of(metric=metric)).best_epoch == best


def test_training_stops_after_as_many_epochs_without_a_better_one_as_patience_says(make_trainer):
    trained = run(make_trainer(learning_rate=STILL), settings_of(epochs=9, patience=3))
    assert trained.stopped == "patience"
    assert trained.best_epoch == 1  # an equal value is no better one
    assert len(trained.epochs) == 4


def test_training_ends_where_it_is_asked_to(make_trainer):
    asked = []

    def until_second(epoch):
        asked.append(epoch)
        return epoch.number < 2

    trained = run(make_trainer(), settings_of(epochs=5), until_second)
    assert (trained.stopped, len(trained.epochs)) == ("asked", 2)
    assert tuple(asked) == trained.epochs


def test_epochs_train_at_the_rates_of_the_schedule(make_trainer):
    settings = settings_of(schedule="plateau", epochs=4, schedule_patience=1)
    trainer = make_trainer(learning_rate=STILL)  # the metric stands still: a plateau
    used = []
    update = trainer.update

    def noted(order, first, end, rate):
        loss = update(order, first, end, rate)
        used.append(float(trainer._optimizer.learning_rate))
        return loss

    trainer.update = noted
    trained = run(trainer, settings)
    recorded = [epoch.learning_rate for epoch in trained.epochs]
    assert used == pytest.approx(recorded, rel=1e-6)
    expected = Schedule(settings, trainer.first_learning_rate)
    for epoch in trained.epochs:
        assert epoch.learning_rate == expected.current
        expected.advance(epoch.metrics["mse"])
    assert len(set(recorded)) == 3


# ----------------------------------------------------------------------------------- the schedule


def rates(values, first=0.1, **changes):
    """The rate of every epoch, given each epoch's validation value."""
    schedule = Schedule(TrainingSettings(epochs=len(values), **changes), first)
    found = []
    for value in values:
        found.append(schedule.current)
        schedule.advance(value)
    return found


def test_a_constant_rate():
    assert rates([3, 4, 5, 6], schedule="constant") == [0.1] * 4


def test_a_plateau_lowers_the_rate_after_its_patience():
    values = [5, 4, 4, 4.5, 4, 4, 3, 3]
    expected = [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    found = rates(values, schedule="plateau", schedule_factor=0.5, schedule_patience=2)
    assert found == pytest.approx(expected)


def test_a_better_value_starts_the_patience_anew():
    values = [5, 6, 4, 6, 3, 6]
    assert rates(values, schedule="plateau", schedule_patience=2) == [0.1] * 6


def test_a_cosine_falls_from_the_first_rate_towards_its_share():
    least, span = 0.02, 0.08
    expected = [
        least + span * (1 + math.cos(math.pi * share)) / 2 for share in (0, 0.25, 0.5, 0.75)
    ]
    assert rates([1] * 4, schedule="cosine", schedule_factor=0.2) == pytest.approx(expected)
    assert expected[2] == pytest.approx(0.06)


def test_an_exponential_falls_by_equal_factors():
    found = rates([1] * 4, schedule="exponential", schedule_factor=0.0625)
    assert found == pytest.approx([0.1, 0.05, 0.025, 0.0125])


# -------------------------------------------------------------------------------------- the replay


def test_a_replay_on_the_same_windows_is_the_same_training(make_trainer):
    settings = settings_of(schedule="exponential", epochs=3)
    wanted = {"dropout": 0.2}
    trained = run(make_trainer(**wanted), settings)
    assert trained.best_epoch == 3  # its weights are kept
    path = tuple((epoch.learning_rate, epoch.updates) for epoch in trained.epochs)
    trainer = make_trainer(**wanted)
    replayed = replay(trainer, TRAIN, path)
    assert replayed.passes == 3.0
    assert replayed.loss == pytest.approx(trained.epochs[-1].loss)
    assert all_equal(trainer.network.get_weights(), trained.weights)


def test_a_replay_on_more_windows_makes_the_recorded_updates_across_pass_borders(
    make_trainer, monkeypatch
):
    more = np.arange(12, 130)  # 118 windows: 4 updates a pass
    path = ((0.01, 3), (0.002, 3), (0.005, 5), (0.001, 4))
    trainer = make_trainer()
    calls, losses, update = [], [], trainer.update

    def noted(order, first, end, rate):
        before = iterations(trainer)
        loss = update(order, first, end, rate)
        assert iterations(trainer) - before == end - first
        assert float(trainer._optimizer.learning_rate) == pytest.approx(rate)
        calls.append((order, first, end, rate))
        losses.append(loss)
        return loss

    monkeypatch.setattr(trainer, "update", noted)
    replayed = replay(trainer, more, path)
    assert replayed.passes == 15 / 4
    assert replayed.loss == pytest.approx((losses[-2] + 3 * losses[-1]) / 4)
    assert iterations(trainer) == 15
    steps = [(step, rate) for _, first, end, rate in calls for step in range(first, end)]
    assert [step for step, _ in steps] == [0, 1, 2, 3] * 3 + [0, 1, 2]  # each pass in turn
    assert [rate for _, rate in steps] == [0.01] * 3 + [0.002] * 3 + [0.005] * 5 + [0.001] * 4
    orders = list({id(order): order for order, *_ in calls}.values())
    assert len(orders) == 4
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), more)


def test_a_replay_that_ends_with_a_pass_counts_it_whole(make_trainer):
    trainer = make_trainer()
    assert replay(trainer, TRAIN, ((0.01, 6),)).passes == 2.0
    assert iterations(trainer) == 6


# -------------------------------------------------------------------------------------- divergence

UNBOUND = {"epochs": 4, "clip_norm": None}


def test_a_rate_that_explodes_is_told_as_divergence(make_trainer):
    settings = settings_of(**UNBOUND)
    trainer = make_trainer(settings=settings, optimizer="sgd", learning_rate=1e25)
    with pytest.raises(DivergedError, match=r"became (nan|inf) at learning rate 1e\+25"):
        run(trainer, settings)


def test_a_validation_error_that_is_not_finite_is_told_as_divergence(make_trainer):
    trainer = make_trainer()
    trainer.network.set_weights([np.nan * weight for weight in trainer.network.get_weights()])
    with pytest.raises(DivergedError, match="validation error became nan"):
        trainer.validate(VALIDATION)


def test_a_replay_that_explodes_is_told_as_divergence(make_trainer):
    trainer = make_trainer(settings=settings_of(**UNBOUND), optimizer="sgd")
    with pytest.raises(DivergedError):
        replay(trainer, TRAIN, ((1e25, 9),))


def test_the_gradient_is_clipped_to_the_settings_norm(make_trainer):
    moved = {}
    for clip_norm in (None, 1e-3):
        trainer = make_trainer(settings=settings_of(clip_norm=clip_norm), optimizer="sgd")
        before = trainer.network.get_weights()
        trainer.update(TRAIN, 0, 1, 1.0)  # the first step's momentum is zero
        moved[clip_norm] = math.sqrt(
            sum(
                float(((new - old) ** 2).sum())
                for new, old in zip(trainer.network.get_weights(), before, strict=True)
            )
        )
    assert moved[1e-3] == pytest.approx(1e-3, rel=1e-2)
    assert moved[None] > 0.1
