"""The leakage audit of a classifier: what its study claims, derived again from the data.

Nothing stored is taken on trust: the parts are compared anew, statistics are fitted anew, the winner
begins to learn once more, and the saved model classifies once more, while the rows that neither may know
are replaced by noise.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from objectives.classification.calibration import fit_temperature
from objectives.classification.split import part_hash
from objectives.classification.vocabulary import fit_vocabulary
from objectives.scaling import fit_scaling
from reports.contents import Check
from reports.wording import counted, listed, number
from search.audit.checklist import (
    ONE_WINNER,
    SAME,
    Finding,
    carry_out,
    in_ledger,
    one_winner,
    same_data,
    same_targets,
)
from search.audit.saved_scaling import (
    distance,
    saved_input_scaling,
    saved_temperature,
    saved_vocabulary,
)
from search.classification.audit_subject import ClassSubject, covered
from search.classification.disturbing import learning, other_rows, padding, shorter_tests
from search.classification.linear_audit import linear_part
from search.selection.refitting import MODEL, TRAIN_ONLY_MODEL

_Numbers = NDArray[np.int64]
_Parts = tuple[tuple[str, _Numbers], ...]


def audit_classifier(subject: ClassSubject) -> tuple[Check, ...]:
    """Make every check; one that cannot be made has failed, and its evidence says why."""
    split, sequences = subject.preparation.split, subject.sequences
    train, known = split.folds[-1].train, split.train_and_validation()
    others = "rows to come" if sequences.stream else "rows of other sequences"
    by_group = {} if sequences.groups is None else {"no group is in two parts": _groups}
    fitted, statistic = "scaled by", _scaling
    if sequences.words:
        fitted, statistic = "a vocabulary of", _vocabulary
    calibration = {}
    if subject.stored.temperature is not None:
        calibration = {"the temperature is fitted on validation sequences alone": _temperature}
    linear = {"the linear part is fitted on what each model may know": linear_part}
    unpadded = {"padding does not change a probability": padding}
    checks: dict[str, Callable[[ClassSubject], Finding]] = {
        "the data are those that were searched": _data,
        "no sequence is in two parts": _parts,
        "no row is in two parts": _rows,
        **by_group,
        "all trials were judged on the same sequences": _targets,
        f"{TRAIN_ONLY_MODEL}: {fitted} training rows alone": partial(
            statistic, TRAIN_ONLY_MODEL, train
        ),
        f"{MODEL}: {fitted} training and validation rows alone": partial(statistic, MODEL, known),
        **(linear if subject.stored.validation.linear_share else {}),
        **calibration,
        "what is not trained on does not change what is learnt": learning,
        "baselines were judged on the same sequences as the model": _baselines,
        "the model tested is in the ledger": _ledger,
        ONE_WINNER: _looks,
        f"{others} do not change a probability": other_rows,
        **(unpadded if len(shorter_tests(subject)) else {}),
    }
    return carry_out({claim: partial(check, subject) for claim, check in checks.items()})


def _data(subject: ClassSubject) -> Finding:
    sequences = subject.sequences
    rows, features = sequences.values.shape
    what = f"{counted(len(sequences.labels), 'sequence')}, {rows} rows of {features} inputs"
    return same_data(subject.claimed, what, sequences.fingerprint)


def _folds(subject: ClassSubject) -> Iterator[_Parts]:
    """The parts of each fold."""
    split = subject.preparation.split
    for fold in split.folds:
        yield ("train", fold.train), ("validation", fold.validation), ("test", split.test)


def _parts(subject: ClassSubject) -> Finding:
    split, total = subject.preparation.split, len(subject.sequences.labels)
    times = [np.concatenate([numbers for _, numbers in parts]) for parts in _folds(subject)]
    once = all(np.bincount(numbers, minlength=total).max() <= 1 for numbers in times)
    validating = np.concatenate([fold.validation for fold in split.folds])
    apart = len(np.unique(validating)) == len(validating)
    sizes = [f"{name} {len(numbers)}" for name, numbers in next(_folds(subject))]
    return once and apart, (
        f"{listed(sizes)} of {total} sequences in the first of {counted(len(split.folds), 'fold')}; "
        f"{len(validating)} validate, {len(np.unique(validating))} of them different"
    )


def _rows(subject: ClassSubject) -> Finding:
    found, shared = [], 0
    for parts in _folds(subject):
        masks = [covered(subject.sequences, numbers) for _, numbers in parts]
        shared += int((np.sum(masks, axis=0, dtype=np.int64) > 1).sum())
        found = [f"{name}: {_reach(mask)}" for (name, _), mask in zip(parts, masks, strict=True)]
    return shared == 0, f"{'; '.join(found)}; {shared} rows in two parts"


def _reach(mask: NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(mask)
    return f"{len(rows)} rows from {rows[0]} to {rows[-1]}"


def _groups(subject: ClassSubject) -> Finding:
    groups = subject.sequences.groups
    if groups is None:
        raise ValueError("the data have no groups")
    torn, sizes = set(), []
    for parts in _folds(subject):
        of_parts = [(name, set(groups[numbers].tolist())) for name, numbers in parts]
        seen = list(chain.from_iterable(mine for _, mine in of_parts))
        torn |= {group for group in seen if seen.count(group) > 1}
        sizes = [f"{name} {len(mine)}" for name, mine in of_parts]
    return not torn, f"groups of the last fold: {listed(sizes)}; {len(torn)} of them in two parts"


def _targets(subject: ClassSubject) -> Finding:
    return same_targets(subject.claimed, subject.preparation.target_hash)


def _scaling(model: str, numbers: _Numbers, subject: ClassSubject) -> Finding:
    values, kind = subject.sequences.values, subject.winner.scaling
    saved = saved_input_scaling(subject.directory / model)
    rows = covered(subject.sequences, numbers)
    from_these = distance(saved, fit_scaling(kind, values[rows]))
    from_all = distance(saved, fit_scaling(kind, values))
    return from_these <= SAME, (
        f"constants in {model} differ from those of {int(rows.sum())} rows ({kind}) by "
        f"{number(from_these, 2)} deviations at most, from those of all {len(values)} by "
        f"{number(from_all, 2)}"
    )


def _vocabulary(model: str, numbers: _Numbers, subject: ClassSubject) -> Finding:
    sequences, saved = subject.sequences, saved_vocabulary(subject.directory / model)
    seen = sequences.values[covered(sequences, numbers), 0]
    expected = fit_vocabulary(seen, sequences.words, subject.study.data.vocabulary)
    return saved == expected.words, (
        f"{model} knows {counted(len(saved), 'word')}, the most frequent of {len(np.unique(seen))} in "
        f"{counted(len(numbers), 'text')}; all texts have {len(sequences.words)}"
    )


def _temperature(subject: ClassSubject) -> Finding:
    validation, saved = subject.stored.validation, saved_temperature(subject.directory / MODEL)
    fresh = fit_temperature(validation.networks, validation.labels)
    return abs(saved / fresh - 1) <= SAME, (
        f"{MODEL} has {saved:.6g}, and {fresh:.6g} is best for the "
        f"{counted(len(validation.labels), 'sequence')} that validate"
    )


def _baselines(subject: ClassSubject) -> Finding:
    stored, split, sequences = subject.stored, subject.preparation.split, subject.sequences
    labels, known = sequences.labels, split.train_and_validation()
    validating = np.concatenate([fold.validation for fold in split.folds])
    shares = np.bincount(labels[known], minlength=len(sequences.classes)) / len(known)
    passed = (
        stored.classes == sequences.classes
        and np.array_equal(labels[split.test], stored.truth)
        and np.array_equal(labels[validating], stored.validation.labels)
        and np.allclose(stored.baselines["majority_class"], shares, rtol=SAME, atol=0)
        and all(len(found) == len(stored.truth) for found in stored.baselines.values())
    )
    return passed, (
        f"{counted(len(split.test), 'test sequence')}: the truth and the {len(known)} other "
        "sequences' shares of classes come out the same from the data"
    )


def _ledger(subject: ClassSubject) -> Finding:
    return in_ledger(subject.claimed, part_hash(subject.preparation.split.test))


def _looks(subject: ClassSubject) -> Finding:
    return one_winner(subject.claimed)
