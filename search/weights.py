"""Weights of trials as plain .npz files, without pickle."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Weights = tuple[NDArray[np.float32], ...]


def save_weights(directory: Path, trial: int, weights: Weights) -> None:
    """Write a trial's weights under the study's folder, whole or not at all."""
    path = _path(directory, trial)
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez(unfinished, *weights, allow_pickle=False)
    unfinished.replace(path)


def load_weights(directory: Path, trial: int) -> Weights | None:
    """A trial's weights in the network's order, None where they are not on this machine."""
    path = _path(directory, trial)
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(arrays[f"arr_{index}"] for index in range(len(arrays.files)))


def _path(directory: Path, trial: int) -> Path:
    return directory / "weights" / f"trial_{trial}.npz"
