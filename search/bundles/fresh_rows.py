"""Rows for an exported model, read from a file or standard input as `run` reads its data."""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from objectives.data.reading import read_times, read_values
from objectives.data.table_file import read_table
from objectives.settings import DataSettings
from reports.bundle import Metadata
from reports.bundle.frames import check_columns, series_from_frame
from reports.bundle.series import Series


@dataclass(frozen=True, eq=False)
class FreshRows:
    """A table as it was read; `source` is how messages name it."""

    table: pd.DataFrame
    source: str


def read_rows(data: str) -> FreshRows:
    """Read a CSV or Parquet file, or standard input where `data` is "-".

    Raises:
        objectives.errors.InputError: it cannot be read, or has no rows.
    """
    if data != "-":
        return FreshRows(read_table(Path(data), data), data)
    source = "standard input"
    with tempfile.NamedTemporaryFile() as file:  # both formats are read by going to and fro
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        return FreshRows(read_table(Path(file.name), source), source)


def series_of(rows: FreshRows, about: Metadata) -> Series:
    """Take the columns that a model needs and put their rows in their places.

    Raises:
        objectives.errors.InputError: a cell is no number or no timestamp.
        reports.bundle.BundleError: a column is missing, or timestamps are not as in training.
    """
    table, source = rows.table, rows.source
    check_columns(table, about, source)
    names = about.numeric_columns
    picked, values = read_values(table[list(names)], DataSettings(targets=names), source)
    frame = pd.DataFrame(values, columns=list(picked), index=table.index)
    frame[list(about.categories)] = table[list(about.categories)]
    clock = None
    if about.time.column in table.columns:
        frame[about.time.column], clock = read_times(table[about.time.column], source)
    return series_from_frame(frame, about, source, clock)
