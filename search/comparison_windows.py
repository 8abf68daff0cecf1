"""The windows on which an export compares its artefacts with Keras, taken from what was trained on."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.windows import padded_windows
from objectives.errors import InputError
from reports.bundle import Metadata
from reports.files import atomically
from search.preparation import rows_file

WINDOWS = 1000
_SEQUENCES = "compared_sequences.npy"


def keep_sequences(directory: Path, ends: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
    """Note in a study's folder where sequences lie in its rows, to compare on those of them.

    `ends` and `lengths` (sequences,) are those of `Sequences`, for the sequences trained on.
    """
    picked = np.linspace(0, len(ends) - 1, WINDOWS).round().astype(np.int64)
    with atomically(directory / _SEQUENCES) as path, path.open("wb") as file:
        np.save(file, np.stack([ends[picked], lengths[picked]]), allow_pickle=False)


def comparison_windows(directory: Path, about: Metadata) -> NDArray[np.float32]:
    """Windows (windows, timesteps, columns) from the first to the last of those trained on.

    Data too short for so many have some of them twice.

    Raises:
        InputError: the study's rows are not there.
    """
    rows = _load(rows_file(about.provenance.data["fingerprint"], directory))
    windows: NDArray[np.floating[Any]]
    if about.task == "classification":
        ends, lengths = _load(directory / _SEQUENCES)
        windows = padded_windows(rows, ends, lengths, about.timesteps)
    else:
        data = about.provenance.data
        first = data["first_row"] + about.timesteps
        ends = np.linspace(first, data["end_row"], WINDOWS).round().astype(np.int64)
        windows = rows[ends[:, None] + np.arange(-about.timesteps, 0)]
    return windows.astype(np.float32)


def _load(path: Path) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise InputError(
            f"{path}: the study's rows are not there; `lstm-search run` with its file writes them again"
        ) from None
    return found
