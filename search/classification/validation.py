"""What a winner said of the sequences that validate, each by a network that had not trained on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.calibration import averaged, fit_temperature
from objectives.classification.linear import LinearChoice, choose_linear, has_linear_part
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
    def shares(self) -> NDArray[np.float64]:
        """What each of `logits` counts in the model's probabilities, (networks,)."""
        if not self.linear_share:
            return np.full(len(self.logits), 1 / len(self.logits))
        networks = len(self.logits) - 1
        return np.append(np.full(networks, (1 - self.linear_share) / networks), self.linear_share)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """What the model as a whole would say (sequences, classes)."""
        return averaged(self.logits, temperature, self.shares)

    def with_linear(self, chosen: LinearChoice) -> "Validation":
        """The same with a linear part."""
        logits = np.concatenate([self.logits, chosen.logits[None].astype(np.float32)])
        return replace(self, logits=logits, linear_share=chosen.share)

    def without_linear(self) -> "Validation":
        """What the networks alone say."""
        return (
            replace(self, logits=self.logits[:-1], linear_share=0.0) if self.linear_share else self
        )


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


def chosen_linear(
    task: SequenceTask, timesteps: int, validation: Validation, final: SequenceFinal
) -> LinearChoice | None:
    """The linear part of a model that keeps `timesteps` rows, None for none."""
    if not (final.linear and has_linear_part(task, timesteps)):
        return None
    return choose_linear(task, timesteps, validation.probabilities())


def calibrated(validation: Validation, final: SequenceFinal) -> float | None:
    """The temperature that a study asks for, None for none."""
    if final.calibration == "none":
        return None
    return fit_temperature(validation.logits, validation.labels, validation.shares)


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
