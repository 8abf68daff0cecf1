"""A network that trains inside one graph: examples are gathered by index, and an epoch is one call."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.settings import CommonTraining
from objectives.trials.checkpoint import TrainerState
from objectives.trials.messages import DivergedError

_EVALUATION_CELLS = 32_000_000  # 128 MB of float32 for one layer's states, however many examples
_STATES = 8  # what a fused layer keeps of each unit and step, with its own inputs
_ALIGNMENT = 64  # bytes; TensorFlow's kernels rely on it


class Pace(Protocol):
    """What decides how fast a network of which size learns: a part of the hyperparameters."""

    @property
    def timesteps(self) -> int:
        """Rows of an example."""

    @property
    def units(self) -> tuple[int, ...]:
        """Width of each layer."""

    @property
    def batch_size(self) -> int:
        """Examples of an update."""

    @property
    def learning_rate(self) -> float:
        """The first one."""

    @property
    def optimizer(self) -> str:
        """Its name."""


class GraphTrainer(ABC):
    """A network that learns from numbered examples: what is the same whatever it learns.

    `compile_seconds` is by how much the first update took longer than the next ones, None before it.

    Args:
        network: what is trained.
        features: of a row, to tell how many examples fit into memory at once.
        hyperparameters: sizes, `batch_size`, `learning_rate` and `optimizer` are read.
        settings: clipping, averaging and the length of an epoch.
        seed: of the order of examples, and of what varies them.
    """

    def __init__(
        self,
        network: keras.Model,
        features: int,
        hyperparameters: Pace,
        settings: CommonTraining,
        seed: int,
    ) -> None:
        self.network = network
        self._batch_size = hyperparameters.batch_size
        self.first_learning_rate = hyperparameters.learning_rate
        self._optimizer = _optimizer(hyperparameters, settings)
        self._optimizer.build(network.trainable_variables)
        self._first_state = [variable.numpy() for variable in self._optimizer.variables]
        self._generator = np.random.default_rng(seed)
        self._draws = keras.random.SeedGenerator(seed % 2**32)
        self._settings = settings
        self._decay = settings.weight_average
        self._averages = [tf.Variable(v.value) for v in network.trainable_variables]
        self.compile_seconds: float | None = None
        cells = hyperparameters.timesteps * (features + _STATES * max(hyperparameters.units))
        self._chunk = max(1, _EVALUATION_CELLS // cells)
        indices, number = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int32)
        total = tf.TensorSpec([], tf.float64)
        # Autograph would add half a second to every trial for what two explicit loops say as well.
        self._run = tf.function(
            self._run_updates, [indices, number, number, number, total], autograph=False
        )

    @abstractmethod
    def validate(self, examples: NDArray[np.int64]) -> dict[str, float]:
        """Validation metrics at `examples`, without penalties.

        Raises:
            DivergedError: a figure is not finite.
        """

    @abstractmethod
    def _inputs(self, examples: Any) -> Any:
        """What the network sees of examples (batch,)."""

    @abstractmethod
    def _losses(self, examples: Any) -> Any:
        """The training losses (batch,) of examples (batch,), the network in training."""

    def trace(self) -> None:
        """Build the graphs now, so that what comes later is the time of the steps alone."""
        none = tf.constant(0)
        nothing = tf.constant(0.0, tf.float64)
        self._run(tf.zeros([self._batch_size], tf.int64), none, none, none, nothing)

    def restart(self, network: keras.Model, seed: int) -> None:
        """Be as a new trainer of `network` would, one that has been built alike; the graphs stay."""
        for variable, fresh in zip(self.network.variables, network.variables, strict=True):
            variable.assign(fresh.value)
        for variable, first in zip(self._optimizer.variables, self._first_state, strict=True):
            variable.assign(first)
        for average, variable in zip(self._averages, self.network.trainable_variables, strict=True):
            average.assign(variable.value)
        self._generator = np.random.default_rng(seed)
        self._draws.state.assign(keras.random.SeedGenerator(seed % 2**32).state)
        self.compile_seconds = 0.0

    def passes_an_epoch(self, count: int) -> int:
        """How often an epoch passes through `count` examples."""
        return self._settings.passes_an_epoch(count, self._batch_size)

    def updates_an_epoch(self, count: int) -> int:
        """How many updates that takes; the last may see a smaller batch."""
        return self._settings.updates_an_epoch(count, self._batch_size)

    def shuffled(self, examples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next epoch's order of the examples: a random one for each pass, one after the other."""
        passes = range(self.passes_an_epoch(len(examples)))
        return np.concatenate([self._generator.permutation(examples) for _ in passes])

    def _next_seed(self) -> Any:
        """The seed (2,) of the next random numbers that vary examples inside the graph."""
        return tf.cast(self._draws.next(), tf.int64)

    @property
    def _variables(self) -> list[Any]:
        # The network's `weights` would leave out the random states of its dropout layers.
        trained = [*self.network.variables, *self._optimizer.variables, *self._averages]
        return [*trained, self._draws.state]

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
        """Make updates `first` ... `end` - 1 of those that pass through `order`.

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
        self, order: NDArray[np.int64], count: int, updates: tuple[int, int], total: float
    ) -> tuple[float, float]:
        """`total` with the examples' losses in some updates added, and the seconds these took.

        Which update is timed alone must not change the sum, and that depends on the order of adding.
        """
        started = time.perf_counter()
        numbers = [tf.constant(number) for number in (count, *updates)]
        so_far = tf.constant(total, tf.float64)
        total = float(self._run(tf.constant(order), *numbers, so_far))
        return total, time.perf_counter() - started

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

    def outputs(self, examples: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the network gives for each example, (examples, ...)."""
        starts = range(0, len(examples), self._chunk)
        parts = [self._outputs(tf.constant(examples[i : i + self._chunk])) for i in starts]
        return np.concatenate([part.numpy() for part in parts])

    def _outputs(self, examples: Any) -> Any:
        return self.network(self._inputs(examples), training=False)

    def _run_updates(self, order: Any, count: Any, first: Any, end: Any, total: Any) -> Any:
        """Add the losses of `count` examples to `total`; `order` is padded to whole batches."""
        size = self._batch_size

        def step(number: Any, total: Any) -> tuple[Any, Any]:
            examples = tf.slice(order, [number * size], [size])  # (batch,)
            present = tf.minimum(size, count - number * size)
            loss = self._update_once(examples, present)
            return number + 1, total + tf.cast(present, tf.float64) * tf.cast(loss, tf.float64)

        return tf.while_loop(lambda number, _: number < end, step, (first, total))[1]

    def _update_once(self, examples: Any, present: Any) -> Any:
        """One update on the first `present` examples of a batch; their mean loss without penalties."""
        variables = self.network.trainable_variables
        counted = tf.sequence_mask(present, self._batch_size, tf.float32)  # (batch,)
        weights = counted / tf.cast(present, tf.float32)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(weights * self._losses(examples))
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


def as_tensor(rows: NDArray[np.floating]) -> Any:
    """The rows as a tensor, without a copy where TensorFlow can use them in place."""
    if rows.ctypes.data % _ALIGNMENT or not rows.flags.writeable or not rows.flags.c_contiguous:
        return tf.constant(rows)
    return tf.experimental.dlpack.from_dlpack(rows.__dlpack__())


def _optimizer(hyperparameters: Pace, settings: CommonTraining) -> keras.optimizers.Optimizer:
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
