"""What goes between a worker and a trial process; free of TensorFlow, so that workers stay so."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import (
    NETWORKS_ALONE,
    Ending,
    SequenceHyperparameters,
    SequenceTask,
)
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.settings import TrainingSettings
from objectives.split import Split

LearningRatePath = tuple[tuple[float, int], ...]
PICTURED_SECONDS = 3.0  # a trial that takes less is not worth the time that its pictures take


class DivergedError(ArithmeticError):
    """A trial whose loss or validation metric is no longer a finite number."""


@dataclass(frozen=True)
class Compute:
    """What a trial process may use: `threads`, and the GPU of this number (None: no GPU)."""

    threads: int = 1
    gpu: int | None = None


@dataclass(frozen=True)
class ForecastTask:
    """What is the same for every trial of a study.

    `rows` is a .npy file of float64 (rows, columns), the first `targets` columns being the targets; it
    is memory-mapped, so that all trials share it. The last `calendar` columns tell the time.
    """

    rows: Path
    targets: int
    split: Split
    training: TrainingSettings
    calendar: int = 0

    def load_rows(self) -> NDArray[np.float64]:
        """Map the rows (rows, columns) into memory, read-only."""
        mapped: NDArray[np.float64] = np.load(self.rows, mmap_mode="r", allow_pickle=False)
        return mapped


Task = ForecastTask | SequenceTask


@dataclass(frozen=True)
class Checkpointing:
    """Where a trial's checkpoints go, a .npz file, and how many `seconds` lie between two at least.

    A trial that takes less than `seconds` writes none. Whoever asks for the file removes it.
    """

    path: Path
    seconds: float


@dataclass(frozen=True)
class TrialRequest:
    """One trial to train; `seed` decides every random number in it.

    Task and hyperparameters are of one kind. With a `checkpoint` it goes on from the file where there is
    one of this very trial.
    """

    task: Task
    hyperparameters: Hyperparameters | SequenceHyperparameters
    seed: int
    checkpoint: Checkpointing | None = None


@dataclass(frozen=True)
class Epoch:
    """One epoch of one trial: `number` counts from 1, `updates` are the optimiser's in this epoch.

    `fold` counts from 1 too; in each of them the numbers of epochs begin anew.
    `loss` is the mean training loss without penalties; `metrics` maps names to validation figures: of
    forecasts "mse", "mae" and "rmse" in training-standardised units, of classes "log_loss", "accuracy",
    "error_rate" and "balanced_error_rate".
    """

    number: int
    loss: float
    metrics: dict[str, float]
    learning_rate: float
    updates: int
    fold: int = 1


@dataclass(frozen=True)
class FoldOutcome:
    """The epochs of a trial in one fold, and the number of the best of them.

    `outputs` (sequences, classes) are a classifier's logits of the fold's validation sequences, by its
    weights at the best epoch; None where these are gone, the fold being taken over from a checkpoint.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    outputs: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def value(self, metric: str) -> float:
        """What the trial was worth in this fold: its best epoch's metric."""
        return self.epochs[self.best_epoch - 1].metrics[metric]


@dataclass(frozen=True, eq=False)
class Glimpse:
    """Forecasts of the first target on the last of the validation rows, in the data's units.

    `rows` (windows, horizon) are the rows of the targets, which no two windows share; `truth` and
    `forecast` are as large.
    """

    rows: NDArray[np.int64]
    truth: NDArray[np.float64]
    forecast: NDArray[np.float64]


@dataclass(frozen=True)
class TrialOutcome:
    """A trial that trained to its end, or was ended: then the last of its `folds` is not whole.

    `weights` are the network's at the last fold's best epoch, in the network's order; `stopped` says
    what ended that fold: "epochs", "patience" or "asked". `target_hash` identifies the validation
    targets of all folds.
    `seconds` maps "start", "load", "build", "trace", "compile" and "steps" to how long each took; the
    steps are the updates and validations. "checkpoint" is among them if one was read or written.
    `peak_memory` is the most the process held, in MiB. The first `resumed_from` epochs were taken over
    from a checkpoint; a trial that was ended at one of them, before the best of them, has no weights.
    `glimpse` is there for trials that took `PICTURED_SECONDS` and have weights.
    """

    folds: tuple[FoldOutcome, ...]
    stopped: str
    weights: tuple[NDArray[np.float32], ...]
    parameters: int
    target_hash: str
    seconds: dict[str, float]
    peak_memory: float
    resumed_from: int
    glimpse: Glimpse | None = None

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """The epochs of the last fold."""
        return self.folds[-1].epochs

    @property
    def best_epoch(self) -> int:
        """The last fold's."""
        return self.folds[-1].best_epoch

    def value(self, metric: str) -> float:
        """What the trial is worth: the mean of its folds."""
        return fmean(fold.value(metric) for fold in self.folds)


@dataclass(frozen=True)
class Member:
    """A network that is to be trained anew from `seed`.

    `path` is the learning rate in each epoch of a trial up to its best, and the number of updates to
    make at it. `most_loss` is the training loss above which the network has not learnt what the trial's
    had by then, and is trained anew from another seed; None to take it as it comes.
    """

    hyperparameters: Hyperparameters | SequenceHyperparameters
    seed: int
    path: LearningRatePath
    most_loss: float | None = None


@dataclass(frozen=True)
class RefitRequest:
    """The winner, to be retrained on train+validation; nothing is predicted.

    `weights` are the winner's own, from training rows only. Both models are written to `directory`.
    `members`, the first of which is the winner, are retrained and predict together; those of classes
    have its hyperparameters. `endings` are those of a classifier's models before and after the refit.
    """

    task: Task
    weights: tuple[NDArray[np.float32], ...]
    directory: Path
    members: tuple[Member, ...]
    endings: tuple[Ending, Ending] = (NETWORKS_ALONE, NETWORKS_ALONE)


@dataclass(frozen=True)
class RefitOutcome:
    """How a refit went: the first member saw the examples `passes` times, in `updates` updates.

    `restarts` counts how often networks were trained anew because they had not learnt.
    """

    passes: float
    updates: int
    seconds: float
    restarts: int = 0


@dataclass(frozen=True, eq=False)
class ForecastRequest:
    """A saved model to forecast with.

    `model` is the .keras file, `rows` a .npy file as that of a task; `origins` (windows,) are the rows
    of the windows' first targets.
    """

    model: Path
    rows: Path
    origins: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ForecastOutcome:
    """What a saved model forecast: (windows, horizon, targets) in the data's units.

    `quantiles` (windows, horizon, targets, quantiles) are there if the model gives them.
    """

    forecast: NDArray[np.float64]
    quantiles: NDArray[np.float64] | None = None
