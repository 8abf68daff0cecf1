"""The network of one trial: LSTM layers, a head, and the paths that bypass them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from objectives.classification.messages import SequenceHyperparameters
from objectives.lstm.fast_dropout import FastDropout
from objectives.lstm.fast_lstm import FastLSTM
from objectives.scaling import Scaling
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.settings import MEDIAN, Quantiles
from objectives.trials.learner import TrainedNetwork

_LEAST_VARIANCE = (
    1e-5  # in scaled units, as in RevIN: a constant window must not be divided by zero
)


def build_network(
    hyperparameters: Hyperparameters,
    columns: int,
    targets: int,
    horizon: int,
    quantiles: Quantiles = (),
    *,
    fast: bool,
) -> keras.Model:
    """Build the network that maps a scaled window to a scaled forecast.

    The input is (batch, timesteps, columns) with the targets in the first columns, the output (batch,
    horizon, targets), or with `quantiles` (batch, horizon, targets, quantiles). With output "change" the
    network sees the window less its last row and forecasts the change from there, so a shift of level
    between training and use cannot mislead it (NLinear, Zeng et al. 2023); the head's kernel starts at
    zero, so training starts from the last observed value. With window normalization "standard" what it
    sees is divided by the window's own deviations and its forecast multiplied by them; with output
    "level" the window's means are what is taken off and added (as in RevIN, Kim et al. 2022). The linear
    skip path, one kernel for each target, starts at zero too (after the highway of LSTNet, Lai et al.
    2018). `fast` allows the CPU's ways to compute an LSTM where they are exact; weights fit either.
    """
    window = keras.Input((hyperparameters.timesteps, columns), name="window")
    change = hyperparameters.output == "change"
    normal = hyperparameters.window_normalization == "standard"
    base = _base(window, change=change, normal=normal)
    seen = window if base is None else window - base
    if normal:
        deviation = _deviation(window)
        seen = seen / deviation
    hidden = seen
    for layer, units in enumerate(hyperparameters.units, start=1):
        last = layer == hyperparameters.depth
        hidden = recurrent_layer(hyperparameters, units, layer, last, fast)(hidden)
        hidden = dropout_layer(hyperparameters.dropout, layer)(hidden)
    head = keras.layers.Dense(
        horizon * targets,
        kernel_initializer="zeros" if change else "glorot_uniform",
        name="head",
    )
    forecast = keras.layers.Reshape((horizon, targets), name="steps")(head(hidden))
    if hyperparameters.skip == "linear":
        skip = keras.layers.EinsumDense(
            "btk,tkh->bhk",
            output_shape=(horizon, targets),
            kernel_initializer="zeros",
            name="skip",
        )
        # Of one target and a batch of 1 Keras makes an addition a BiasAdd, which LiteRT cannot convert.
        forecast = forecast - (-skip(seen[:, :, :targets]))
    if quantiles:
        forecast = _spread(forecast, hidden, quantiles)
    if normal:
        forecast = forecast * _like(forecast, deviation[:, :, :targets])
    if base is not None:
        forecast = forecast + _like(forecast, base[:, :, :targets])
    return keras.Model(window, forecast, name="network")


def _last_rows(window: Any, timesteps: int) -> Any:
    """The last rows of a window (batch, rows, columns), which may be all of them."""
    return window if window.shape[1] == timesteps else window[:, -timesteps:, :]


def _like(forecast: Any, factor: Any) -> Any:
    """A factor or summand (batch, 1, targets) with the axes of the forecast."""
    return factor if len(forecast.shape) == 3 else keras.ops.expand_dims(factor, -1)


def _spread(median: Any, hidden: Any, quantiles: Quantiles) -> Any:
    """Quantiles (batch, horizon, targets, quantiles) around a median (batch, horizon, targets).

    Each lies above the one before by a softplus, so that they cannot cross. Sorting free outputs would
    do that as well, but would part the median from the paths that it has without quantiles.
    """
    _, horizon, targets = median.shape
    gaps = len(quantiles) - 1
    found = keras.layers.Dense(horizon * targets * gaps, activation="softplus", name="gaps")(hidden)
    found = keras.layers.Reshape((horizon, targets, gaps), name="gap_steps")(found)
    middle = quantiles.index(MEDIAN)
    ordered = [keras.ops.expand_dims(median, -1)]
    for gap in reversed(range(middle)):
        ordered.insert(0, ordered[0] - found[..., gap : gap + 1])
    for gap in range(middle, gaps):
        ordered.append(ordered[-1] + found[..., gap : gap + 1])
    return keras.layers.Concatenate(name="quantiles")(ordered)


def _base(window: Any, *, change: bool, normal: bool) -> Any:
    """What is taken off a window and added to its forecast: (batch, 1, columns), None for nothing."""
    if change:
        return window[:, -1:, :]
    return keras.ops.mean(window, axis=1, keepdims=True) if normal else None


def _deviation(window: Any) -> Any:
    """Each column's deviation over the window, (batch, 1, columns); never zero."""
    variance = keras.ops.var(window, axis=1, keepdims=True)
    return keras.ops.sqrt(variance + _LEAST_VARIANCE)


def recurrent_layer(
    hyperparameters: Hyperparameters | SequenceHyperparameters,
    units: int,
    layer: int,
    last: bool,
    fast: bool,
) -> keras.layers.Layer:
    """One LSTM layer, two in opposite directions where asked; the last one keeps its last step."""
    kind = FastLSTM if fast and has_machine_code(hyperparameters) else keras.layers.LSTM
    penalty = keras.regularizers.L2(hyperparameters.l2) if hyperparameters.l2 else None
    recurrent = kind(
        units,
        activation=hyperparameters.activation,
        recurrent_dropout=hyperparameters.recurrent_dropout,
        kernel_regularizer=penalty,
        recurrent_regularizer=penalty,
        return_sequences=not last,
        name=f"lstm_{layer}",
    )
    if hyperparameters.bidirectional:
        return keras.layers.Bidirectional(recurrent, name=f"bidirectional_{layer}")
    return recurrent


def has_machine_code(hyperparameters: Hyperparameters | SequenceHyperparameters) -> bool:
    """Whether a CPU trains these LSTM layers on code of their own."""
    return hyperparameters.activation == "tanh" and hyperparameters.recurrent_dropout == 0


def dropout_layer(rate: float, layer: int) -> keras.layers.Dropout:
    """What follows an LSTM layer: Keras's own where nothing is dropped, as in models that are saved."""
    kind = FastDropout if rate else keras.layers.Dropout
    return kind(rate, name=f"dropout_{layer}")


def build_deployable(
    members: Sequence[TrainedNetwork],
    scaling: Scaling,
    targets: int,
    horizon: int,
    quantiles: Quantiles = (),
) -> keras.Model:
    """Build a model of plain Keras layers from raw windows to raw forecasts, scaling inside.

    `members` are networks of `build_network`, one or several, whose mean is the forecast. The input
    `window` is (batch, timesteps, columns), as long as the longest of theirs, of which each sees the
    last rows that are its own; the output is (batch, horizon, targets), both in the data's units. With
    `quantiles` there are two outputs, "quantiles" (batch, horizon, targets, quantiles) and the median as
    "forecast". Rescaling layers rather than Normalization ones carry the scaling: the constants of the
    latter break an ONNX export.
    """
    columns = len(scaling.center)
    networks = []
    for number, member in enumerate(members, start=1):
        # Dropout is off when a model predicts; without it no random state is saved.
        still = replace(member.hyperparameters, dropout=0.0, recurrent_dropout=0.0)
        network = build_network(still, columns, targets, horizon, quantiles, fast=False)
        network.set_weights(member.weights)
        network.name = f"network_{number}" if len(members) > 1 else "network"
        networks.append(network)
    longest = max(member.hyperparameters.timesteps for member in members)
    window = keras.Input((longest, columns), name="window")
    centred = keras.layers.Rescaling(1.0, offset=(-scaling.center).tolist(), name="centre")(window)
    scaled = keras.layers.Rescaling((1.0 / scaling.scale).tolist(), name="scale")(centred)
    found = [network(_last_rows(scaled, network.input_shape[1])) for network in networks]
    mean = found[0] if len(found) == 1 else keras.ops.mean(keras.ops.stack(found), axis=0)
    scale, center = scaling.scale[:targets], scaling.center[:targets]
    if not quantiles:
        restore = keras.layers.Rescaling(scale.tolist(), offset=center.tolist(), name="forecast")
        return keras.Model(window, restore(mean), name="forecaster")
    restore = keras.layers.Rescaling(
        scale[:, None].tolist(), offset=center[:, None].tolist(), name="restored"
    )
    restored = restore(mean)
    outputs = {"forecast": restored[..., quantiles.index(MEDIAN)], "quantiles": restored}
    return keras.Model(window, outputs, name="forecaster")
