"""Magnitude noise: whole windows are multiplied, about their last rows, and only in training."""

import keras
import numpy as np
import pytest

from objectives.lstm.network import build_network
from objectives.settings import TrainingSettings
from objectives.trials.window_trainer import WindowTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = 1e-30  # a learning rate that moves no float32 weight
GROWTH = 1.02
ORIGINS = np.arange(8, 78)


def loss_of(network, rows, wanted, noise, *, seed=1, calendar=0) -> float:
    settings = TrainingSettings(magnitude_noise=noise)
    trainer = WindowTrainer(network, rows.astype(np.float32), wanted, settings, seed)
    trainer.calendar = calendar
    assert trainer.validate(ORIGINS)["mse"] == pytest.approx(
        np.mean((network_outputs(network, rows) - truth(rows)) ** 2), abs=1e-7
    )
    return trainer.update(ORIGINS, 0, 3, STILL)


def network_outputs(network, rows):
    windows = np.stack([rows[o - 8 : o] for o in ORIGINS]).astype(np.float32)
    return network.predict(windows, verbose=0)


def truth(rows):
    return np.stack([rows[o : o + 3, :1] for o in ORIGINS])


def test_a_network_that_is_right_stays_right_whatever_the_magnitude(hyperparameters):
    wanted = hyperparameters(learning_rate=STILL)
    rows = np.stack([GROWTH ** np.arange(80), np.zeros(80)], axis=1)
    network = build_network(wanted, 2, 1, 3, fast=True)
    kernel = np.zeros((8, 1, 3))
    kernel[-2, 0] = -np.cumsum(GROWTH ** np.arange(1, 4))  # the last change goes on, and grows
    network.get_layer("skip").set_weights([kernel])
    assert loss_of(network, rows, wanted, 0.5) < 1e-9
    wrong = build_network(wanted, 2, 1, 3, fast=True)  # it repeats the last value
    losses = [loss_of(wrong, rows, wanted, noise) for noise in (0.0, 0.5, 0.5)]
    assert losses[1] == losses[2]
    assert abs(losses[1] / losses[0] - 1) > 0.05
    assert loss_of(wrong, rows, wanted, 0.5, seed=2) != losses[1]


def test_time_goes_on_at_its_own_pace(hyperparameters):
    rows = np.stack([np.zeros(80), np.arange(80.0)], axis=1)
    window = keras.Input((8, 2))
    passed = window[:, -1:, 1:] - window[:, -2:-1, 1:]
    surprise = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(passed) - 1.0
    network = keras.Model(window, keras.ops.repeat(window[:, -1:, :1] + surprise, 3, axis=1))
    wanted = hyperparameters(learning_rate=STILL)
    assert loss_of(network, rows, wanted, 0.5, calendar=1) == 0.0
    assert loss_of(network, rows, wanted, 0.5) > 0.01
