"""Training from the first epoch to the one that ends it, and the replay of what won."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.settings import CommonTraining
from objectives.trials.checkpoint import Checkpoint, CheckpointFile, FinishedFold
from objectives.trials.graph_trainer import GraphTrainer
from objectives.trials.messages import Epoch, LearningRatePath

Weights = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, eq=False)
class Examples:
    """Numbers of the examples that a training learns from and of those that it is judged on, (some,).

    Of windows the number is the origin; `fold` counts from 1.
    """

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    fold: int = 1


@dataclass(frozen=True)
class Training:
    """A finished training: every epoch, the best one and its weights in the order of the network's.

    `waited` counts the seconds spent in `go_on`, `stopped` says what ended the training. The first
    `resumed_from` epochs were restored; a training that was ended at one of them, before the best of
    them, has no weights.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    weights: Weights
    stopped: str
    waited: float
    resumed_from: int


def train(
    trainer: GraphTrainer,
    examples: Examples,
    settings: CommonTraining,
    go_on: Callable[[Epoch], bool],
    checkpoints: CheckpointFile | None = None,
) -> Training:
    """Train until `settings.epochs`, early stopping, or until `go_on` says no.

    Args:
        trainer: the network and its data; its learning rate starts at the hyperparameter's.
        examples: what to learn from and what to be judged on.
        settings: epochs, patience, metric and schedule. Stopping, schedule and best epoch all read the
            same validation metric, which holds no penalties.
        go_on: called after each epoch, restored ones too; False ends the training there.
        checkpoints: where to go on from if there is a checkpoint, and to leave others.

    Raises:
        DivergedError: the loss or the metric is not finite.
    """
    saved = checkpoints.read(examples.fold) if checkpoints else None
    restored = len(saved.epochs) if saved else 0
    epochs: list[Epoch] = []
    best, best_epoch = math.inf, 0
    weights: Weights = ()
    rate = Schedule(settings, trainer.first_learning_rate)
    stopped, waited = "epochs", 0.0
    for epoch, latest in _epochs(trainer, examples, settings, rate, saved):
        epochs.append(epoch)
        value = epoch.metrics[settings.metric]
        if value < best:
            best, best_epoch, weights = value, epoch.number, latest
        rate.advance(value)
        asked = time.perf_counter()
        wanted = go_on(epoch)
        waited += time.perf_counter() - asked
        if not wanted:
            stopped = "asked"
            break
        if epoch.number - best_epoch >= settings.patience:
            stopped = "patience"
            break
        if checkpoints and restored < epoch.number < settings.epochs and checkpoints.due:
            checkpoints.write(Checkpoint(tuple(epochs), best_epoch, weights, trainer.state()))
    resumed_from = min(restored, len(epochs))
    return Training(tuple(epochs), best_epoch, weights, stopped, waited, resumed_from)


def _epochs(
    trainer: GraphTrainer,
    examples: Examples,
    settings: CommonTraining,
    rate: "Schedule",
    saved: Checkpoint | FinishedFold | None,
) -> Iterator[tuple[Epoch, Weights]]:
    """Every epoch and the weights it was judged with: the saved ones, then those trained from there.

    Each trains at the rate that is the schedule's by then. Of the saved ones only the best has weights.
    """
    first = 1
    if isinstance(saved, FinishedFold):
        for epoch in saved.epochs:
            yield epoch, ()
        return
    if saved:
        trainer.restore(saved.trainer)
        for epoch in saved.epochs:
            yield epoch, saved.weights if epoch.number == saved.best_epoch else ()
        first += len(saved.epochs)
    updates = trainer.updates_an_epoch(len(examples.training))
    for number in range(first, settings.epochs + 1):
        used = rate.current
        loss = trainer.update(trainer.shuffled(examples.training), 0, updates, used)
        with trainer.averaged():
            metrics = trainer.validate(examples.validation)
            weights = tuple(trainer.network.get_weights())
        yield Epoch(number, loss, metrics, used, updates, examples.fold), weights


@dataclass(frozen=True)
class Replayed:
    """How a replay went.

    `passes` counts how many times the examples were passed, a fraction for the last pass; `loss` is the
    mean training loss at the path's last learning rate.
    """

    passes: float
    loss: float


def replay(trainer: GraphTrainer, examples: NDArray[np.int64], path: LearningRatePath) -> Replayed:
    """Make the recorded number of updates at the recorded learning rates on other examples.

    The network ends with the running mean of its weights, as it was judged.

    Args:
        trainer: a fresh network.
        examples: those to train on, usually more than those the path was recorded on.
        path: (learning rate, updates) in order.
    """
    epoch_length = trainer.updates_an_epoch(len(examples))
    order, position, epochs, loss = trainer.shuffled(examples), 0, 0, math.nan
    for learning_rate, updates in path:
        left, loss = updates, 0.0
        while left:
            if position == epoch_length:
                order, position, epochs = trainer.shuffled(examples), 0, epochs + 1
            end = min(epoch_length, position + left)
            share = (end - position) / updates
            loss += share * trainer.update(order, position, end, learning_rate)
            left -= end - position
            position = end
    trainer.adopt_average()
    passes = (epochs + position / epoch_length) * trainer.passes_an_epoch(len(examples))
    return Replayed(passes, loss)


class Schedule:
    """The learning rate from epoch to epoch, as `CommonTraining.schedule` says."""

    def __init__(self, settings: CommonTraining, first: float) -> None:
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
