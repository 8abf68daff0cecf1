"""Training inside one graph: windows are gathered by index, and an epoch is one call."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.hyperparameters import Hyperparameters
from objectives.messages import DivergedError, Epoch, LearningRatePath
from objectives.settings import TrainingSettings

_EVALUATION_CELLS = 2_000_000  # 8 MB of float32 windows at once, however many there are


@dataclass(frozen=True)
class Training:
    """A finished training: every epoch, the best one and its weights in the order of the network's.

    `waited` counts the seconds spent in `go_on`, `stopped` says what ended the training.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    weights: tuple[NDArray[np.float32], ...]
    stopped: str
    waited: float


class WindowTrainer:
    """A network together with the rows its windows are gathered from.

    Args:
        network: maps (batch, timesteps, columns) to (batch, horizon, targets), both scaled.
        rows: (rows, columns) float32, scaled, targets first; held once, whatever `timesteps`.
        hyperparameters: `batch_size`, `learning_rate` and `optimizer` are read.
        settings: loss, clipping and averaging.
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
        self._rows = tf.constant(rows)
        self._timesteps = hyperparameters.timesteps
        _, self._horizon, self._targets = network.output_shape
        self._batch_size = hyperparameters.batch_size
        self.first_learning_rate = hyperparameters.learning_rate
        self._loss = _LOSSES[settings.loss]
        self._optimizer = _optimizer(hyperparameters, settings)
        self._optimizer.build(network.trainable_variables)
        self._generator = np.random.default_rng(seed)
        self._decay = settings.weight_average
        self._averages = [tf.Variable(v.value) for v in network.trainable_variables]
        indices, number = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int32)
        unit = tf.TensorSpec([self._targets], tf.float32)
        self._run = tf.function(self._run_updates, [indices, number, number])
        self._measure = tf.function(self._sum_errors, [indices, number, unit])

    def trace(self) -> None:
        """Build the graphs now, so that what comes later is the time of the steps alone."""
        self._run.get_concrete_function()
        self._measure.get_concrete_function()

    def updates_an_epoch(self, windows: int) -> int:
        """How many updates pass `windows` once; the last may see a smaller batch."""
        return math.ceil(windows / self._batch_size)

    def shuffled(self, origins: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next random order of the windows."""
        return self._generator.permutation(origins)

    def update(self, order: NDArray[np.int64], first: int, end: int, learning_rate: float) -> float:
        """Make updates `first` ... `end` - 1 of one pass through `order`.

        Returns:
            The mean training loss of these updates, without penalties.

        Raises:
            DivergedError: the loss is not finite.
        """
        self._optimizer.learning_rate.assign(learning_rate)
        total, seen = self._run(tf.constant(order), tf.constant(first), tf.constant(end))
        loss = float(total) / float(seen)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the training loss became {loss} at learning rate {learning_rate:g}"
            )
        return loss

    def validate(self, origins: NDArray[np.int64], unit: NDArray[np.float64]) -> dict[str, float]:
        """Validation metrics at `origins`; `unit` (targets,) turns a scaled error into the wanted unit.

        Raises:
            DivergedError: a figure is not finite.
        """
        chunk = max(1, _EVALUATION_CELLS // (self._timesteps * int(self._rows.shape[1])))
        sums = self._measure(
            tf.constant(origins), tf.constant(chunk), tf.constant(unit.astype(np.float32))
        )
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
        """Scaled forecasts (windows, horizon, targets)."""
        chunk = max(1, _EVALUATION_CELLS // (self._timesteps * int(self._rows.shape[1])))
        parts = [
            self.network(self._inputs(tf.constant(origins[start : start + chunk])), training=False)
            for start in range(0, len(origins), chunk)
        ]
        return np.concatenate([part.numpy() for part in parts])

    def _inputs(self, origins: Any) -> Any:
        offsets = tf.range(-self._timesteps, 0, dtype=tf.int64)
        return tf.gather(self._rows, origins[:, None] + offsets)  # (batch, timesteps, columns)

    def _aims(self, origins: Any) -> Any:
        offsets = tf.range(self._horizon, dtype=tf.int64)
        rows = tf.gather(self._rows, origins[:, None] + offsets)
        return rows[:, :, : self._targets]  # (batch, horizon, targets)

    def _run_updates(self, order: Any, first: Any, end: Any) -> tuple[Any, Any]:
        total, seen = tf.constant(0.0, tf.float64), tf.constant(0.0, tf.float64)
        variables = self.network.trainable_variables
        for step in tf.range(first, end):
            origins = order[step * self._batch_size : (step + 1) * self._batch_size]
            inputs, aims = self._inputs(origins), self._aims(origins)
            with tf.GradientTape() as tape:
                loss = self._loss(aims, self.network(inputs, training=True))
                penalties = self.network.losses
                objective = tf.add_n([loss, *penalties]) if penalties else loss
            gradients = tape.gradient(objective, [variable.value for variable in variables])
            self._optimizer.apply(gradients, variables)
            self._update_averages(variables)
            weight = tf.cast(tf.shape(origins)[0], tf.float64)
            total += weight * tf.cast(loss, tf.float64)
            seen += weight
        return total, seen

    def _update_averages(self, variables: Any) -> None:
        if self._decay is None:
            return
        # The first updates weigh less than the decay says: the mean must not cling to the start.
        made = tf.cast(self._optimizer.iterations, tf.float32)
        decay = tf.minimum(self._decay, (1.0 + made) / (10.0 + made))
        for average, variable in zip(self._averages, variables, strict=True):
            average.assign_add((1.0 - decay) * (variable.value - average))

    def _sum_errors(self, origins: Any, chunk: Any, unit: Any) -> tuple[Any, Any]:
        squared, absolute = tf.constant(0.0, tf.float64), tf.constant(0.0, tf.float64)
        for start in tf.range(0, tf.shape(origins)[0], chunk):
            part = origins[start : start + chunk]
            error = (self.network(self._inputs(part), training=False) - self._aims(part)) * unit
            squared += tf.cast(tf.reduce_sum(error**2), tf.float64)
            absolute += tf.cast(tf.reduce_sum(tf.abs(error)), tf.float64)
        return squared, absolute


def train(
    trainer: WindowTrainer,
    origins: tuple[NDArray[np.int64], NDArray[np.int64]],
    unit: NDArray[np.float64],
    settings: TrainingSettings,
    go_on: Callable[[Epoch], bool],
) -> Training:
    """Train until `settings.epochs`, early stopping, or until `go_on` says no.

    Args:
        trainer: the network and its rows; its learning rate starts at the hyperparameter's.
        origins: of the training and of the validation windows.
        unit: (targets,), see `WindowTrainer.validate`.
        settings: epochs, patience, metric and schedule. Stopping, schedule and best epoch all read the
            same validation metric, which holds no penalties.
        go_on: called after each epoch; False ends the training there.

    Raises:
        DivergedError: the loss or the metric is not finite.
    """
    train_origins, validation_origins = origins
    updates = trainer.updates_an_epoch(len(train_origins))
    epochs: list[Epoch] = []
    best, best_epoch, weights = math.inf, 0, ()
    rate = Schedule(settings, trainer.first_learning_rate)
    stopped, waited = "epochs", 0.0
    for number in range(1, settings.epochs + 1):
        used = rate.current
        loss = trainer.update(trainer.shuffled(train_origins), 0, updates, used)
        with trainer.averaged():
            metrics = trainer.validate(validation_origins, unit)
            value = metrics[settings.metric]
            if value < best:
                best, best_epoch = value, number
                weights = tuple(trainer.network.get_weights())
        epochs.append(Epoch(number, loss, metrics, used, updates))
        rate.advance(value)
        asked = time.perf_counter()
        wanted = go_on(epochs[-1])
        waited += time.perf_counter() - asked
        if not wanted:
            stopped = "asked"
            break
        if number - best_epoch >= settings.patience:
            stopped = "patience"
            break
    return Training(tuple(epochs), best_epoch, weights, stopped, waited)


def replay(trainer: WindowTrainer, origins: NDArray[np.int64], path: LearningRatePath) -> float:
    """Make the recorded number of updates at the recorded learning rates on other windows.

    The network ends with the running mean of its weights, as it was judged.

    Args:
        trainer: a fresh network.
        origins: the windows to train on, usually more than those the path was recorded on.
        path: (learning rate, updates) in order.

    Returns:
        How many times the windows were passed, a fraction for the last pass.
    """
    pass_length = trainer.updates_an_epoch(len(origins))
    order, position, passes = trainer.shuffled(origins), 0, 0
    for learning_rate, updates in path:
        left = updates
        while left:
            if position == pass_length:
                order, position, passes = trainer.shuffled(origins), 0, passes + 1
            end = min(pass_length, position + left)
            trainer.update(order, position, end, learning_rate)
            left -= end - position
            position = end
    trainer.adopt_average()
    return passes + position / pass_length


class Schedule:
    """The learning rate from epoch to epoch, as `TrainingSettings.schedule` says."""

    def __init__(self, settings: TrainingSettings, first: float) -> None:
        self.current = first
        self._settings = settings
        self._first = first
        self._epoch = 0
        self._best = math.inf
        self._since_best = 0

    def advance(self, value: float) -> None:
        """Set the rate of the next epoch after one that reached `value` on validation."""
        settings = self._settings
        self._epoch += 1
        share = self._epoch / settings.epochs
        least = settings.schedule_factor
        if settings.schedule == "cosine":
            self.current = self._first * (least + (1 - least) * (1 + math.cos(math.pi * share)) / 2)
        elif settings.schedule == "exponential":
            self.current = self._first * least**share
        elif settings.schedule == "plateau":
            self._since_best = 0 if value < self._best else self._since_best + 1
            self._best = min(self._best, value)
            if self._since_best >= settings.schedule_patience:
                self.current *= least
                self._since_best = 0


def _huber(aims: Any, forecast: Any) -> Any:
    error = tf.abs(forecast - aims)
    return tf.reduce_mean(tf.where(error <= 1.0, 0.5 * error**2, error - 0.5))


_LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda aims, forecast: tf.reduce_mean((forecast - aims) ** 2),
    "mae": lambda aims, forecast: tf.reduce_mean(tf.abs(forecast - aims)),
    "huber": _huber,
}


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
