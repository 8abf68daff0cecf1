"""Checks of the audit that learn and classify once more, with noise or nothing where none may look."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from objectives.classification.messages import SequenceTask
from objectives.classification.sequences import Sequences
from objectives.trials.messages import Compute, TrialOutcome, TrialRequest
from reports.wording import counted, listed, number
from search.audit.checklist import Finding
from search.classification.audit_subject import ClassSubject, covered
from search.classification.preparation import task_with_rows
from search.selection.refitting import MODEL, classify_with, in_worker

_UNCHANGED = 1e-5  # of a probability: models compute in float32
_MOST = 1000  # sequences that are classified again, so that a long test set is not
_ALONE = 3  # sequences that are classified without padding, since each needs a model of its own
_NOISE = 10.0  # deviations of a column, so that a statistic of it could not stay as it was


def learning(subject: ClassSubject) -> Finding:
    """Whether the winner begins to learn the same way.

    Scaling, class weights, a vocabulary, whatever is fitted: all of it would reach the weights.
    """
    sequences, train = subject.sequences, subject.preparation.split.folds[-1].train
    rows = covered(sequences, train)
    strange = np.zeros_like(sequences.labels)  # another frequency of classes, too
    strange[train] = sequences.labels[train]
    first = _first_epoch(subject, sequences.values, sequences.labels)
    again = _first_epoch(subject, _with_noise(sequences, ~rows), strange)
    apart = [float(np.abs(a - b).max()) for a, b in zip(first.weights, again.weights, strict=True)]
    others = int((strange != sequences.labels).sum())
    return max(apart) == 0.0, (
        f"with {int((~rows).sum())} rows replaced by noise and {others} labels by "
        f"{sequences.classes[0]!r}, weights after an epoch of fold "
        f"{len(subject.preparation.split.folds)} differ by {number(max(apart), 2)} at most"
    )


def _first_epoch(
    subject: ClassSubject, values: NDArray[np.float64], labels: NDArray[np.int64]
) -> TrialOutcome:
    """Train the winner, as it was begun in the last fold, on other rows and labels."""
    training = subject.study.training.model_copy(update={"epochs": 1})
    with TemporaryDirectory() as folder:
        task = replace(task_of(subject, values, Path(folder)), labels=labels, training=training)
        task = replace(task, split=task.split.last_fold())
        outcome: TrialOutcome = in_worker(
            TrialRequest(task, subject.winner, subject.stored.seed), Compute()
        )
    return outcome


def task_of(subject: ClassSubject, values: NDArray[np.float64], folder: Path) -> SequenceTask:
    """The task on other rows (rows, features), which are written into `folder`."""
    path = folder / "rows.npy"
    np.save(path, values, allow_pickle=False)
    return task_with_rows(subject.preparation, subject.study, path)


def _with_noise(sequences: Sequences, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A copy of the rows of which some are normal noise, far wider than the columns; or any words."""
    values, count = sequences.values, int(rows.sum())
    generator, changed = np.random.default_rng(len(values)), values.copy()
    if sequences.words:
        changed[rows, 0] = generator.integers(len(sequences.words), size=count)
        return changed
    drawn = generator.normal(size=(count, values.shape[1]))
    changed[rows] = values.mean(axis=0) + _NOISE * (values.std(axis=0) + 1) * drawn
    return changed


def other_rows(subject: ClassSubject) -> Finding:
    """Whether half of the test's probabilities stay as they are; of a stream, of earlier windows."""
    sequences, test = subject.sequences, subject.preparation.split.test
    order = np.argsort(sequences.ends[test], kind="stable")
    middle = (len(order) + 1) // 2
    asked = order[max(0, middle - _MOST) : middle]  # places in the test part
    later = order[middle : middle + _MOST]
    replaced = ~covered(sequences, test[asked])
    if sequences.stream:
        now = sequences.ends[test[asked]].max()
        replaced = np.arange(len(sequences.values)) >= now
    both = np.concatenate([asked, later])
    with TemporaryDirectory() as folder:
        task = task_of(subject, _with_noise(sequences, replaced), Path(folder))
        found = classify_with(subject.directory / MODEL, task, test[both])
    change = np.abs(found - subject.stored.test[both]).max(axis=1)
    mine, others = change[: len(asked)], change[len(asked) :]
    return bool(mine.max() <= _UNCHANGED), (
        f"with {int(replaced.sum())} rows replaced by noise, the probabilities of "
        f"{counted(len(asked), 'test sequence')} without them differ from the stored ones by "
        f"{number(float(mine.max()), 2)} at most, of others by "
        f"{number(float(others.max(initial=0.0)), 2)}"
    )


def shorter_tests(subject: ClassSubject) -> NDArray[np.int64]:
    """Places in the test part of a few sequences of different length that need padding."""
    lengths = subject.sequences.lengths[subject.preparation.split.test]
    found, places = np.unique(lengths, return_index=True)
    padded = places[found < subject.winner.timesteps]
    chosen = np.linspace(0, len(padded) - 1, min(_ALONE, len(padded))).round().astype(np.int64)
    return padded[chosen].astype(np.int64)


def padding(subject: ClassSubject) -> Finding:
    """Whether sequences that are classified alone, without padding, have the same probabilities."""
    places, test = shorter_tests(subject), subject.preparation.split.test
    with TemporaryDirectory() as folder:
        task = task_of(subject, subject.sequences.values, Path(folder))
        model = subject.directory / MODEL
        found = classify_with(model, task, test[places], alone=subject.winner)
    change = float(np.abs(found - subject.stored.test[places]).max())
    lengths = [str(length) for length in subject.sequences.lengths[test[places]]]
    steps = "words" if subject.sequences.words else "steps"
    return change <= _UNCHANGED, (
        f"{counted(len(places), 'test sequence')} of {listed(lengths)} instead of "
        f"{subject.winner.timesteps} {steps}, each alone in networks of its length, differ from the "
        f"stored probabilities by {number(change, 2)} at most"
    )
