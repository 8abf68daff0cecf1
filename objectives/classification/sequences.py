"""Labelled sequences in memory, and which of them train, validate and test."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd  # which commands about studies need not wait for


@dataclass(frozen=True, eq=False)
class Sequences:
    """Labelled sequences, laid end to end.

    `values` (rows, features) are finite float64 and read-only. Sequence i is the `lengths[i]` rows that
    end before row `ends[i]`, both (sequences,) int64; windows of one stream share rows. `labels`
    (sequences,) int64 are numbers of `classes`. `groups` (sequences,) int64 and `official_test`
    (sequences,) bool are None where the data have none. `times` holds the moment of each sequence's last
    row where the sequences are windows of one `stream` with timestamps. `source` is the path as given,
    or "arrays"; `filled` counts the cells that the fill rule made; `time_column` names the column that
    gave rows their order, None where they are as they were.
    Of texts every row is a word, and `values` (rows, 1) are the numbers of all `words` that occur, which
    are sorted; there are none of measurements.
    """

    values: NDArray[np.float64]
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    groups: NDArray[np.int64] | None
    official_test: NDArray[np.bool_] | None
    times: "pd.DatetimeIndex | None"
    source: str
    stream: bool = False
    filled: int = 0
    time_column: str | None = None
    words: tuple[str, ...] = ()

    @property
    def reach(self) -> str:
        """How long they are, in words: "24 steps", "9 to 30 words"."""
        shortest, longest = self.lengths.min(), self.lengths.max()
        unit = "words" if self.words else "steps"
        return f"{longest} {unit}" if shortest == longest else f"{shortest} to {longest} {unit}"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex over values, layout, labels and names, not the source."""
        names = [self.classes, self.features, self.stream, *([self.words] if self.words else [])]
        digest = hashlib.sha256(json.dumps(names).encode())
        digest.update(self.values.astype("<f8").tobytes())
        for numbers in (self.ends, self.lengths, self.labels, self.groups, self.official_test):
            digest.update(b"none" if numbers is None else numbers.astype("<i8").tobytes())
        return digest.hexdigest()


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

    def last_fold(self) -> "SequenceSplit":
        """The same without the earlier folds."""
        return SequenceSplit(self.folds[-1:], self.test)

    def train_and_validation(self) -> NDArray[np.int64]:
        """Every sequence that is not a test one, in the order of the data."""
        fold = self.folds[-1]
        return np.sort(np.concatenate([fold.train, fold.validation]))
