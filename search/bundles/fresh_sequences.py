"""Sequences for an exported classifier, read from the files that `run` reads, labelled or not."""

from pathlib import Path

import numpy as np

from objectives.classification.array_file import read_npz
from objectives.classification.ts_file import read_ts
from objectives.data.reading import read_times, to_numbers
from objectives.errors import InputError
from reports.bundle import Metadata
from reports.bundle.frames import check_columns
from reports.bundle.sequence_frames import sequences_from_frame
from reports.bundle.sequences import FreshSequences, completed
from reports.bundle.texts import FreshTexts
from search.bundles.fresh_rows import FreshRows, read_rows

ARRAY_FILES = {".ts": read_ts, ".npz": read_npz}


def fresh_sequences(data: str, about: Metadata, *, rolling: bool) -> FreshSequences | FreshTexts:
    """Read a .ts, .npz, CSV or Parquet file, or a table from standard input where `data` is "-".

    Inputs of .ts and .npz files have no names: they are the model's columns in order, and sequences are
    numbered from 0.

    Raises:
        InputError: the file cannot be read, or a cell is no number or no time.
        reports.bundle.BundleError: it does not fit the model.
    """
    path = Path(data)
    reader = ARRAY_FILES.get(path.suffix.lower())
    if reader is None:
        return sequences_of(read_rows(data), about, rolling=rolling)
    if rolling:
        raise InputError(f"{data}: holds whole sequences: leave --rolling out")
    if about.text_column is not None:
        raise InputError(f"{data}: holds no texts: give a CSV or Parquet file")
    if not path.is_file():
        raise InputError(f"{data}: no such file ({path.absolute()}): check the path")
    found = reader(path, data, labelled=False)
    if len(found.features) != len(about.columns):
        names = ", ".join(column.name for column in about.columns)
        raise InputError(
            f"{data}: has {len(found.features)} inputs, and the model needs {names}, in this order"
        )
    numbers = np.arange(len(found.ends))
    return completed(
        FreshSequences(
            found.values, found.borders, found.ends, found.lengths, "id", numbers, about, data
        )
    )


def sequences_of(rows: FreshRows, about: Metadata, *, rolling: bool) -> FreshSequences | FreshTexts:
    """Take sequences for a model from a table; see `fresh_sequences`."""
    check_columns(rows.table, about, rows.source)
    frame = rows.table.copy()
    for name in about.numeric_columns:
        frame[name], bad = to_numbers(frame[name])
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{rows.source}: column {name!r}, row {row}: expected a number, received "
                f"{rows.table[name].iloc[row]!r}"
            )
    time = about.time.column
    if time in frame.columns and frame[time].dtype.kind not in "iuf":
        frame[time] = read_times(frame[time], rows.source)[0]
    return sequences_from_frame(frame, about, rows.source, rolling=rolling)
