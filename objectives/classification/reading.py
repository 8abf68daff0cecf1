"""From files to labelled sequences, checked and complete, or refused with one clear line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from objectives.classification.array_file import read_npz
from objectives.classification.labels import number_labels
from objectives.classification.recordings import Recordings, fill
from objectives.classification.sequences import Sequences
from objectives.classification.settings import SequenceSettings
from objectives.classification.tables import recordings_from_frame
from objectives.classification.texts import recordings_from_texts
from objectives.classification.ts_file import read_ts
from objectives.data.reading import listed
from objectives.data.table_file import read_table
from objectives.errors import InputError


def read_sequences(settings: SequenceSettings) -> Sequences:
    """Read the sequences that the settings name, those of the official test set behind the others.

    Raises:
        InputError: one line saying what is wrong, where, what was received and what to do.
    """
    if settings.path is None:
        raise InputError("[data] path is missing: give a CSV, Parquet, .ts or .npz file")
    found = _read(settings.path, settings)
    filled = fill(found, settings.fill, settings.path)
    if settings.test_path is None:
        return _checked(found, settings.path, filled)
    test = _read(settings.test_path, settings)
    filled += fill(test, settings.fill, settings.test_path)
    return _checked(_joined(found, test, settings), settings.path, filled)


def sequences_from_frame(
    frame: pd.DataFrame, settings: SequenceSettings, source: str = "DataFrame"
) -> Sequences:
    """Take sequences from a table; see `read_sequences`.

    Raises:
        InputError: one line saying what is wrong, where, what was received and what to do.
    """
    found = _from_table(frame, settings, source)
    return _checked(found, source, fill(found, settings.fill, source))


def _read(name: str, settings: SequenceSettings) -> Recordings:
    path = Path(name)
    readers = {".ts": read_ts, ".npz": read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        return _from_table(read_table(path, name), settings, name)
    if settings.text is not None:
        raise InputError(
            f"{name}: holds no texts: give a CSV or Parquet file, or leave [data] text out"
        )
    if settings.timesteps is not None:
        raise InputError(
            f"{name}: holds sequences, not a stream to be cut: leave [data] timesteps and stride out"
        )
    if not path.is_file():
        raise InputError(f"{name}: no such file ({path.absolute()}): check the paths in [data]")
    return reader(path, name)


def _from_table(frame: pd.DataFrame, settings: SequenceSettings, source: str) -> Recordings:
    if len(frame) == 0:
        raise InputError(f"{source}: has no rows of data")
    take = recordings_from_frame if settings.text is None else recordings_from_texts
    return take(frame, settings, source)


def _joined(train: Recordings, test: Recordings, settings: SequenceSettings) -> Recordings:
    """Lay the official test set behind the training data."""
    if set(train.features) != set(test.features) or len(train.features) != len(test.features):
        raise InputError(
            f"{settings.test_path}: has the inputs {listed(test.features)}, but {settings.path} has "
            f"{listed(train.features)}: give both the same"
        )
    if (train.groups is None) != (test.groups is None):
        raise InputError(f"{settings.test_path}: give both files groups, or neither")
    rows = len(train.values)
    columns = [test.features.index(name) for name in train.features]
    words, train_values, test_values = _same_words(train, test)
    times = None
    if train.times is not None and test.times is not None:
        times = pd.DatetimeIndex(train.times.append(test.times))
    return Recordings(
        values=np.concatenate([train_values, test_values[:, columns]]),
        borders=np.concatenate([train.borders, test.borders[1:] + rows]),
        names=[*train.names, *test.names],
        features=train.features,
        ends=np.concatenate([train.ends, test.ends + rows]),
        lengths=np.concatenate([train.lengths, test.lengths]),
        labels=[*train.labels, *test.labels],
        groups=None if train.groups is None else [*train.groups, *(test.groups or ())],
        test=np.repeat([False, True], [len(train.ends), len(test.ends)]),
        times=times,
        stream=train.stream,
        time_column=train.time_column,
        words=words,
    )


def _same_words(
    train: Recordings, test: Recordings
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """The words of both and their values, where these are texts as numbers of words of both."""
    if not train.words:
        return (), train.values, test.values
    words = tuple(sorted({*train.words, *test.words}))
    first, second = (
        np.searchsorted(np.array(words, np.object_), np.array(part.words, np.object_))[
            part.values.astype(np.int64)
        ].astype(np.float64)
        for part in (train, test)
    )
    return words, first, second


def _check_whole(groups: Sequence[str], test: NDArray[np.bool_], source: str) -> None:
    """Raise InputError for a group that an official split divides: its test would be of known ones."""
    names = np.array(groups)
    torn = np.intersect1d(names[test], names[~test])
    if len(torn) > 0:
        tests, trains = ((names[side] == torn[0]).sum() for side in (test, ~test))
        more = f" (and {len(torn) - 1} more such)" if len(torn) > 1 else ""
        raise InputError(
            f"{source}: the official split divides group {str(torn[0])!r}{more}: {trains} of its "
            f"sequences train, {tests} are test ones: put each group on one side, or name no groups "
            "(rename the column) where the test may have known ones"
        )


def _checked(found: Recordings, source: str, filled: int) -> Sequences:
    classes, labels = number_labels(found.labels)
    groups: NDArray[np.int64] | None = None
    if found.groups is not None:
        if found.test is not None:
            _check_whole(found.groups, found.test, source)
        groups = pd.factorize(np.array(found.groups))[0].astype(np.int64)
    found.values.setflags(write=False)
    return Sequences(
        values=found.values,
        ends=found.ends,
        lengths=found.lengths,
        labels=labels,
        classes=classes,
        features=found.features,
        groups=groups,
        official_test=found.test,
        times=found.times,
        source=source,
        stream=found.stream,
        filled=filled,
        time_column=found.time_column,
        words=found.words,
    )
