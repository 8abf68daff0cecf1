"""A network that learns to classify sequences, gathered by number from one array of rows."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.classification.calibration import fit_temperature, log_loss
from objectives.classification.messages import SequenceHyperparameters, TextHyperparameters
from objectives.classification.settings import SequenceTraining
from objectives.trials.graph_trainer import GraphTrainer, as_tensor
from objectives.trials.messages import DivergedError

_LEAST = 1e-30  # so that two numbers below the least that float32 holds have a share too
_SORTED_BATCHES = 8  # more gain little: lengths in a batch then differ by an eighth of their range


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows (rows, features) float64 in the data's units, and where the sequences in them end.

    `ends`, `lengths` and `labels` (sequences,) int64 are those of `Sequences`; `classes` counts them.
    """

    rows: NDArray[np.float64]
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int


class SequenceTrainer(GraphTrainer):
    """A network together with the sequences it learns from; an example is a sequence's number.

    Rows are scaled as they are gathered, so that one file serves every fold and trial.

    Args:
        network: maps scaled sequences to logits (batch, classes), as `build_network` makes it.
        sequences: what examples are gathered from.
        hyperparameters: `timesteps`, `batch_size`, `learning_rate`, `optimizer` and `mixup` are read.
        settings: smoothing of labels, clipping and averaging.
        seed: of the order of sequences, and of mixtures.
    """

    def __init__(
        self,
        network: keras.Model,
        sequences: LabelledRows,
        hyperparameters: SequenceHyperparameters,
        settings: SequenceTraining,
        seed: int,
    ) -> None:
        features = sequences.rows.shape[1]
        super().__init__(network, features, hyperparameters, settings, seed)
        self._rows = as_tensor(sequences.rows)
        self._ends, self._lengths, self._labels = (
            tf.constant(numbers)
            for numbers in (sequences.ends, sequences.lengths, sequences.labels)
        )
        self._known_lengths, self._known_labels = sequences.lengths, sequences.labels
        self._classes = sequences.classes
        self._class_weights = tf.Variable(tf.ones([sequences.classes]))
        self._center = tf.Variable(tf.zeros([features], tf.float64))
        self._scale = tf.Variable(tf.ones([features], tf.float64))
        self._timesteps = hyperparameters.timesteps
        self._padded = len(network.inputs) > 1
        self._smoothing = settings.label_smoothing
        self._mixup = hyperparameters.mixup
        indices = [tf.TensorSpec([None], tf.int64)]
        self._graph = tf.function(super()._outputs, indices, autograph=False)

    def trace(self) -> None:
        """Build the graphs now; see `GraphTrainer`."""
        super().trace()
        self._outputs(tf.zeros([1], tf.int64))

    def shuffled(self, examples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next random order of the examples, in batches of similar length where lengths differ.

        So a batch is as long as it must be: the LSTM passes over what is padding in all of it. What is
        sorted is `_SORTED_BATCHES` of one pass at a time, so that the same sequences do not always meet,
        and none meets itself.
        """
        order, size = super().shuffled(examples), self._batch_size
        if not self._padded:
            return order
        batches = len(order) // size
        whole = order[: batches * size]
        lengths = np.minimum(self._known_lengths[whole], self._timesteps)
        number, place = np.divmod(np.arange(len(whole)), len(examples))
        sorting = (lengths, place // (_SORTED_BATCHES * size), number)  # the last decides first
        similar = whole[np.lexsort(sorting)].reshape(batches, size)
        mixed = self._generator.permutation(batches)
        return np.concatenate([similar[mixed].reshape(-1), order[batches * size :]])

    def see(self, fitted: Any, class_weights: NDArray[np.float64]) -> None:
        """See rows through a `Scaling` from now on, or words through a `Vocabulary`.

        Training losses are multiplied by their class's weight (classes,).
        """
        self._fit(fitted)
        self._class_weights.assign(class_weights.astype(np.float32))

    def validate(self, examples: NDArray[np.int64]) -> dict[str, float]:
        """Log loss as it is and at its best temperature, accuracy, and the shares of errors.

        These are over all sequences and as a mean over classes, of which those without sequences do not
        count. Neither class weights nor smoothing of labels is in any of them.

        Raises:
            DivergedError: the log loss is not finite.
        """
        logits, labels = self.outputs(examples), self._known_labels[examples]
        loss = log_loss(logits, labels)
        if not math.isfinite(loss):
            raise DivergedError(f"the validation log loss became {loss}")
        right = logits.argmax(axis=1) == labels
        recalls = [right[labels == label].mean() for label in np.unique(labels)]
        return {
            "calibrated_log_loss": log_loss(logits, labels, fit_temperature(logits[None], labels)),
            "log_loss": loss,
            "accuracy": float(right.mean()),
            "error_rate": 1.0 - float(right.mean()),
            "balanced_error_rate": 1.0 - float(np.mean(recalls)),
        }

    def _inputs(self, examples: Any) -> Any:
        """The last rows of each sequence and, with padding, where there are rows."""
        offsets = tf.range(-self._timesteps, 0, dtype=tf.int64)
        numbers = tf.gather(self._ends, examples)[:, None] + offsets  # (batch, timesteps)
        if not self._padded:
            return self._seen(numbers)
        present = offsets >= -tf.gather(self._lengths, examples)[:, None]
        return [self._seen(tf.where(present, numbers, 0)), present]

    def _fit(self, fitted: Any) -> None:
        self._center.assign(fitted.center)
        self._scale.assign(fitted.scale)

    def _seen(self, numbers: Any) -> Any:
        rows = tf.gather(self._rows, numbers)  # (batch, timesteps, features)
        return tf.cast((rows - self._center) / self._scale, tf.float32)

    def _outputs(self, examples: Any) -> Any:
        return self._graph(examples)

    def _losses(self, examples: Any) -> Any:
        labels, inputs = tf.gather(self._labels, examples), self._inputs(examples)
        if not self._mixup:
            return self._cross_entropies(labels, self.network(inputs, training=True))
        share = self._random_shares(examples)  # (batch,)
        logits = self.network(self._mixed(inputs, share), training=True)
        other = self._cross_entropies(_partners(labels), logits)
        return share * self._cross_entropies(labels, logits) + (1.0 - share) * other

    def _random_shares(self, examples: Any) -> Any:
        """Each example's share in its mixture (batch,): a Beta variable, or what it lacks to 1.

        The greater one, so that every example of an epoch counts about as much, whatever its partner.
        """
        shape = [2, tf.shape(examples)[0]]
        drawn = tf.random.stateless_gamma(shape, self._next_seed(), alpha=self._mixup)
        return tf.reduce_max(drawn, axis=0) / (tf.reduce_sum(drawn, axis=0) + _LEAST)

    def _mixed(self, inputs: Any, share: Any) -> Any:
        """Inputs in their shares plus their partners'; where one has no rows, they count as zeros."""
        part = share[:, None, None]
        if not self._padded:
            return part * inputs + (1.0 - part) * _partners(inputs)
        rows, present = inputs
        rows = tf.where(present[..., None], rows, 0.0)
        return [part * rows + (1.0 - part) * _partners(rows), present | _partners(present)]

    def _cross_entropies(self, labels: Any, logits: Any) -> Any:
        wanted = tf.one_hot(labels, self._classes) * (1.0 - self._smoothing)
        losses = tf.nn.softmax_cross_entropy_with_logits(
            wanted + self._smoothing / self._classes, logits
        )
        return losses * tf.gather(self._class_weights, labels)


def _partners(batch: Any) -> Any:
    """What each example of a batch, which are in random order, is mixed with."""
    return tf.reverse(batch, [0])


class TextTrainer(SequenceTrainer):
    """The same for texts: of the words that are gathered, the network sees ids.

    Args:
        network: maps ids to logits (batch, classes).
        sequences: rows (rows, 1) are numbers of words.
        hyperparameters: as above, and `embedding_dim`.
        settings: as above.
        seed: as above.
        words: how many there are.
    """

    def __init__(
        self,
        network: keras.Model,
        sequences: LabelledRows,
        hyperparameters: TextHyperparameters,
        settings: SequenceTraining,
        seed: int,
        words: int,
    ) -> None:
        super().__init__(network, sequences, hyperparameters, settings, seed)
        self._ids = tf.Variable(tf.zeros([words], tf.int32))

    def _fit(self, fitted: Any) -> None:
        self._ids.assign(fitted.ids)

    def _seen(self, numbers: Any) -> Any:
        words = tf.gather(self._rows, numbers)[..., 0]  # (batch, timesteps)
        return tf.gather(self._ids, tf.cast(words, tf.int32))
