"""A network that learns to forecast from windows of one array of rows."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.search_space.hyperparameters import Hyperparameters
from objectives.settings import MEDIAN, Quantiles, TrainingSettings
from objectives.trials.graph_trainer import GraphTrainer, as_tensor
from objectives.trials.messages import DivergedError


class WindowTrainer(GraphTrainer):
    """A network together with the rows its windows are gathered from; an example is a window's origin.

    `unit` (targets,) turns a scaled error into the one that is judged; ones unless it is set. The last
    `calendar` columns tell the time, whose changes are left as they are; none unless it is set.

    Args:
        network: maps (batch, timesteps, columns) to (batch, horizon, targets), both scaled; with
            quantiles to (batch, horizon, targets, quantiles).
        rows: (rows, columns) float32, scaled, targets first; used where they are if they are aligned,
            as rows mapped from a file are, so that several processes share them.
        hyperparameters: `batch_size`, `learning_rate` and `optimizer` are read.
        settings: loss, quantiles, magnitude noise, clipping and averaging.
        seed: of the order of windows, and of the noise.
    """

    def __init__(
        self,
        network: keras.Model,
        rows: NDArray[np.float32],
        hyperparameters: Hyperparameters,
        settings: TrainingSettings,
        seed: int,
    ) -> None:
        super().__init__(network, rows.shape[1], hyperparameters, settings, seed)
        self._rows = as_tensor(rows)
        self._timesteps = hyperparameters.timesteps
        self._horizon, self._targets = network.output_shape[1:3]
        self.unit = np.ones(self._targets)
        self.calendar = 0
        self._magnitude_noise = settings.magnitude_noise
        self._quantiles = settings.forecast_quantiles
        self._loss = _pinball(self._quantiles) if self._quantiles else _LOSSES[settings.loss]
        indices = tf.TensorSpec([None], tf.int64)
        unit = tf.TensorSpec([self._targets], tf.float32)
        self._measure = tf.function(self._sum_errors, [indices, unit], autograph=False)

    def trace(self) -> None:
        """Build the graphs now; see `GraphTrainer`."""
        super().trace()
        self._measure(tf.zeros([0], tf.int64), tf.ones([self._targets]))

    def validate(self, examples: NDArray[np.int64]) -> dict[str, float]:
        """Mean squared and absolute error, and the root of the first, at windows' origins in `unit`.

        Raises:
            DivergedError: a figure is not finite.
        """
        sums = self._measure(tf.constant(examples), tf.constant(self.unit.astype(np.float32)))
        squared, absolute = (float(value) for value in sums)
        cells = len(examples) * self._horizon * self._targets
        mse = squared / cells
        if not math.isfinite(mse):
            raise DivergedError(f"the validation error became {mse}")
        return {"mse": mse, "mae": absolute / cells, "rmse": math.sqrt(mse)}

    def _inputs(self, origins: Any) -> Any:
        offsets = tf.range(-self._timesteps, 0, dtype=tf.int64)
        return tf.gather(self._rows, origins[:, None] + offsets)  # (batch, timesteps, columns)

    def _aims(self, origins: Any) -> Any:
        offsets = tf.range(self._horizon, dtype=tf.int64)
        rows = tf.gather(self._rows, origins[:, None] + offsets)
        return rows[:, :, : self._targets]  # (batch, horizon, targets)

    def _losses(self, examples: Any) -> Any:
        inputs, aims = self._inputs(examples), self._aims(examples)
        if self._magnitude_noise:
            inputs, aims = self._magnified(inputs, aims)
        if self._quantiles:
            aims = aims[..., None]
        # (batch, horizon, targets) or with quantiles (batch, horizon, targets, quantiles)
        losses = self._loss(self.network(inputs, training=True) - aims)
        return tf.reduce_mean(losses, axis=tuple(range(1, len(losses.shape))))

    def _magnified(self, inputs: Any, aims: Any) -> tuple[Any, Any]:
        """Multiply each window's distance from its last row by a random factor of its own."""
        drawn = tf.random.stateless_normal([tf.shape(inputs)[0], 1, 1], seed=self._next_seed())
        factor = tf.exp(self._magnitude_noise * drawn)  # (batch, 1, 1)
        last = inputs[:, -1:, :]
        series = tf.range(inputs.shape[2]) < inputs.shape[2] - self.calendar
        magnified = last + (inputs - last) * tf.where(series, factor, 1.0)
        base = last[:, :, : self._targets]
        return magnified, base + (aims - base) * factor

    def _sum_errors(self, origins: Any, unit: Any) -> tuple[Any, Any]:
        def step(start: Any, squared: Any, absolute: Any) -> tuple[Any, Any, Any]:
            part = origins[start : start + self._chunk]
            found = self.network(self._inputs(part), training=False)
            median = found[..., self._quantiles.index(MEDIAN)] if self._quantiles else found
            error = (median - self._aims(part)) * unit
            return (
                start + self._chunk,
                squared + tf.cast(tf.reduce_sum(error**2), tf.float64),
                absolute + tf.cast(tf.reduce_sum(tf.abs(error)), tf.float64),
            )

        zero, windows = tf.constant(0.0, tf.float64), tf.shape(origins)[0]
        _, squared, absolute = tf.while_loop(
            lambda start, *_: start < windows, step, (tf.constant(0), zero, zero)
        )
        return squared, absolute


def _huber(error: Any) -> Any:
    size = tf.abs(error)
    return tf.where(size <= 1.0, 0.5 * size**2, size - 0.5)


def _pinball(quantiles: Quantiles) -> Callable[[Any], Any]:
    """The loss of errors (batch, horizon, targets, quantiles), forecast less truth."""
    levels = tf.constant(quantiles, tf.float32)
    return lambda error: tf.maximum((1.0 - levels) * error, -levels * error)


_LOSSES: dict[str, Callable[[Any], Any]] = {"mse": tf.square, "mae": tf.abs, "huber": _huber}
