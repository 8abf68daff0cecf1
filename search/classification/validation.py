"""What a winner said of the sequences that validate, each by a network that had not trained on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.calibration import fit_temperature
from objectives.classification.messages import SequenceTask
from objectives.classification.settings import SequenceFinal
from reports.files import atomically
from search.weights import Kept

_FILE = "validation.npz"


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation sequences of all folds, one fold after the other.

    `folds` (sequences,) says in which fold each validates, from 1; `labels` (sequences,) are numbers of
    classes, `logits` (networks, sequences, classes) what networks of that fold give: first the winner's,
    then those of other seeds that have been trained alike.
    """

    folds: NDArray[np.int64]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it by name."""
        return {"folds": self.folds, "labels": self.labels, "logits": self.logits}


def collected(task: SequenceTask, kept: Kept, members: int) -> Validation:
    """Put the logits of all folds together, of `members` networks where there are as many."""
    numbers = [fold.validation for fold in task.split.folds]
    counts = [len(some) for some in numbers]
    networks = [kept.outputs, *kept.others][:members]
    return Validation(
        folds=np.repeat(np.arange(1, len(numbers) + 1), counts),
        labels=task.labels[np.concatenate(numbers)],
        logits=np.stack([np.concatenate(outputs) for outputs in networks]),
    )


def calibrated(validation: Validation, final: SequenceFinal) -> float | None:
    """The temperature that a study asks for, None for none."""
    if final.calibration == "none":
        return None
    return fit_temperature(validation.logits, validation.labels)


def save_validation(directory: Path, found: Validation) -> None:
    """Write the file, whole or not at all."""
    with atomically(directory / _FILE) as path, path.open("wb") as file:
        np.savez_compressed(file, **found.arrays(), allow_pickle=False)


def has_validation(directory: Path) -> bool:
    """Whether a study's folder holds the file."""
    return (directory / _FILE).exists()


def load_validation(directory: Path) -> Validation:
    """Read the file, which a refit writes before it trains."""
    with np.load(directory / _FILE, allow_pickle=False) as saved:
        return Validation(saved["folds"], saved["labels"], saved["logits"])
