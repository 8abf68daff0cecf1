"""What goes between a worker and a trial process that classifies; free of TensorFlow."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from objectives.classification.sequences import SequenceSplit
from objectives.classification.settings import SequenceTraining
from objectives.classification.vocabulary import Vocabulary, fit_vocabulary
from objectives.search_space.hyperparameters import with_depth

# What a saved model takes for no row: far from any measurement, and the same number in float32.
PADDING = -1e9


@dataclass(frozen=True, eq=False)
class SequenceTask:
    """What is the same for every trial of a study of classification.

    `rows` is a .npy file of float64 (rows, features), memory-mapped; `ends`, `lengths` and `labels`
    (sequences,) int64 are those of `Sequences`; labels are numbers of `names`, the classes.
    """

    rows: Path
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    split: SequenceSplit
    training: SequenceTraining

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.names)

    def load_rows(self) -> NDArray[np.float64]:
        """Map the rows (rows, features) into memory, read-only."""
        mapped: NDArray[np.float64] = np.load(self.rows, mmap_mode="r", allow_pickle=False)
        return mapped


@dataclass(frozen=True, eq=False)
class TextTask(SequenceTask):
    """The same of a study of texts.

    `rows` (rows, 1) are numbers of `words`; a network knows the `vocabulary` most frequent ones.
    """

    words: tuple[str, ...]
    vocabulary: int

    def known_words(self, texts: NDArray[np.int64]) -> Vocabulary:
        """The vocabulary of some texts, given by number."""
        rows = self.load_rows()[:, 0]
        parts = [rows[self.ends[text] - self.lengths[text] : self.ends[text]] for text in texts]
        return fit_vocabulary(np.concatenate(parts), self.words, self.vocabulary)


@dataclass(frozen=True)
class SequenceHyperparameters:
    """Everything that distinguishes one trial of classification from another, except its seed.

    `timesteps` is how many of a sequence's last rows are kept, at most. `units` holds the width of
    each LSTM layer from input to output. `dropout` acts between layers and before the head,
    `recurrent_dropout` on the state; both are shares of units. `l2` is the penalty on LSTM kernels.
    `skip` "linear" adds a linear path from the sequence's last `timesteps` rows to the head. `noise`
    is the deviation of the normal noise that is added to scaled inputs in training. With `mixup` these
    are mixtures of two sequences and of their labels, whose shares are Beta distributed with both
    parameters equal to it (Zhang et al. 2018); 0 for none. `scaling` is "standard", "min-max" or "none".
    """

    activation: ClassVar[str] = "tanh"

    timesteps: int
    units: tuple[int, ...]
    dropout: float
    batch_size: int
    learning_rate: float
    recurrent_dropout: float
    l2: float
    optimizer: str
    bidirectional: bool
    skip: str
    noise: float
    mixup: float
    scaling: str

    @property
    def depth(self) -> int:
        """Number of LSTM layers."""
        return len(self.units)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with `depth`, and `units` as one number where all layers are alike."""
        return with_depth(asdict(self))


@dataclass(frozen=True)
class TextHyperparameters(SequenceHyperparameters):
    """The same of a trial on texts: a word is `embedding_dim` learnt numbers to the network."""

    embedding_dim: int


@dataclass(frozen=True, eq=False)
class LinearPart:
    """Logistic regression, fitted with an inverse penalty `strength`, that has a `share` in a model.

    Logits are the sum of a sequence's values (timesteps, features), in the data's units, times `kernel`
    (timesteps, features, classes), plus `bias` (classes,).
    """

    kernel: NDArray[np.float64]
    bias: NDArray[np.float64]
    share: float
    strength: float


@dataclass(frozen=True, eq=False)
class Ending:
    """How a model comes from its networks' logits to probabilities.

    The networks' logits are divided by `temperature` (Guo et al. 2017) if there is one, and their mean
    probabilities are mixed with those of the `linear` part if there is one.
    """

    temperature: float | None = None
    linear: LinearPart | None = None


NETWORKS_ALONE = Ending()


@dataclass(frozen=True, eq=False)
class ProbabilitiesRequest:
    """A saved model to classify with.

    `model` is the .keras file, `rows` a .npy file as that of a task; `ends` and `lengths` (sequences,)
    say where the sequences lie in it. Of texts the rows are numbers of `words`. Without `calibrated` the
    model's temperature is taken for 1. With `alone`, the hyperparameters that the model was built with,
    each sequence is classified by itself, by the model's weights in networks of its length.
    """

    model: Path
    rows: Path
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    words: tuple[str, ...] = ()
    calibrated: bool = True
    alone: SequenceHyperparameters | None = None


@dataclass(frozen=True, eq=False)
class ProbabilitiesOutcome:
    """What a saved model says of sequences: (sequences, classes), each row adding up to 1."""

    probabilities: NDArray[np.float64]
