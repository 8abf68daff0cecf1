"""A network that trains inside one graph: windows are gathered by index, and an epoch is one call."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.checkpoint import TrainerState
from objectives.hyperparameters import Hyperparameters
from objectives.messages import DivergedError
from objectives.settings import MEDIAN, Quantiles, TrainingSettings

_EVALUATION_CELLS = 32_000_000  # 128 MB of float32 for one layer's states, however many windows
_STATES = 8  # what a fused layer keeps of each unit and step, with its own inputs
_ALIGNMENT = 64  # bytes; TensorFlow's kernels rely on it


class WindowTrainer:
    """A network together with the rows its windows are gathered from.

    `compile_seconds` is by how much the first update took longer than the next ones, None before it.

    Args:
        network: maps (batch, timesteps, columns) to (batch, horizon, targets), both scaled; with
            quantiles to (batch, horizon, targets, quantiles).
        rows: (rows, columns) float32, scaled, targets first; used where they are if they are aligned,
            as rows mapped from a file are, so that several processes share them.
        hyperparameters: `batch_size`, `learning_rate` and `optimizer` are read.
        settings: loss, quantiles, clipping and averaging.
        seed: of the order of windows.
    """

    def __init__(
        self,
        network: keras.Model,
        rows: NDArray[np.float32],
        hyperparameters: Hyperparameters,
        settings: TrainingSettings,
        seed: int,
    ) -> None:
        self.network = network
        self._rows = _as_tensor(rows)
        self._timesteps = hyperparameters.timesteps
        self._horizon, self._targets = network.output_shape[1:3]
        self._quantiles = settings.forecast_quantiles
        self._batch_size = hyperparameters.batch_size
        self.first_learning_rate = hyperparameters.learning_rate
        self._loss = _pinball(self._quantiles) if self._quantiles else _LOSSES[settings.loss]
        self._optimizer = _optimizer(hyperparameters, settings)
        self._optimizer.build(network.trainable_variables)
        self._generator = np.random.default_rng(seed)
        self._decay = settings.weight_average
        self._averages = [tf.Variable(v.value) for v in network.trainable_variables]
        self.compile_seconds: float | None = None
        cells = self._timesteps * (rows.shape[1] + _STATES * max(hyperparameters.units))
        self._chunk = max(1, _EVALUATION_CELLS // cells)
        indices, number = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int32)
        total = tf.TensorSpec([], tf.float64)
        unit = tf.TensorSpec([self._targets], tf.float32)
        # Autograph would add half a second to every trial for what two explicit loops say as well.
        self._run = tf.function(
            self._run_updates, [indices, number, number, number, total], autograph=False
        )
        self._measure = tf.function(self._sum_errors, [indices, unit], autograph=False)

    def trace(self) -> None:
        """Build the graphs now, so that what comes later is the time of the steps alone.

        What XLA compiles is compiled at the first update.
        """
        none = tf.constant(0)
        nothing = tf.constant(0.0, tf.float64)
        self._run(tf.zeros([self._batch_size], tf.int64), none, none, none, nothing)
        self._measure(tf.zeros([0], tf.int64), tf.ones([self._targets]))

    def updates_an_epoch(self, windows: int) -> int:
        """How many updates pass `windows` once; the last may see a smaller batch."""
        return math.ceil(windows / self._batch_size)

    def shuffled(self, origins: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next random order of the windows."""
        return self._generator.permutation(origins)

    @property
    def _variables(self) -> list[Any]:
        # The network's `weights` would leave out the random states of its dropout layers.
        return [*self.network.variables, *self._optimizer.variables, *self._averages]

    def state(self) -> TrainerState:
        """What training has made of this trainer so far."""
        variables = tuple(variable.numpy() for variable in self._variables)
        return TrainerState(variables, self._generator.bit_generator.state)

    def restore(self, state: TrainerState) -> None:
        """Go on as the trainer would that `state` was taken from, one made of the same arguments."""
        for variable, value in zip(self._variables, state.variables, strict=True):
            variable.assign(value)
        self._generator.bit_generator.state = state.generator

    def update(self, order: NDArray[np.int64], first: int, end: int, learning_rate: float) -> float:
        """Make updates `first` ... `end` - 1 of one pass through `order`.

        Returns:
            The mean training loss of these updates, without penalties.

        Raises:
            DivergedError: the loss is not finite.
        """
        self._optimizer.learning_rate.assign(learning_rate)
        # Every batch has the same size, so that a graph can be compiled for it; what fills the last one
        # up has no weight.
        padded = np.pad(order, (0, -len(order) % self._batch_size), mode="edge")
        if self.compile_seconds is None and end - first > 1:
            total, once = self._timed_run(padded, len(order), (first, first + 1), 0.0)
            total, others = self._timed_run(padded, len(order), (first + 1, end), total)
            self.compile_seconds = max(0.0, once - others / (end - first - 1))
        else:
            total, _ = self._timed_run(padded, len(order), (first, end), 0.0)
        seen = min(end * self._batch_size, len(order)) - first * self._batch_size
        loss = total / seen
        if not math.isfinite(loss):
            raise DivergedError(
                f"the training loss became {loss} at learning rate {learning_rate:g}"
            )
        return loss

    def _timed_run(
        self, order: NDArray[np.int64], windows: int, updates: tuple[int, int], total: float
    ) -> tuple[float, float]:
        """`total` with the windows' losses in some updates added, and the seconds these took.

        Which update is timed alone must not change the sum, and that depends on the order of adding.
        """
        started = time.perf_counter()
        numbers = [tf.constant(number) for number in (windows, *updates)]
        so_far = tf.constant(total, tf.float64)
        total = float(self._run(tf.constant(order), *numbers, so_far))
        return total, time.perf_counter() - started

    def validate(self, origins: NDArray[np.int64], unit: NDArray[np.float64]) -> dict[str, float]:
        """Validation metrics at `origins`; `unit` (targets,) turns a scaled error into the wanted unit.

        Raises:
            DivergedError: a figure is not finite.
        """
        sums = self._measure(tf.constant(origins), tf.constant(unit.astype(np.float32)))
        squared, absolute = (float(value) for value in sums)
        cells = len(origins) * self._horizon * self._targets
        mse = squared / cells
        if not math.isfinite(mse):
            raise DivergedError(f"the validation error became {mse}")
        return {"mse": mse, "mae": absolute / cells, "rmse": math.sqrt(mse)}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the network the running mean of its weights for the length of a block."""
        if self._decay is None:
            yield
            return
        latest = self.network.get_weights()
        self.adopt_average()
        try:
            yield
        finally:
            self.network.set_weights(latest)

    def adopt_average(self) -> None:
        """Give the network the running mean of its weights for good."""
        if self._decay is not None:
            for variable, average in zip(
                self.network.trainable_variables, self._averages, strict=True
            ):
                variable.assign(average)

    def forecast(self, origins: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the network gives, scaled: (windows, horizon, targets), with quantiles one axis more."""
        parts = [
            self.network(
                self._inputs(tf.constant(origins[start : start + self._chunk])), training=False
            )
            for start in range(0, len(origins), self._chunk)
        ]
        return np.concatenate([part.numpy() for part in parts])

    def _inputs(self, origins: Any) -> Any:
        offsets = tf.range(-self._timesteps, 0, dtype=tf.int64)
        return tf.gather(self._rows, origins[:, None] + offsets)  # (batch, timesteps, columns)

    def _aims(self, origins: Any) -> Any:
        offsets = tf.range(self._horizon, dtype=tf.int64)
        rows = tf.gather(self._rows, origins[:, None] + offsets)
        return rows[:, :, : self._targets]  # (batch, horizon, targets)

    def _run_updates(self, order: Any, windows: Any, first: Any, end: Any, total: Any) -> Any:
        """Add the windows' losses to `total`; `order` is padded to whole batches, `windows` count."""
        size = self._batch_size

        def step(number: Any, total: Any) -> tuple[Any, Any]:
            origins = tf.slice(order, [number * size], [size])  # (batch,)
            present = tf.minimum(size, windows - number * size)
            loss = self._update_once(origins, present)
            return number + 1, total + tf.cast(present, tf.float64) * tf.cast(loss, tf.float64)

        return tf.while_loop(lambda number, _: number < end, step, (first, total))[1]

    def _update_once(self, origins: Any, present: Any) -> Any:
        """One update on the first `present` windows of a batch; their mean loss without penalties."""
        variables = self.network.trainable_variables
        inputs, aims = self._inputs(origins), self._aims(origins)
        if self._quantiles:
            aims = aims[..., None]
        counted = tf.sequence_mask(present, self._batch_size, tf.float32)  # (batch,)
        weights = counted / tf.cast(present, tf.float32)
        with tf.GradientTape() as tape:
            # (batch, horizon, targets) or with quantiles (batch, horizon, targets, quantiles)
            losses = self._loss(self.network(inputs, training=True) - aims)
            cells = tuple(range(1, len(losses.shape)))
            loss = tf.reduce_sum(weights * tf.reduce_mean(losses, axis=cells))
            penalties = self.network.losses
            objective = tf.add_n([loss, *penalties]) if penalties else loss
        gradients = tape.gradient(objective, [variable.value for variable in variables])
        self._optimizer.apply(gradients, variables)
        self._update_averages(variables)
        return loss

    def _update_averages(self, variables: Any) -> None:
        if self._decay is None:
            return
        # The first updates weigh less than the decay says: the mean must not cling to the start.
        made = tf.cast(self._optimizer.iterations, tf.float32)
        decay = tf.minimum(self._decay, (1.0 + made) / (10.0 + made))
        for average, variable in zip(self._averages, variables, strict=True):
            average.assign_add((1.0 - decay) * (variable.value - average))

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


def _as_tensor(rows: NDArray[np.float32]) -> Any:
    """The rows as a tensor, without a copy where TensorFlow can use them in place."""
    if rows.ctypes.data % _ALIGNMENT or not rows.flags.writeable or not rows.flags.c_contiguous:
        return tf.constant(rows)
    return tf.experimental.dlpack.from_dlpack(rows.__dlpack__())


def _huber(error: Any) -> Any:
    size = tf.abs(error)
    return tf.where(size <= 1.0, 0.5 * size**2, size - 0.5)


def _pinball(quantiles: Quantiles) -> Callable[[Any], Any]:
    """The loss of errors (batch, horizon, targets, quantiles), forecast less truth."""
    levels = tf.constant(quantiles, tf.float32)
    return lambda error: tf.maximum((1.0 - levels) * error, -levels * error)


_LOSSES: dict[str, Callable[[Any], Any]] = {"mse": tf.square, "mae": tf.abs, "huber": _huber}


def _optimizer(
    hyperparameters: Hyperparameters, settings: TrainingSettings
) -> keras.optimizers.Optimizer:
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    extra = {"momentum": 0.9} if hyperparameters.optimizer == "sgd" else {}
    return kinds[hyperparameters.optimizer](
        learning_rate=hyperparameters.learning_rate, global_clipnorm=settings.clip_norm, **extra
    )
