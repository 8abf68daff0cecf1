"""Classification, as a trial process learns it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import (
    NETWORKS_ALONE,
    Ending,
    SequenceHyperparameters,
    SequenceTask,
    TextHyperparameters,
    TextTask,
)
from objectives.classification.network import Layout, build_deployable, build_network
from objectives.classification.split import split_hash
from objectives.classification.text_network import build_text_classifier
from objectives.classification.trainer import LabelledRows, SequenceTrainer, TextTrainer
from objectives.classification.vocabulary import Vocabulary
from objectives.classification.windows import needs_padding, rows_within
from objectives.scaling import Scaling, fit_scaling
from objectives.trials.graph_trainer import GraphTrainer
from objectives.trials.learner import Loaded, TrainedNetwork, on_cpu
from objectives.trials.training import Examples


@dataclass(frozen=True)
class SequenceLearner:
    """A task of classification under one trial's hyperparameters; see `Learner`.

    `ending` is how deployed models come from their networks' logits to probabilities.
    """

    task: SequenceTask
    hyperparameters: SequenceHyperparameters
    ending: Ending = NETWORKS_ALONE
    _made: list[SequenceTrainer] = field(default_factory=list, init=False)

    @property
    def target_hash(self) -> str:
        """Identifies the validation sequences of all folds."""
        return split_hash(self.task.split)

    def load_fold(self, number: int) -> Loaded[Scaling | Vocabulary]:
        """One fold."""
        fold = self.task.split.folds[number - 1]
        return self._loaded(Examples(fold.train, fold.validation, number))

    def load_everything(self) -> Loaded[Scaling | Vocabulary]:
        """Every sequence that is not a test one."""
        training = self.task.split.train_and_validation()
        return self._loaded(Examples(training, training[:0]))

    def deployable(
        self, members: Sequence[TrainedNetwork], fitted: Scaling | Vocabulary
    ) -> keras.Model:
        """From raw sequences, or texts, to probabilities."""
        wanted, layout, ending = self.hyperparameters, self._layout, self.ending
        weights = [member.weights for member in members]
        if isinstance(fitted, Vocabulary) and isinstance(wanted, TextHyperparameters):
            return build_text_classifier(wanted, weights, fitted, layout, ending.temperature)
        if isinstance(fitted, Scaling):
            return build_deployable(wanted, weights, fitted, layout, ending)
        raise TypeError(f"a {type(fitted).__name__} does not go with {type(wanted).__name__}")

    def judged_outputs(
        self, fold: Loaded[Scaling | Vocabulary], trainer: GraphTrainer
    ) -> NDArray[np.float32]:
        """Logits (sequences, classes), from which temperatures are fitted and scores computed."""
        return trainer.outputs(fold.examples.validation)

    def glimpse(self, fold: Loaded[Scaling | Vocabulary], trainer: GraphTrainer) -> None:
        """Nothing: the logits of all validation sequences are there."""

    def _loaded(self, examples: Examples) -> Loaded[Scaling | Vocabulary]:
        if isinstance(self.task, TextTask):
            fitted: Scaling | Vocabulary = self.task.known_words(examples.training)
        else:
            fitted = self._scaling(examples.training)
        return Loaded(examples, fitted, lambda seed: self._trainer(fitted, examples.training, seed))

    def _scaling(self, training: NDArray[np.int64]) -> Scaling:
        """Fitted on the rows of the training sequences, which count once where they overlap."""
        task, values = self.task, self.task.load_rows()
        seen = rows_within(task.ends[training], task.lengths[training], len(values))
        return fit_scaling(self.hyperparameters.scaling, values[seen])

    def _trainer(
        self, fitted: Scaling | Vocabulary, training: NDArray[np.int64], seed: int
    ) -> SequenceTrainer:
        """A trainer as new; the second and later ones are the first, so that graphs are built once."""
        task, weights = self.task, np.ones(self.task.classes)
        if task.training.class_weights == "balanced":
            counts = np.bincount(task.labels[training], minlength=task.classes)
            weights = len(training) / (task.classes * np.maximum(counts, 1))
        keras.utils.set_random_seed(seed % 2**32)
        network = build_network(self.hyperparameters, self._layout, fast=on_cpu())
        if self._made:
            self._made[0].restart(network, seed)
        else:
            self._made.append(self._new_trainer(network, seed))
        self._made[0].see(fitted, weights)
        return self._made[0]

    def _new_trainer(self, network: keras.Model, seed: int) -> SequenceTrainer:
        task, wanted = self.task, self.hyperparameters
        rows = np.load(task.rows, mmap_mode="c", allow_pickle=False)
        sequences = LabelledRows(rows, task.ends, task.lengths, task.labels, task.classes)
        if isinstance(task, TextTask) and isinstance(wanted, TextHyperparameters):
            count = len(task.words)
            return TextTrainer(network, sequences, wanted, task.training, seed, count)
        return SequenceTrainer(network, sequences, wanted, task.training, seed)

    @property
    def _layout(self) -> Layout:
        """Sequences are padded where one of the data is shorter than what is kept, and texts always.

        All folds have as many ids as the refit, so that their networks are of one size.
        """
        if isinstance(self.task, TextTask):
            known = self.task.known_words(self.task.split.train_and_validation())
            return Layout(1, self.task.classes, padded=True, words=known.size)
        features = self.task.load_rows().shape[1]
        padded = needs_padding(self.task.lengths, self.hyperparameters.timesteps)
        return Layout(features, self.task.classes, padded)
