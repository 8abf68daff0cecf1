"""What a trial process does the same way for every task, asked of what knows the task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.graph_trainer import GraphTrainer
from objectives.messages import Glimpse
from objectives.scaling import Scaling
from objectives.training import Examples, Weights


@dataclass(frozen=True, eq=False)
class Loaded:
    """Data as a network sees them: the examples, how they are scaled, and a trainer for each seed.

    A trainer is used no more once another has been asked for: they may share graphs.
    """

    examples: Examples
    scaling: Scaling
    trainer: Callable[[int], GraphTrainer]


class Learner(Protocol):
    """One task under one trial's hyperparameters."""

    @property
    def target_hash(self) -> str:
        """Identifies what trials are judged on, over all folds: SHA-256 in hex."""

    def load_fold(self, number: int) -> Loaded:
        """Fold `number`, from 1, scaled by its training part."""

    def load_everything(self) -> Loaded:
        """Training and validation part together, all of it to train on, scaled by all of it."""

    def judged_outputs(self, fold: Loaded, trainer: GraphTrainer) -> NDArray[np.float32] | None:
        """What a trained network gives for a fold's validation part, if anything is made of it later."""

    def glimpse(self, fold: Loaded, trainer: GraphTrainer) -> Glimpse | None:
        """What a trained network makes of the end of a fold's validation part, for a picture."""

    def deployable(self, members: Sequence[Weights], scaling: Scaling) -> keras.Model:
        """The model of plain layers that is deployed, made of the weights of one network or several."""


def on_cpu() -> bool:
    """Whether the trial process computes without a GPU."""
    return not tf.config.get_visible_devices("GPU")
