"""Rows for an exported model, read from a file or standard input as `run` reads its data."""

import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

from objectives.reading import read_table, read_times, read_values
from objectives.settings import DataSettings
from reports.bundle import Metadata
from reports.bundle.frames import check_columns, series_from_frame
from reports.bundle.series import Series


def read_series(data: str, about: Metadata) -> Series:
    """Read the columns that a model needs and put their rows in their places.

    Args:
        data: path of a CSV or Parquet file, "-" for standard input.
        about: the model's metadata.

    Raises:
        objectives.errors.InputError: the file cannot be read, or a cell is no number or no timestamp.
        reports.bundle.BundleError: a column is missing, or timestamps are not as in training.
    """
    source = "standard input" if data == "-" else data
    table = _read_input(source) if data == "-" else read_table(Path(data), source)
    check_columns(table, about, source)
    names = tuple(column.name for column in about.columns)
    picked, values = read_values(table[list(names)], DataSettings(targets=names), source)
    frame = pd.DataFrame(values, columns=list(picked), index=table.index)
    if about.time.column in table.columns:
        frame[about.time.column], _ = read_times(table[about.time.column], source)
    return series_from_frame(frame, about, source)


def _read_input(source: str) -> pd.DataFrame:
    with tempfile.NamedTemporaryFile() as file:  # both formats are read by going to and fro
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        return read_table(Path(file.name), source)
