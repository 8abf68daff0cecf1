"""From a study file to what every trial of classification shares, checked before anything is trained."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from objectives.classification.messages import SequenceTask, TextTask
from objectives.classification.reading import read_sequences, sequences_from_frame
from objectives.classification.sequences import Sequences, SequenceSplit
from objectives.classification.split import split_hash, split_sequences
from objectives.classification.windows import rows_within
from objectives.errors import InputError
from search.preparation import check_precision, write_rows
from search.study import ONE_FOLD, ClassificationStudy


@dataclass(frozen=True)
class SequencePreparation:
    """Labelled sequences divided for a study; the hash is of those that validate."""

    sequences: Sequences
    split: SequenceSplit
    target_hash: str

    @property
    def fingerprint(self) -> str:
        """Identifies the data."""
        return self.sequences.fingerprint

    @property
    def target_values(self) -> str:
        """SHA-256 in hex of all labels, and of how long what they label is.

        Studies of one hash and one `target_hash` have comparable scores, whatever else they see.
        """
        sequences = self.sequences
        digest = hashlib.sha256(json.dumps(sequences.classes).encode())
        for numbers in (sequences.labels, sequences.lengths):
            digest.update(numbers.astype("<i8").tobytes())
        return digest.hexdigest()


def prepare_sequences(
    study: ClassificationStudy, frame: pd.DataFrame | None = None
) -> SequencePreparation:
    """Read and check the data, and divide them.

    Raises:
        InputError: anything about the data or the split that cannot be.
    """
    sequences = (
        read_sequences(study.data) if frame is None else sequences_from_frame(frame, study.data)
    )
    split = split_sequences(sequences, study.split, study.study.seed)
    if not sequences.words:
        training = np.unique(np.concatenate([fold.train for fold in split.folds]))
        ends, lengths = sequences.ends[training], sequences.lengths[training]
        rows = sequences.values[rows_within(ends, lengths, len(sequences.values))]
        check_precision(sequences.features, rows, sequences.source)
    return SequencePreparation(sequences, split, split_hash(split))


def settled_study(
    study: ClassificationStudy, preparation: SequencePreparation
) -> ClassificationStudy:
    """The study with what the data decide: the number of folds, and how long "all" timesteps are.

    Raises:
        InputError: the space asks for more timesteps than any sequence has, or the pruner for one fold.
    """
    folds = len(preparation.split.folds)
    if study.study.pruner == "hyperband" and folds > 1:
        raise InputError(ONE_FOLD)
    split = study.split.model_copy(update={"folds": folds})
    space = study.space.for_longest(int(preparation.sequences.lengths.max()))
    return study.model_copy(update={"split": split, "space": space})


def share_sequences(preparation: SequencePreparation, study: ClassificationStudy) -> SequenceTask:
    """Write the rows where every trial can map them into its memory."""
    sequences = preparation.sequences
    rows = write_rows(sequences.values, sequences.fingerprint, study)
    return task_with_rows(preparation, study, rows)


def task_with_rows(
    preparation: SequencePreparation, study: ClassificationStudy, rows: Path
) -> SequenceTask:
    """The task of a study whose rows lie in a .npy file."""
    sequences = preparation.sequences
    task = SequenceTask(
        rows=rows,
        ends=sequences.ends,
        lengths=sequences.lengths,
        labels=sequences.labels,
        names=sequences.classes,
        split=preparation.split,
        training=study.training,
    )
    if not sequences.words:
        return task
    return TextTask(**vars(task), words=sequences.words, vocabulary=study.data.vocabulary)
