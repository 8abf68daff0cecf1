"""Weights of trials, and what classifiers said, as artifacts: plain .npz files, without pickle."""

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.artifacts import download_artifact
from optuna.artifacts._protocol import ArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import FrozenTrial

from objectives.trials.messages import TrialOutcome
from storage.artifacts import attach_file, linked_artifacts
from storage.errors import StorageError

Weights = tuple[NDArray[np.float32], ...]
Logits = tuple[NDArray[np.float32], ...]

_WEIGHTS, _OUTPUTS = "weights.npz", "validation_logits.npz"
_DAMAGED = (ValueError, EOFError, KeyError, BadZipFile, zlib.error)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of a trial.

    `weights` are the network's of the last fold, in its order, and `outputs` a classifier's logits
    (sequences, classes) of each fold's validation sequences; none of forecasts. `others` are the same of
    trials that differ in their seed alone.
    """

    weights: Weights
    outputs: Logits = ()
    others: tuple[Logits, ...] = ()

    @classmethod
    def of(cls, outcome: TrialOutcome) -> "Kept":
        """Of a trial that has ended; without logits where those of a fold are gone."""
        outputs = [fold.outputs for fold in outcome.folds if fold.outputs is not None]
        whole = len(outputs) == len(outcome.folds)
        return cls(outcome.weights, tuple(outputs) if whole else ())


def save_weights(store: ArtifactStore, trial: optuna.Trial, weights: Weights) -> None:
    """Keep the weights of a running trial: write them into the store, then link them to the trial.

    Args:
        store: As `open_artifacts` gives it.
        trial: The trial, before it is told.
        weights: The network's, in its order; each of any shape.

    Raises:
        storage.errors.StorageError: They cannot be written; nothing is left of them then, and the trial
            links nothing.
    """
    _save(store, trial, _WEIGHTS, weights)


def save_outcome(store: ArtifactStore, trial: optuna.Trial, outcome: TrialOutcome) -> None:
    """Keep the weights of a running trial, and the logits of a classifier; see `save_weights`."""
    kept = Kept.of(outcome)
    save_weights(store, trial, kept.weights)
    if kept.outputs:
        _save(store, trial, _OUTPUTS, kept.outputs)


def load_weights(store: ArtifactStore, trial: FrozenTrial) -> Weights | None:
    """The weights of a trial in the network's order.

    None where the database links none to it, or where they cannot be had on this machine; the reason
    is logged then.
    """
    return _load(store, trial, _WEIGHTS)


def load_kept(
    store: ArtifactStore, trial: FrozenTrial, others: Sequence[FrozenTrial] = ()
) -> Kept | None:
    """The weights of a trial, and its and others' logits where there are any; see `load_weights`."""
    weights = load_weights(store, trial)
    if weights is None:
        return None
    found = [_load(store, each, _OUTPUTS) for each in others]
    return Kept(weights, _load(store, trial, _OUTPUTS) or (), tuple(each for each in found if each))


def _save(
    store: ArtifactStore, trial: optuna.Trial, name: str, arrays: Sequence[NDArray[np.float32]]
) -> None:
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / name
            np.savez(file, *arrays, allow_pickle=False)
            attach_file(store, trial, file)
    except OSError as error:
        raise StorageError(
            f"cannot write the weights of trial {trial.number}: {error.strerror or error}"
        ) from None


def _load(store: ArtifactStore, trial: FrozenTrial, name: str) -> Weights | None:
    linked = [found for found in linked_artifacts(trial.system_attrs) if found.filename == name]
    if not linked:
        return None
    try:
        return _read(store, linked[0].artifact_id)
    except ArtifactNotFound:
        reason = "they are on another machine, or removed"
    except (StorageError, OSError) as error:
        reason = str(error)
    except _DAMAGED as error:
        reason = f"the file is damaged: {error}"
    _logger.warning("the weights of trial %d cannot be used: %s", trial.number, reason)
    return None


def _read(store: ArtifactStore, artifact_id: str) -> Weights:
    with TemporaryDirectory() as folder:
        file = Path(folder) / _WEIGHTS
        download_artifact(artifact_store=store, artifact_id=artifact_id, file_path=str(file))
        with np.load(file, allow_pickle=False) as arrays:
            return tuple(arrays[f"arr_{index}"] for index in range(len(arrays.files)))
