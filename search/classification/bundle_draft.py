"""What a bundle will say of a classifier, known once it is tested and kept until it is exported."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import PADDING
from objectives.classification.metrics import scores
from objectives.classification.sequences import Sequences
from objectives.classification.vocabulary import joined_texts
from objectives.classification.windows import needs_padding, rows_hash, rows_within
from objectives.export.messages import TEXT, WINDOW
from objectives.objective import any_hyperparameters
from objectives.scaling import fit_scaling
from reports.bundle import Metadata
from reports.bundle.metadata import (
    SCHEMA,
    Column,
    Preprocessing,
    SequenceRows,
    Tensor,
    TestScores,
    TimeAxis,
)
from reports.wording import counted
from search.bundles.bundle_draft import UNITS, describe_column, finite_scores, provenance
from search.bundles.comparison_windows import keep_sequences, keep_texts
from search.classification.preparation import SequencePreparation
from search.classification.stored import StoredProbabilities
from search.selection.refitting import Refitted
from search.study import ClassificationStudy
from storage.records import TrialRecord

_GROUP = "group"  # the column that a table of sequences may have without being told so


def draft_classifier(
    study: ClassificationStudy,
    preparation: SequencePreparation,
    winner: TrialRecord,
    refitted: Refitted,
    stored: StoredProbabilities,
) -> Metadata:
    """Say all that a bundle of the refitted winner shall say; its version and artefacts come later.

    Columns and shares of classes are described over the sequences that the model was trained on, train
    and validation.
    """
    sequences, trained = preparation.sequences, preparation.split.train_and_validation()
    hyperparameters = any_hyperparameters(winner.attributes)
    timesteps = hyperparameters.timesteps
    counts = np.bincount(sequences.labels[trained], minlength=len(sequences.classes))
    rows = _rows(sequences, trained)
    return Metadata(
        schema=SCHEMA,
        name=study.study.name,
        version=0,
        created="",
        task="classification",
        input=_input(sequences, timesteps),
        outputs=(
            Tensor("probabilities", "float32", ("batch", len(sequences.classes)), "probabilities"),
        ),
        columns=_columns(sequences, rows),
        targets=(),
        timesteps=timesteps,
        horizon=0,
        time=TimeAxis(sequences.time_column, None, None, _zone(sequences)),
        preprocessing=_preprocessing(study, hyperparameters.scaling, rows),
        test=_test_scores(stored),
        provenance=provenance(study, winner, refitted, _data(sequences, trained)),
        artefacts={},
        labels=sequences.classes,
        class_shares=tuple((counts / len(trained)).tolist()),
        sequences=_sequence_rows(study),
        temperature=refitted.temperature,
        linear=refitted.linear,
        padding=PADDING if _padded(sequences, timesteps) else None,
    )


def keep_training_sequences(study: ClassificationStudy, preparation: SequencePreparation) -> None:
    """Note on which sequences the winner was trained, for the comparison at export."""
    sequences, trained = preparation.sequences, preparation.split.train_and_validation()
    ends, lengths = sequences.ends[trained], sequences.lengths[trained]
    if sequences.words:
        texts = joined_texts(sequences.values, ends, lengths, sequences.words)
        keep_texts(study.directory, texts)
    else:
        keep_sequences(study.directory, ends, lengths)


def _input(sequences: Sequences, timesteps: int) -> Tensor:
    if sequences.words:
        units = f"words between blanks, of which the last {timesteps} are seen"
        return Tensor(TEXT, "string", ("batch",), units)
    return Tensor(WINDOW, "float32", ("batch", timesteps, len(sequences.features)), UNITS)


def _columns(sequences: Sequences, rows: NDArray[np.float64]) -> tuple[Column, ...]:
    """The columns of measurements in the rows trained on; texts have none."""
    if sequences.words:
        return ()
    return tuple(
        describe_column(name, False, rows[:, number])
        for number, name in enumerate(sequences.features)
    )


def _padded(sequences: Sequences, timesteps: int) -> bool:
    return not sequences.words and needs_padding(sequences.lengths, timesteps)


def _rows(sequences: Sequences, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rows (rows, features) of some sequences, once each where these overlap."""
    ends, lengths = sequences.ends[numbers], sequences.lengths[numbers]
    return sequences.values[rows_within(ends, lengths, len(sequences.values))]


def _preprocessing(
    study: ClassificationStudy, kind: str, rows: NDArray[np.float64]
) -> Preprocessing:
    if study.data.text is not None:
        return Preprocessing("words", (), (), "probabilities", "none")
    scaling = fit_scaling(kind, rows)
    return Preprocessing(
        kind=kind,
        center=tuple(scaling.center.tolist()),
        scale=tuple(scaling.scale.tolist()),
        output="probabilities",
        fill=study.data.fill,
    )


def _sequence_rows(study: ClassificationStudy) -> SequenceRows:
    data = study.data
    length = data.timesteps
    stride = data.stride or length
    return SequenceRows(data.id, data.label, data.group or _GROUP, length, stride, data.text)


def _data(sequences: Sequences, trained: NDArray[np.int64]) -> dict[str, Any]:
    times, everything = sequences.times, np.arange(len(sequences.labels))
    return {
        "source": Path(sequences.source).name,
        "fingerprint": sequences.fingerprint,
        "rows": len(sequences.values),
        "trained_on": counted(len(trained), "sequence"),
        "rows_hashes": [rows_hash(sequences, some) for some in (everything, trained)],
        "fitted_until": None if times is None else times[trained].max().isoformat(),
    }


def _zone(sequences: Sequences) -> str | None:
    return "UTC" if sequences.times is not None and sequences.times.tz is not None else None


def _test_scores(stored: StoredProbabilities) -> TestScores:
    classes = len(stored.classes)
    return TestScores(
        model=finite_scores(scores(stored.truth, stored.test, classes)),
        naive={
            name: finite_scores(scores(stored.truth, found, classes))
            for name, found in stored.baselines.items()
        },
    )
