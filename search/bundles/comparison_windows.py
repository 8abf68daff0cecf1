"""The windows on which an export compares its artefacts with Keras, taken from what was trained on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.windows import padded_windows
from objectives.errors import InputError
from objectives.export.messages import TEXT
from reports.bundle import Metadata
from reports.files import atomically, write_text_atomically
from search.preparation import rows_file

WINDOWS = 1000
_GONE = "{path}: the study's rows are not there; `lstm-search run` with its file writes them again"
_SEQUENCES, _TEXTS = "compared_sequences.npy", "compared_texts.json"
_AWKWARD_TEXTS = (  # besides those trained on, which are lowered and have single blanks
    "",
    " \t\n",
    "UPPER lower MiXeD",
    "\n two  blanks\tand\r\nothers\x0b\x0c ",
    "\u00c4RGER \u0130stanbul stra\u00dfe \u65e5\u672c \U0001f600",
    "no\u00a0break, thin\u2009blank\u2028and\x1cseparators",
)


def keep_sequences(directory: Path, ends: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
    """Note in a study's folder where sequences lie in its rows, to compare on those of them.

    `ends` and `lengths` (sequences,) are those of `Sequences`, for the sequences trained on.
    """
    picked = np.linspace(0, len(ends) - 1, WINDOWS).round().astype(np.int64)
    with atomically(directory / _SEQUENCES) as path, path.open("wb") as file:
        np.save(file, np.stack([ends[picked], lengths[picked]]), allow_pickle=False)


def keep_texts(directory: Path, texts: Sequence[str]) -> None:
    """Note in a study's folder some of the texts trained on, to compare on those."""
    picked = np.linspace(0, len(texts) - 1, WINDOWS).round().astype(np.int64)
    kept = json.dumps([texts[number] for number in picked])
    write_text_atomically(directory / _TEXTS, kept + "\n")


def comparison_windows(directory: Path, about: Metadata) -> NDArray[Any]:
    """Windows (windows, timesteps, columns) float32 from the first to the last of those trained on.

    For a model of texts it is these (texts,), and some awkward ones behind them. Data too short for so
    many have some of them twice.

    Raises:
        InputError: the study's rows are not there.
    """
    if about.input.name == TEXT:
        return np.array([*_load_texts(directory / _TEXTS), *_AWKWARD_TEXTS])
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
        raise InputError(_GONE.format(path=path)) from None
    return found


def _load_texts(path: Path) -> list[str]:
    try:
        found: list[str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(_GONE.format(path=path)) from None
    return found
