"""What goes between a worker and a trial process that classifies; free of TensorFlow."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.classification.sequences import SequenceSplit
from objectives.classification.settings import SequenceTraining


@dataclass(frozen=True, eq=False)
class SequenceTask:
    """What is the same for every trial of a study of classification.

    `rows` is a .npy file of float64 (rows, features), memory-mapped; `ends`, `lengths` and `labels`
    (sequences,) int64 are those of `Sequences`; labels count from 0 to `classes` - 1.
    `class_weights` "balanced" weighs each class by the inverse of its share in training;
    `label_smoothing` is the share of a label that is spread over all classes.
    """

    rows: Path
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int
    split: SequenceSplit
    training: SequenceTraining
    class_weights: str = "none"
    label_smoothing: float = 0.0

    def load_rows(self) -> NDArray[np.float64]:
        """Map the rows (rows, features) into memory, read-only."""
        mapped: NDArray[np.float64] = np.load(self.rows, mmap_mode="r", allow_pickle=False)
        return mapped


@dataclass(frozen=True)
class SequenceHyperparameters:
    """Everything that distinguishes one trial of classification from another, except its seed.

    `timesteps` is how many of a sequence's last rows are kept, at most. `units` holds the width of
    each LSTM layer from input to output. `dropout` acts between layers and before the head,
    `recurrent_dropout` on the state; both are shares of units. `l2` is the penalty on LSTM kernels.
    `skip` "linear" adds a linear path from the sequence's last `timesteps` rows to the head. `noise`
    is the deviation of the normal noise that is added to scaled inputs in training. `scaling` is
    "standard", "min-max" or "none".
    """

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
    scaling: str
