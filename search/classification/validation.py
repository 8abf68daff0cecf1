"""What a winner said of the sequences that validate, each by a network that had not trained on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.calibration import averaged, fit_temperature
from objectives.classification.linear import LinearChoice
from objectives.classification.messages import SequenceTask
from objectives.classification.settings import SequenceFinal
from reports.files import atomically
from search.workers.weights import Kept

_FILE = "validation.npz"


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation sequences of all folds, one fold after the other.

    `folds` (sequences,) says in which fold each validates, from 1; `labels` (sequences,) are numbers of
    classes, `logits` (networks, sequences, classes) what networks of that fold give: first the winner's,
    then those of other seeds that have been trained alike. Where `linear_share` is not 0, the last are
    those of the model's linear part, which has that share in its probabilities.
    """

    folds: NDArray[np.int64]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    linear_share: float = 0.0

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Validation":
        """From what `arrays` gives."""
        share = float(arrays["linear_share"])
        return cls(arrays["folds"], arrays["labels"], arrays["logits"], share)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it by name."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @property
    def networks(self) -> NDArray[np.float32]:
        """The logits without those of a linear part."""
        return self.logits[:-1] if self.linear_share else self.logits

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """What the model would say (sequences, classes) with its networks at a temperature."""
        found = averaged(self.networks, temperature)
        if not self.linear_share:
            return found
        return (1 - self.linear_share) * found + self.linear_share * averaged(self.logits[-1:])

    def with_linear(self, chosen: LinearChoice) -> "Validation":
        """The same with a linear part."""
        logits = np.concatenate([self.logits, chosen.logits[None].astype(np.float32)])
        return replace(self, logits=logits, linear_share=chosen.share)


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
    """The networks' temperature that a study asks for, None for none."""
    if final.calibration == "none":
        return None
    return fit_temperature(validation.networks, validation.labels)


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
        return Validation.of(saved)
