"""A new classifier against the one in production, on labelled sequences that neither has seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.metrics import scores
from objectives.classification.reading import read_sequences, sequences_from_frame
from objectives.classification.sequences import Sequences
from objectives.classification.settings import SequenceSettings
from objectives.classification.uncertainty import (
    LEAST_CLUSTERS,
    clusters_of,
    mcnemar,
    resampled_scores,
)
from objectives.classification.windows import rows_hash
from objectives.errors import InputError
from objectives.judging.uncertainty import interval
from reports.bundle import Bundle, Metadata
from reports.bundle.classifying import classify
from reports.bundle.metadata import SequenceRows
from reports.bundle.timeline import without_zone
from search.bundles.challenge import Contest
from search.bundles.fresh_rows import FreshRows, read_rows
from search.bundles.fresh_sequences import ARRAY_FILES, fresh_sequences, sequences_of

_CHALLENGER, _CHAMPION = "challenger", "champion"
_SEED = 0  # of the resamples; the same data give the same decision
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class ClassVerdict(Contest):
    """Two classifiers, by their log losses.

    The bootstrap drew whole clusters: groups, or blocks of neighbouring windows of a stream, or single
    sequences. `p` is that of McNemar's test of the accuracies.
    """

    sequences: int
    clusters: int
    challenger_accuracy: float
    champion_accuracy: float
    p: float


def challenge_classifier(challenger: Bundle, champion: Bundle, data: str) -> ClassVerdict:
    """Score two models on the same labelled sequences of a file, or of standard input ("-").

    Raises:
        InputError: the models do not tell the same classes apart, the file cannot be read or has too few
            sequences, or one of the models was made from it.
        reports.bundle.BundleError: the sequences do not fit a model.
    """
    _check_comparable(challenger.metadata, champion.metadata)
    rows = None if Path(data).suffix.lower() in ARRAY_FILES else read_rows(data)
    truths, predictions = [], {}
    for name, bundle in ((_CHALLENGER, challenger), (_CHAMPION, champion)):
        labelled = _labelled(data, rows, bundle.metadata)
        _check_fresh(labelled, bundle.metadata)
        truths.append(_truth(labelled, bundle.metadata))
        predictions[name] = _probabilities(bundle, data, rows)
    clusters = clusters_of(labelled, np.arange(len(truths[0])), _overlap(labelled), predictions)
    return _judge(truths[0], predictions, clusters, len(challenger.metadata.labels), data)


def _check_comparable(mine: Metadata, theirs: Metadata) -> None:
    for what, one, other in (
        ("task", mine.task, theirs.task),
        ("labels", mine.labels, theirs.labels),
        ("sequences", mine.sequences, theirs.sequences),
    ):
        if one != other:
            raise InputError(
                f"the two models cannot be compared: their {what} differ: {one} and {other}"
            )


def _labelled(data: str, rows: FreshRows | None, about: Metadata) -> Sequences:
    """Read sequences with their labels as `run` does, but for a split: all of them are fresh."""
    layout = _layout(about)
    fill: Any = "none" if layout.text else about.preprocessing.fill
    if rows is None:
        return read_sequences(SequenceSettings(task="classification", path=data, fill=fill))
    settings = SequenceSettings(
        task="classification",
        id=layout.id,
        label=layout.label,
        time=about.time.column,
        group=layout.group if layout.group in rows.table.columns else None,
        features=about.numeric_columns or None,
        timesteps=layout.length,
        stride=layout.stride,
        fill=fill,
        text=layout.text,
    )
    table = rows.table.drop(columns="split", errors="ignore")
    return sequences_from_frame(table, settings, rows.source)


def _layout(about: Metadata) -> SequenceRows:
    if about.sequences is None:
        raise InputError(
            f"the model {about.name!r} does not say how rows make up sequences: export it again"
        )
    return about.sequences


def _check_fresh(labelled: Sequences, about: Metadata) -> None:
    """Refuse sequences that a model was fitted on, as far as its bundle tells; inputs may be old."""
    fitted, source = about.provenance.data, labelled.source
    name = f"the model of trial {about.provenance.trial} (export {about.version})"
    # The fingerprint is of an official split too, which is left out here.
    rows = rows_hash(labelled, np.arange(len(labelled.labels)))
    if fitted.get("fingerprint") == labelled.fingerprint or rows in fitted.get("rows_hashes", ()):
        raise InputError(f"{source}: {name} was made from these very data: give newer ones")
    if labelled.times is None or fitted.get("fitted_until") is None:
        return
    until = np.datetime64(without_zone(fitted["fitted_until"], about.time.zone), "us")
    times = labelled.times if labelled.times.tz is None else labelled.times.tz_convert("UTC")
    first = times.tz_localize(None).to_numpy("datetime64[us]").min()
    if first <= until:
        raise InputError(
            f"{source}: {name} was fitted on rows up to {fitted['fitted_until']}, and the first window "
            f"ends at {first.item().isoformat()}: leave out older rows"
        )


def _truth(labelled: Sequences, about: Metadata) -> NDArray[np.int64]:
    """The number of each sequence's label among the model's, (sequences,)."""
    unknown = sorted({*labelled.classes} - {*about.labels})
    if unknown:
        raise InputError(
            f"{labelled.source}: the label {unknown[0]!r} is none of the model's: "
            f"{', '.join(about.labels)}"
        )
    numbers = np.array([about.labels.index(name) for name in labelled.classes])
    found: NDArray[np.int64] = numbers[labelled.labels]
    return found


def _probabilities(bundle: Bundle, data: str, rows: FreshRows | None) -> Probabilities:
    if rows is None:
        sequences = fresh_sequences(data, bundle.metadata, rolling=False)
    else:
        sequences = sequences_of(rows, bundle.metadata, rolling=False)
    return classify(bundle, sequences).probabilities.astype(np.float64)


def _overlap(labelled: Sequences) -> int:
    """Windows of a stream from one to the first that shares no row with it."""
    if not labelled.stream or len(labelled.ends) < 2:
        return 1
    stride = int(np.diff(labelled.ends).min())
    return -(-int(labelled.lengths[0]) // stride)


def _judge(
    truth: NDArray[np.int64],
    predictions: Mapping[str, Probabilities],
    clusters: NDArray[np.int64],
    classes: int,
    source: str,
) -> ClassVerdict:
    count = len(np.unique(clusters))
    if count < LEAST_CLUSTERS:
        raise InputError(
            f"{source}: {len(truth)} sequences in {count} independent groups are too few to tell the "
            f"models apart: give at least {LEAST_CLUSTERS}"
        )
    draws = resampled_scores(truth, predictions, clusters, classes, _SEED)
    losses = {name: draws[name]["log_loss"] for name in predictions}
    low, high = interval(losses[_CHALLENGER][1:] - losses[_CHAMPION][1:], count)
    figures = {name: scores(truth, found, classes) for name, found in predictions.items()}
    return ClassVerdict(
        challenger=float(losses[_CHALLENGER][0]),
        champion=float(losses[_CHAMPION][0]),
        low=low,
        high=high,
        short=False,
        sequences=len(truth),
        clusters=count,
        challenger_accuracy=figures[_CHALLENGER]["accuracy"],
        champion_accuracy=figures[_CHAMPION]["accuracy"],
        p=mcnemar(truth, predictions[_CHALLENGER], predictions[_CHAMPION]).p,
    )
