"""What a test of classifiers left behind: all that a report is computed from, in one .npz file.

A report is rendered from it as often as wanted, and the test set stays closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.metrics import Prediction
from reports.files import atomically
from search.classification.validation import Validation
from search.reporting.stored_forecasts import UNUSABLE

FILE = "probabilities.npz"
_BASELINE, _VALIDATION = "baseline_", "validation_"


@dataclass(frozen=True, eq=False)
class StoredProbabilities:
    """Probabilities of one winner, (sequences, classes) each, and what baselines predict.

    `trial`, `seed` and `model` (SHA-256 of the refitted model's file) say whose they are. `validation`
    and `train_only` come from the winner as the search saw it, `test` from the refitted model and
    `uncalibrated` from it without its `temperature`; None for both where it has none. `truth`
    (sequences,) are numbers of `classes`; `clusters` (sequences,) are equal for test sequences that do
    not count as independent.
    """

    trial: int
    seed: int
    model: str
    classes: tuple[str, ...]
    validation: Validation
    truth: NDArray[np.int64]
    test: NDArray[np.float64]
    train_only: NDArray[np.float64]
    clusters: NDArray[np.int64]
    baselines: Mapping[str, Prediction]
    temperature: float | None = None
    uncalibrated: NDArray[np.float64] | None = None


def save_probabilities(directory: Path, stored: StoredProbabilities) -> None:
    """Write the file, whole or not at all."""
    calibration: dict[str, Any] = {}
    if stored.temperature is not None and stored.uncalibrated is not None:
        calibration = {"temperature": stored.temperature, "uncalibrated": stored.uncalibrated}
    with atomically(directory / FILE) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            trial=stored.trial,
            seed=stored.seed,
            model=stored.model,
            classes=np.array(stored.classes),
            **{f"{_VALIDATION}{name}": found for name, found in stored.validation.arrays().items()},
            truth=stored.truth,
            test=stored.test,
            train_only=stored.train_only,
            clusters=stored.clusters,
            **{f"{_BASELINE}{name}": found for name, found in stored.baselines.items()},
            **calibration,
            allow_pickle=False,
        )


def load_probabilities(directory: Path) -> StoredProbabilities | None:
    """Read the file; None where there is none, or one that is damaged or of another version."""
    try:
        with np.load(directory / FILE, allow_pickle=False) as saved:
            return StoredProbabilities(
                trial=int(saved["trial"]),
                seed=int(saved["seed"]),
                model=str(saved["model"]),
                classes=tuple(str(name) for name in saved["classes"]),
                validation=Validation.of(
                    {
                        name.removeprefix(_VALIDATION): saved[name]
                        for name in saved.files
                        if name.startswith(_VALIDATION)
                    }
                ),
                truth=saved["truth"],
                test=saved["test"],
                train_only=saved["train_only"],
                clusters=saved["clusters"],
                baselines={
                    name.removeprefix(_BASELINE): saved[name]
                    for name in saved.files
                    if name.startswith(_BASELINE)
                },
                temperature=float(saved["temperature"]) if "temperature" in saved else None,
                uncalibrated=saved.get("uncalibrated"),
            )
    except UNUSABLE:
        return None
