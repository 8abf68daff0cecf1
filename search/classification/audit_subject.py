"""What the leakage audit of a classifier looks at."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import SequenceHyperparameters
from objectives.classification.sequences import Sequences
from objectives.classification.windows import rows_within
from objectives.objective import any_hyperparameters
from search.audit.checklist import Claimed
from search.classification.preparation import SequencePreparation
from search.classification.stored import StoredProbabilities
from search.study import ClassificationStudy
from storage.records import StudyRecord


@dataclass(frozen=True)
class ClassSubject:
    """A finished study of classification: its data, read and divided anew, and what it has stored.

    `runs` are those of its confirmation, None without one.
    """

    study: ClassificationStudy
    preparation: SequencePreparation
    record: StudyRecord
    runs: StudyRecord | None
    stored: StoredProbabilities

    @property
    def directory(self) -> Path:
        """The study's folder."""
        return self.study.directory

    @property
    def sequences(self) -> Sequences:
        """The data."""
        return self.preparation.sequences

    @property
    def claimed(self) -> Claimed:
        """What it has stored of itself."""
        stored = self.stored
        tested = (stored.trial, stored.seed, stored.model)
        return Claimed(self.record, self.runs, self.directory, *tested)

    @property
    def winner(self) -> SequenceHyperparameters:
        """The winner's hyperparameters."""
        found = any_hyperparameters(self.record.trials[self.stored.trial].attributes)
        if not isinstance(found, SequenceHyperparameters):
            raise TypeError(f"trial {self.stored.trial} holds {type(found).__name__}")
        return found


def covered(sequences: Sequences, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows (rows,) belong to one of some sequences."""
    return rows_within(sequences.ends[numbers], sequences.lengths[numbers], len(sequences.values))
