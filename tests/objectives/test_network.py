"""The network of one trial, and the model that is deployed."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from objectives.lstm.fast_lstm import FastLSTM
from objectives.lstm.network import build_deployable, build_network
from objectives.scaling import fit_scaling
from objectives.trials.learner import TrainedNetwork
from tests.elsewhere import run_elsewhere

pytestmark = pytest.mark.usefixtures("one_thread")

COLUMNS, TARGETS, HORIZON = 3, 2, 4


def build(hyperparameters, fast=False):
    return build_network(hyperparameters, COLUMNS, TARGETS, HORIZON, fast=fast)


@pytest.fixture(scope="module")
def window() -> np.ndarray:
    """(batch 5, timesteps 8, columns)."""
    return np.random.default_rng(0).normal(size=(5, 8, COLUMNS)).astype(np.float32)


def trained(network: keras.Model, seed: int = 1) -> keras.Model:
    """The network with other weights than it starts with."""
    generator = np.random.default_rng(seed)
    network.set_weights(
        [w + generator.normal(size=w.shape, scale=0.2) for w in network.get_weights()]
    )
    return network


def forecast_of(network: keras.Model, window: np.ndarray) -> np.ndarray:
    return network(window, training=False).numpy()


@pytest.mark.parametrize("skip", ["none", "linear"])
@pytest.mark.parametrize("units", [(4,), (4, 3)])
def test_an_untrained_change_network_repeats_the_last_value(hyperparameters, window, units, skip):
    network = build(hyperparameters(output="change", units=units, skip=skip))
    expected = np.repeat(window[:, -1:, :TARGETS], HORIZON, axis=1)
    np.testing.assert_array_equal(forecast_of(network, window), expected)


def test_an_untrained_level_network_starts_elsewhere(hyperparameters, window):
    forecast = forecast_of(build(hyperparameters(output="level")), window)
    assert forecast.shape == (5, HORIZON, TARGETS)
    assert np.abs(forecast - window[:, -1:, :TARGETS]).min(axis=(1, 2)).max() > 1e-3
    assert np.abs(forecast).max() > 1e-3


@pytest.mark.parametrize("skip", ["none", "linear"])
def test_a_shift_of_the_window_shifts_a_change_forecast(hyperparameters, window, skip):
    network = trained(build(hyperparameters(output="change", skip=skip)))
    shift = np.array([3.0, -2.0, 10.0], np.float32)
    before, after = forecast_of(network, window), forecast_of(network, window + shift)
    expected = np.broadcast_to(shift[:TARGETS], before.shape)
    np.testing.assert_allclose(after - before, expected, atol=2e-5)


@pytest.mark.parametrize("output", ["change", "level"])
def test_a_normalised_window_of_another_scale_and_level_is_forecast_alike(
    hyperparameters, window, output
):
    network = trained(build(hyperparameters(output=output, window_normalization="standard")))
    scale, shift = np.array([4.0, 9.0, 3.0]), np.array([3.0, -2.0, 10.0])
    expected = forecast_of(network, window) * scale[:TARGETS] + shift[:TARGETS]
    other = forecast_of(network, (window * scale + shift).astype(np.float32))
    np.testing.assert_allclose(other, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("output", ["change", "level"])
def test_a_constant_window_is_normalised_without_harm(hyperparameters, output):
    wanted = hyperparameters(output=output, window_normalization="standard", skip="none")
    constant = np.tile(np.array([3.0, -2.0, 10.0], np.float32), (5, 8, 1))
    forecast = forecast_of(trained(build(wanted)), constant)
    np.testing.assert_allclose(forecast, constant[:, :HORIZON, :TARGETS], atol=0.02)


def test_a_shift_of_the_window_does_more_to_a_level_forecast(hyperparameters, window):
    network = trained(build(hyperparameters(output="level", skip="none")))
    change = forecast_of(network, window + 3) - forecast_of(network, window)
    assert np.abs(change - 3).min() > 1e-2


def test_the_skip_path_is_linear_and_runs_from_each_target_to_itself(hyperparameters, window):
    network = build(hyperparameters(skip="linear"))  # its head is zero: the LSTM adds nothing
    kernel = np.random.default_rng(4).normal(size=(8, TARGETS, HORIZON)).astype(np.float32)
    network.get_layer("skip").set_weights([kernel])
    seen = window - window[:, -1:]
    expected = window[:, -1:, :TARGETS] + np.einsum("btk,tkh->bhk", seen[:, :, :TARGETS], kernel)
    np.testing.assert_allclose(forecast_of(network, window), expected, atol=1e-5)
    other = window.copy()
    other[:, :-1, 1] += 1  # the second target's past
    same = forecast_of(network, other)[:, :, 0]
    np.testing.assert_allclose(same, expected[:, :, 0], atol=1e-5)


def test_without_a_skip_path_there_is_none(hyperparameters):
    names = [layer.name for layer in build(hyperparameters(skip="none")).layers]
    assert "skip" not in names


def test_only_the_last_layer_keeps_its_last_step_alone(hyperparameters):
    network = build(hyperparameters(units=(5, 6, 7)))
    shapes = [network.get_layer(f"lstm_{layer}").output.shape for layer in (1, 2, 3)]
    assert shapes == [(None, 8, 5), (None, 8, 6), (None, 7)]


def test_every_column_is_seen(hyperparameters, window):
    network = trained(build(hyperparameters()))
    other = window.copy()
    other[:, 2, 2] += 1  # a column that is no target
    assert np.abs(forecast_of(network, other) - forecast_of(network, window)).max() > 1e-4


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_dropout_acts_in_training_and_only_there(hyperparameters, window, dropout):
    network = trained(build(hyperparameters(dropout=dropout, units=(16,))))
    still = forecast_of(network, window)
    np.testing.assert_array_equal(forecast_of(network, window), still)
    moved = np.abs(network(window, training=True).numpy() - still).max() > 1e-4
    assert moved == (dropout > 0)


def test_the_penalty_is_on_the_lstm_kernels_alone(hyperparameters):
    network = trained(build(hyperparameters(l2=0.1, units=(4, 3))))
    lstm = [network.get_layer(f"lstm_{layer}").get_weights() for layer in (1, 2)]
    expected = sum(0.1 * (kernel**2).sum() for weights in lstm for kernel in weights[:2])
    assert float(sum(network.losses)) == pytest.approx(expected, rel=1e-5)
    assert not build(hyperparameters(l2=0.0)).losses


@pytest.mark.parametrize(
    ("changes", "fast", "kind"),
    [
        ({}, True, FastLSTM),
        ({}, False, keras.layers.LSTM),
        ({"activation": "relu"}, True, keras.layers.LSTM),
        ({"recurrent_dropout": 0.1}, True, keras.layers.LSTM),
        ({"dropout": 0.3, "l2": 0.1}, True, FastLSTM),
    ],
)
def test_the_fast_layer_serves_only_where_it_is_exact(hyperparameters, changes, fast, kind):
    network = build(hyperparameters(**changes), fast)
    assert type(network.get_layer("lstm_1")) is kind


def test_both_directions_are_fast(hyperparameters):
    pair = build(hyperparameters(units=(4,), bidirectional=True), True).layers
    (both,) = (layer for layer in pair if layer.name == "bidirectional_1")
    assert type(both.forward_layer) is type(both.backward_layer) is FastLSTM


@pytest.mark.parametrize("bidirectional", [False, True])
def test_weights_of_the_fast_network_fit_the_plain_one(hyperparameters, window, bidirectional):
    wanted = hyperparameters(units=(6, 4), bidirectional=bidirectional)
    fast, plain = trained(build(wanted, True)), build(wanted, False)
    plain.set_weights(fast.get_weights())
    np.testing.assert_allclose(forecast_of(plain, window), forecast_of(fast, window), atol=1e-5)


# ------------------------------------------------------------------------------- deployable model

VARIANTS = {
    "dropout": {"dropout": 0.3, "units": (6, 4)},
    "recurrent": {"recurrent_dropout": 0.2, "dropout": 0.2, "l2": 0.1, "scaling": "min-max"},
    "bidirectional": {"bidirectional": True, "output": "level", "skip": "none"},
    "normalised": {"window_normalization": "standard", "scaling": "min-max"},
    "normalised_level": {"window_normalization": "standard", "output": "level", "dropout": 0.2},
    "unscaled": {"activation": "relu", "scaling": "none", "output": "level"},
}


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    """Rows in the data's units, (60, columns)."""
    scale, center = [10.0, 0.01, 500.0], [50.0, 0.0, -200.0]
    return np.random.default_rng(2).normal(size=(60, COLUMNS)) * scale + center


def raw_windows(raw: np.ndarray) -> np.ndarray:
    return np.stack([raw[start : start + 8] for start in range(50)])


@pytest.fixture(scope="module")
def deployed(hyperparameters, raw, tmp_path_factory):
    """Each variant's model saved to a file, and what scaling, network and inverse give by hand."""
    folder = tmp_path_factory.mktemp("deployed")
    models, expected = {}, {}
    for name, changes in VARIANTS.items():
        wanted = hyperparameters(**changes)
        network, scaling = trained(build(wanted, True)), fit_scaling(wanted.scaling, raw)
        model = build_deployable(
            [TrainedNetwork(wanted, network.get_weights())], scaling, TARGETS, HORIZON
        )
        model.save(folder / f"{name}.keras")
        models[name] = model
        scaled = np.stack([scaling.apply(window) for window in raw_windows(raw)])
        expected[name] = scaling.invert(forecast_of(network, scaled))
    np.save(folder / "windows.npy", raw_windows(raw))
    return folder, models, expected


def assert_close(forecast, expected):
    deviation = expected.std(axis=(0, 1))  # (targets,)
    np.testing.assert_allclose(forecast / deviation, expected / deviation, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_deployable_model_is_scaling_network_and_inverse(deployed, raw, name):
    _, models, expected = deployed
    assert_close(forecast_of(models[name], raw_windows(raw)), expected[name])


@pytest.mark.parametrize("name", VARIANTS)
def test_the_deployable_model_holds_keras_own_layers_only(deployed, name):
    _, models, _ = deployed
    kinds = {type(layer) for layer in models[name]._flatten_layers()}
    assert {kind.__module__.split(".")[0] for kind in kinds} == {"keras"}
    assert keras.layers.LSTM in kinds


def test_the_deployable_model_loads_safely_where_this_package_is_not(deployed):
    folder, models, expected = deployed
    script = """
import keras, numpy
windows = numpy.load("windows.npy")
for name in sys.argv[1:]:
    model = keras.saving.load_model(f"{name}.keras", safe_mode=True)
    numpy.save(f"{name}_forecast.npy", model.predict(windows, batch_size=7, verbose=0))
"""
    run_elsewhere(folder, script, *VARIANTS)
    for name in VARIANTS:
        assert_close(np.load(folder / f"{name}_forecast.npy"), expected[name])
        assert models[name].input.name == "window"


def test_dropout_does_not_act_in_the_deployable_model(deployed, raw):
    _, models, expected = deployed
    windows = raw_windows(raw)
    for name in ("dropout", "recurrent"):
        assert_close(models[name](windows, training=True).numpy(), expected[name])


def test_weights_of_another_network_are_refused(hyperparameters, raw):
    weights = build(hyperparameters(units=(4,))).get_weights()
    wider = replace(hyperparameters(), units=(5,))
    with pytest.raises(ValueError, match="shape"):
        build_deployable(
            [TrainedNetwork(wider, weights)], fit_scaling("none", raw), TARGETS, HORIZON
        )
