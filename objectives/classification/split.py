"""Which sequences train, validate and test, the same for every trial.

Stratified by class; with groups none stands on both sides; a stream is cut in time.
"""

import hashlib
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from objectives.classification.sequences import SequenceFold, Sequences, SequenceSplit
from objectives.classification.settings import MANY_SEQUENCES, SequenceSplitSettings
from objectives.errors import InputError

_DEFAULT_FOLDS = 5
_Numbers = NDArray[np.int64]


def split_sequences(
    sequences: Sequences, settings: SequenceSplitSettings, seed: int
) -> SequenceSplit:
    """Divide sequences into folds and a test part.

    Args:
        sequences: an official test part among them is kept.
        settings: shares and folds.
        seed: decides who goes where, except in a stream.

    Returns:
        At least one fold; every class trains in each of them.

    Raises:
        InputError: a class is too rare to train, validate and test, there are too few groups, or a part
            would be without sequences.
    """
    if len(sequences.classes) < 2:
        raise InputError(
            f"{sequences.source}: every sequence is labelled {sequences.classes[0]!r}: give sequences "
            "of two classes at least"
        )
    if sequences.stream and sequences.groups is None:
        split = _in_time(sequences, settings)
    else:
        rest, test = _test(sequences, settings, seed)
        split = SequenceSplit(tuple(_folds(sequences, rest, settings, seed)), test)
    _check(sequences, split)
    return split


def split_hash(split: SequenceSplit) -> str:
    """Hash which sequences trials are judged on, over all folds: SHA-256 in hex."""
    digest = hashlib.sha256()
    for fold in split.folds:
        digest.update(f"{len(fold.validation)} sequences:".encode())
        digest.update(fold.validation.astype("<i8").tobytes())
    return digest.hexdigest()


def part_hash(numbers: NDArray[np.int64]) -> str:
    """Hash which sequences a part is made of: SHA-256 in hex."""
    return hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()


def _test(
    sequences: Sequences, settings: SequenceSplitSettings, seed: int
) -> tuple[_Numbers, _Numbers]:
    everything = np.arange(len(sequences.labels), dtype=np.int64)
    if sequences.official_test is not None:
        rest, test = everything[~sequences.official_test], everything[sequences.official_test]
        _check_all_train(sequences, rest)
        return rest, test
    return _one_cut(sequences, everything, settings.test, _seed(seed, 0))


def _folds(
    sequences: Sequences, rest: _Numbers, settings: SequenceSplitSettings, seed: int
) -> Iterator[SequenceFold]:
    from sklearn.model_selection import (  # noqa: PLC0415  (a second that forecasts need not wait)
        StratifiedGroupKFold,
        StratifiedKFold,
    )

    count = settings.folds or (_DEFAULT_FOLDS if len(rest) < MANY_SEQUENCES else 1)
    if count == 1:
        share = settings.validation * len(sequences.labels) / len(rest)
        yield SequenceFold(*_one_cut(sequences, rest, min(share, 0.5), _seed(seed, 1)))
        return
    labels = sequences.labels[rest]
    if sequences.groups is None:
        _check_counts(sequences, rest, count)
        cuts = StratifiedKFold(count, shuffle=True, random_state=_seed(seed, 1)).split(rest, labels)
    else:
        groups = sequences.groups[rest]
        _check_groups(sequences, groups, count)
        if np.bincount(labels).max() < count:  # a rarer class may do, if it trains in every fold
            _check_counts(sequences, rest, count)
        folds = StratifiedGroupKFold(count, shuffle=True, random_state=_seed(seed, 1))
        with warnings.catch_warnings(category=UserWarning, action="ignore"):  # of rarer classes
            cuts = list(folds.split(rest, labels, groups))
    for train, validation in cuts:
        yield SequenceFold(rest[train], rest[validation])


def _one_cut(
    sequences: Sequences, numbers: _Numbers, share: float, seed: int
) -> tuple[_Numbers, _Numbers]:
    """Cut once: what stays, and a share that is stratified, or made of whole groups."""
    from sklearn.model_selection import (  # noqa: PLC0415
        GroupShuffleSplit,
        StratifiedShuffleSplit,
    )

    labels = sequences.labels[numbers]
    if sequences.groups is not None:
        groups = sequences.groups[numbers]
        _check_groups(sequences, groups, 2)
        cutter = GroupShuffleSplit(1, test_size=share, random_state=seed)
        left, right = next(cutter.split(numbers, labels, groups))
    else:
        _check_counts(sequences, numbers, 2)
        least = len(np.unique(labels))
        size = max(least, round(share * len(numbers)))
        if len(numbers) - size < least:
            raise InputError(
                f"{sequences.source}: {len(numbers)} sequences of {least} classes are too few to cut "
                f"{share:.0%} from: give more sequences"
            )
        stratified = StratifiedShuffleSplit(1, test_size=size, random_state=seed)
        left, right = next(stratified.split(numbers, labels))
    return np.sort(numbers[left]), np.sort(numbers[right])


def _in_time(sequences: Sequences, settings: SequenceSplitSettings) -> SequenceSplit:
    """Cut windows of one stream in time, leaving out those that share rows with a later part."""
    if settings.folds not in (None, 1):
        raise InputError(
            f"[split] folds = {settings.folds}: a stream without groups is cut in time and has one "
            "fold: leave folds out, or name a group column"
        )
    numbers = np.arange(len(sequences.labels), dtype=np.int64)
    if sequences.official_test is None:
        test = numbers[round((1 - settings.test) * len(numbers)) :]
    else:
        test = numbers[sequences.official_test]
    rest = _before(sequences, numbers[~np.isin(numbers, test)], test)
    size = round(settings.validation * len(numbers))
    validation = rest[len(rest) - size :]
    train = _before(sequences, rest[: len(rest) - size], validation)
    return SequenceSplit((SequenceFold(train, validation),), test)


def _before(sequences: Sequences, numbers: _Numbers, later: _Numbers) -> _Numbers:
    """Those that share no row with any of the later windows."""
    if len(later) == 0:
        return numbers
    first, last = _reach(sequences, later)
    starts, ends = sequences.ends[numbers] - sequences.lengths[numbers], sequences.ends[numbers]
    return numbers[(ends <= first) | (starts >= last)]


def _reach(sequences: Sequences, numbers: _Numbers) -> tuple[int, int]:
    starts = sequences.ends[numbers] - sequences.lengths[numbers]
    return int(starts.min()), int(sequences.ends[numbers].max())


def _check_counts(sequences: Sequences, numbers: _Numbers, least: int) -> None:
    counts = np.bincount(sequences.labels[numbers], minlength=len(sequences.classes))
    rare = int(counts.argmin())
    if counts[rare] < least:
        raise InputError(
            f"{sequences.source}: to train and validate on there are fewer sequences of class "
            f"{sequences.classes[rare]!r} than {least}: give more of them"
            + (f", or set [split] folds to {counts[rare]}" if 2 <= counts[rare] < least else "")
            + f". Received: {counts[rare]}"
        )


def _check_all_train(sequences: Sequences, numbers: _Numbers) -> None:
    """Raise InputError for a class that only the official test part has."""
    counts = np.bincount(sequences.labels[numbers], minlength=len(sequences.classes))
    if (counts == 0).any():
        name = sequences.classes[int((counts == 0).argmax())]
        raise InputError(
            f"{sequences.source}: class {name!r} has test sequences, but none in the training data: "
            "give training sequences of it, or leave it out of the test data"
        )


def _check_groups(sequences: Sequences, groups: _Numbers, least: int) -> None:
    found = len(np.unique(groups))
    if found < least:
        raise InputError(
            f"{sequences.source}: {found} group{'' if found == 1 else 's'} cannot be divided into "
            f"{least} parts: give more groups, or set [split] folds to {max(found, 1)}"
        )


def _check(sequences: Sequences, split: SequenceSplit) -> None:
    """Raise InputError for an empty part, and for a class that one of the folds does not train on."""
    parts = [("test", split.test)]
    for fold in split.folds:
        parts += [("training", fold.train), ("validation", fold.validation)]
    for name, numbers in parts:
        if len(numbers) == 0:
            raise InputError(
                f"{sequences.source}: the {name} part has no sequences: give more data"
            )
    for number, fold in enumerate(split.folds, start=1):
        counts = np.bincount(sequences.labels[fold.train], minlength=len(sequences.classes))
        if (counts == 0).any():
            name = sequences.classes[int((counts == 0).argmax())]
            raise InputError(
                f"{sequences.source}: class {name!r} is missing from the training part of fold {number} "
                f"of {len(split.folds)}: give it more sequences, or more groups"
            )


def _seed(seed: int, purpose: int) -> int:
    return int(np.random.SeedSequence((seed, purpose)).generate_state(1)[0])
