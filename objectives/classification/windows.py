"""Sequences cut from the rows that they lie in; free of TensorFlow."""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import PADDING
from objectives.classification.sequences import Sequences


def padded_windows(
    rows: NDArray[np.floating],
    ends: NDArray[np.int64],
    lengths: NDArray[np.int64],
    timesteps: int,
) -> NDArray[np.floating]:
    """The last `timesteps` rows of sequences as a saved model takes them.

    Args:
        rows: (rows, features).
        ends: (sequences,), the row after each sequence's last.
        lengths: (sequences,), how many rows each has.
        timesteps: rows that are kept; shorter sequences have `PADDING` before their first row.

    Returns:
        A copy, (sequences, timesteps, features).
    """
    offsets = np.arange(-timesteps, 0)
    present = offsets >= -lengths[:, None]  # (sequences, timesteps)
    windows = np.asarray(rows[np.where(present, ends[:, None] + offsets, 0)])
    return np.where(present[:, :, None], windows, PADDING)


def needs_padding(lengths: NDArray[np.int64], timesteps: int) -> bool:
    """Whether one of the sequences is shorter than what is kept of them."""
    return bool(lengths.min() < timesteps)


def rows_within(
    ends: NDArray[np.int64], lengths: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Which of `count` rows belong to a sequence, or to several that overlap, (count,).

    `ends` and `lengths` (sequences,) are those of `Sequences`.
    """
    begun = np.zeros(count + 1, np.int64)
    np.add.at(begun, ends - lengths, 1)
    np.add.at(begun, ends, -1)
    return np.cumsum(begun[:-1]) > 0


def rows_hash(sequences: Sequences, some: NDArray[np.int64]) -> str:
    """Hash the rows, or words, of some sequences, whatever is said of them: SHA-256 in hex.

    So those that lie in one file come out as they do where they are a file of their own.
    """
    covered = rows_within(sequences.ends[some], sequences.lengths[some], len(sequences.values))
    rows, digest = sequences.values[covered], hashlib.sha256()
    digest.update(json.dumps(sequences.features).encode())
    if sequences.words:
        digest.update(json.dumps([sequences.words[int(number)] for number in rows[:, 0]]).encode())
    else:
        digest.update(rows.astype("<f8").tobytes())
    return digest.hexdigest()
