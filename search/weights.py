"""Weights of trials as artifacts: plain .npz files, without pickle."""

import logging
import zlib
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

from storage.artifacts import attach_file, linked_artifacts
from storage.errors import StorageError

Weights = tuple[NDArray[np.float32], ...]

_FILE = "weights.npz"
_DAMAGED = (ValueError, EOFError, KeyError, BadZipFile, zlib.error)
_logger = logging.getLogger(__name__)


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
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / _FILE
            np.savez(file, *weights, allow_pickle=False)
            attach_file(store, trial, file)
    except OSError as error:
        raise StorageError(
            f"cannot write the weights of trial {trial.number}: {error.strerror or error}"
        ) from None


def load_weights(store: ArtifactStore, trial: FrozenTrial) -> Weights | None:
    """The weights of a trial in the network's order.

    None where the database links none to it, or where they cannot be had on this machine; the reason
    is logged then.
    """
    linked = [found for found in linked_artifacts(trial.system_attrs) if found.filename == _FILE]
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
        file = Path(folder) / _FILE
        download_artifact(artifact_store=store, artifact_id=artifact_id, file_path=str(file))
        with np.load(file, allow_pickle=False) as arrays:
            return tuple(arrays[f"arr_{index}"] for index in range(len(arrays.files)))
