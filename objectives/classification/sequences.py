"""Labelled sequences in memory, and which of them train, validate and test."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sequences:
    """Labelled sequences, laid end to end.

    `values` (rows, features) are finite float64 and read-only. Sequence i is the `lengths[i]` rows that
    end before row `ends[i]`, both (sequences,) int64; windows of one stream share rows. `labels`
    (sequences,) int64 are numbers of `classes`. `groups` (sequences,) int64 and `official_test`
    (sequences,) bool are None where the data have none. `times` holds the moment of each sequence's last
    row where the sequences are windows of one stream. `source` is the path as given, or "arrays".
    """

    values: NDArray[np.float64]
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    groups: NDArray[np.int64] | None
    official_test: NDArray[np.bool_] | None
    times: pd.DatetimeIndex | None
    source: str


@dataclass(frozen=True, eq=False)
class SequenceFold:
    """What one network is trained and judged on: numbers of sequences, each (some,) int64."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SequenceSplit:
    """The folds that a trial is worth the mean of, and the sequences of the test, (some,) int64."""

    folds: tuple[SequenceFold, ...]
    test: NDArray[np.int64]

    def train_and_validation(self) -> NDArray[np.int64]:
        """Every sequence that is not a test one, in the order of the data."""
        fold = self.folds[-1]
        return np.sort(np.concatenate([fold.train, fold.validation]))
