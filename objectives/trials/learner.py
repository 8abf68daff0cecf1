"""What a trial process does the same way for every task, asked of what knows the task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.trials.graph_trainer import GraphTrainer
from objectives.trials.messages import Glimpse
from objectives.trials.training import Examples, Weights

Fitted = TypeVar("Fitted")


@dataclass(frozen=True, eq=False)
class Loaded(Generic[Fitted]):
    """Data as a network sees them: the examples, and a trainer for each seed.

    `fitted` is what was learned from the training examples of how to see them, such as a scaling. A
    trainer is used no more once another has been asked for: they may share graphs.
    """

    examples: Examples
    fitted: Fitted
    trainer: Callable[[int], GraphTrainer]


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The weights of a network in its order, and what it was built by."""

    hyperparameters: Any
    weights: Weights


class Learner(Protocol[Fitted]):
    """One task under one trial's hyperparameters."""

    @property
    def target_hash(self) -> str:
        """Identifies what trials are judged on, over all folds: SHA-256 in hex."""

    def load_fold(self, number: int) -> Loaded[Fitted]:
        """Fold `number`, from 1, seen by what its training part tells."""

    def load_everything(self) -> Loaded[Fitted]:
        """Training and validation part together, all of it to train on."""

    def judged_outputs(
        self, fold: Loaded[Fitted], trainer: GraphTrainer
    ) -> NDArray[np.float32] | None:
        """What a trained network gives for a fold's validation part, if anything is made of it later."""

    def glimpse(self, fold: Loaded[Fitted], trainer: GraphTrainer) -> Glimpse | None:
        """What a trained network makes of the end of a fold's validation part, for a picture."""

    def deployable(self, members: Sequence[TrainedNetwork], fitted: Fitted) -> keras.Model:
        """The model of plain layers that is deployed, made of one network or several."""


def on_cpu() -> bool:
    """Whether the trial process computes without a GPU."""
    return not tf.config.get_visible_devices("GPU")
