"""Classification, as a trial process learns it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import SequenceHyperparameters, SequenceTask
from objectives.classification.network import Layout, build_deployable, build_network
from objectives.classification.split import split_hash
from objectives.classification.trainer import LabelledRows, SequenceTrainer
from objectives.graph_trainer import GraphTrainer
from objectives.learner import Loaded, on_cpu
from objectives.scaled_rows import shared_rows
from objectives.scaling import Scaling, fit_scaling
from objectives.training import Examples, Weights


@dataclass(frozen=True)
class SequenceLearner:
    """A task of classification under one trial's hyperparameters; see `Learner`."""

    task: SequenceTask
    hyperparameters: SequenceHyperparameters

    @property
    def target_hash(self) -> str:
        """Identifies the validation sequences of all folds."""
        return split_hash(self.task.split)

    def load_fold(self, number: int) -> Loaded:
        """One fold."""
        fold = self.task.split.folds[number - 1]
        return self._loaded(Examples(fold.train, fold.validation, number))

    def load_everything(self) -> Loaded:
        """Every sequence that is not a test one."""
        training = self.task.split.train_and_validation()
        return self._loaded(Examples(training, training[:0]))

    def deployable(self, members: Sequence[Weights], scaling: Scaling) -> keras.Model:
        """From raw sequences to probabilities."""
        return build_deployable(self.hyperparameters, members, scaling, self._layout)

    def glimpse(self, fold: Loaded, trainer: GraphTrainer) -> None:
        """Nothing: there is no picture of classes yet."""

    def _loaded(self, examples: Examples) -> Loaded:
        scaling, rows = self._scaled(examples.training)
        return Loaded(examples, scaling, lambda seed: self._trainer(rows, examples.training, seed))

    def _scaled(self, training: NDArray[np.int64]) -> tuple[Scaling, NDArray[np.float32]]:
        """All rows, scaled by those of the training sequences, which count once where they overlap."""
        task, kind = self.task, self.hyperparameters.scaling
        values = task.load_rows()
        seen = np.zeros(len(values) + 1, np.int64)
        np.add.at(seen, task.ends[training] - task.lengths[training], 1)
        np.add.at(seen, task.ends[training], -1)
        scaling = fit_scaling(kind, values[np.cumsum(seen[:-1]) > 0])
        whose = hashlib.sha256(training.astype("<i8").tobytes()).hexdigest()[:16]
        path = task.rows.with_name(f"{task.rows.stem}_{kind}_{whose}.npy")
        return scaling, shared_rows(path, scaling, values)

    def _trainer(
        self, rows: NDArray[np.float32], training: NDArray[np.int64], seed: int
    ) -> SequenceTrainer:
        task = self.task
        keras.utils.set_random_seed(seed % 2**32)
        network = build_network(self.hyperparameters, self._layout, fast=on_cpu())
        weights = np.ones(task.classes)
        if task.training.class_weights == "balanced":
            counts = np.bincount(task.labels[training], minlength=task.classes)
            weights = len(training) / (task.classes * np.maximum(counts, 1))
        sequences = LabelledRows(rows, task.ends, task.lengths, task.labels, weights)
        return SequenceTrainer(network, sequences, self.hyperparameters, task.training, seed)

    @property
    def _layout(self) -> Layout:
        """Sequences are padded where one of the data is shorter than what is kept."""
        features = self.task.load_rows().shape[1]
        padded = bool(self.task.lengths.min() < self.hyperparameters.timesteps)
        return Layout(features, self.task.classes, padded)
