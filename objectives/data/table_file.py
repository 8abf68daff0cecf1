"""From a CSV or Parquet file to a table of cells, with one clear line for what is no such file."""

import csv
import lzma
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from objectives.data.reading import check_once, to_numbers
from objectives.errors import InputError

_BROKEN_ARCHIVES = (lzma.LZMAError, zipfile.BadZipFile, zlib.error)
_DECIMAL_COMMAS = r"\s*[+-]?\d*(?:\d|,\d+)(?:[eE][+-]?\d+)?\s*"


def read_table(path: Path, source: str) -> pd.DataFrame:
    """Read a CSV or Parquet file whole.

    Fields of CSV are separated by commas, or by what its header has instead: semicolons, tabs or bars.
    In those files decimals may be written with commas too.

    Args:
        path: the file; Parquet is known by its suffix or its first bytes, anything else is CSV.
        source: how messages name the file.

    Returns:
        One row for each data row (the header is not one), columns named by the header, in text.

    Raises:
        InputError: the file is missing, a directory, empty, unreadable or ragged, or has no rows.
    """
    if path.is_dir():
        raise InputError(f"{source}: is a directory: give the path of a CSV or Parquet file")
    if not path.exists():
        raise InputError(f"{source}: no such file ({path.absolute()}): check the path")
    try:
        frame = _read_parquet(path, source) if _is_parquet(path) else _read_csv(path, source)
    except (OSError, EOFError, ImportError, *_BROKEN_ARCHIVES) as error:
        raise InputError(f"{source}: cannot be read: {_one_line(error)}") from error
    if len(frame) == 0:
        raise InputError(f"{source}: has a header but no rows of data")
    return named_by_text(frame)


def named_by_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns named as settings name them: those of Parquet may be numbers."""
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _is_parquet(path: Path) -> bool:
    if path.suffix.lower() in {".parquet", ".pq"}:
        return True
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _read_parquet(path: Path, source: str) -> pd.DataFrame:
    if path.stat().st_size == 0:
        raise InputError(f"{source}: is empty")
    try:
        return pd.read_parquet(path)
    except ValueError as error:  # pyarrow's ArrowInvalid is one
        raise InputError(f"{source}: is not a Parquet file: {_one_line(error)}") from error


def _read_csv(path: Path, source: str) -> pd.DataFrame:
    separator = ","  # until the header tells
    try:
        separator = _separator(path)
        _check_header(_first_row(path, separator), source)
        # low_memory would mix types within a column
        frame = pd.read_csv(path, sep=separator, low_memory=False)
        if separator != "," and any(_has_decimal_commas(column) for _, column in frame.items()):
            frame = pd.read_csv(path, sep=separator, decimal=",", low_memory=False)
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{source}: is empty") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: is not a CSV text file in UTF-8 (byte 0x{error.object[error.start]:02x}): "
            "save it as CSV in UTF-8 or as Parquet"
        ) from error
    except pd.errors.ParserError as error:
        raise InputError(_ragged(str(error), separator, source)) from error
    if not isinstance(frame.index, pd.RangeIndex):
        # pandas takes surplus leading fields for an index when the first row has them
        raise InputError(
            f"{source}: row 0 has more fields than the header names ({len(frame.columns)}): "
            "give every column a name"
        )
    _put_back_none(frame, path, separator)
    return frame


def _separator(path: Path) -> str:
    """The sign that separates most names of the header; a comma where none does."""
    line = _first_row(path, "\x1f", csv.QUOTE_NONE)
    bare = re.sub(r'"[^"]*"', "", "".join(line))
    # Of as many semicolons as commas the commas are those within names.
    found = max(";,\t|", key=bare.count)
    return found if found in bare else ","


def _first_row(path: Path, separator: str, quoting: Literal[0, 3] = csv.QUOTE_MINIMAL) -> list[str]:
    """The fields of the header as they stand there: pandas renames a repeated name without a word."""
    row = pd.read_csv(
        path,
        sep=separator,
        header=None,
        nrows=1,
        dtype=str,
        keep_default_na=False,
        quoting=quoting,
    )
    return [str(name) for name in row.iloc[0]]


def _check_header(names: list[str], source: str) -> None:
    if any("\x00" in name for name in names):
        raise InputError(f"{source}: is not a CSV text file: save it as CSV in UTF-8 or as Parquet")
    check_once([name for name in names if name], "the header", source)


def _put_back_none(frame: pd.DataFrame, path: Path, separator: str) -> None:
    """Let "None" be a word, such as no holiday, in columns of words: to pandas the cell is missing."""
    places = [
        place
        for place, (_, column) in enumerate(frame.items())
        if column.isna().any() and _has_words(column)
    ]
    if places:
        cells = pd.read_csv(path, sep=separator, usecols=places, dtype=str, keep_default_na=False)
        for name, column in cells.items():
            found = column == "None"
            if found.any():
                frame[name] = frame[name].astype(object).mask(found, "None")


def _has_words(column: "pd.Series[Any]") -> bool:
    numbers, others = to_numbers(column)
    return bool(np.isfinite(numbers).sum() <= others.sum())


def _has_decimal_commas(column: "pd.Series[Any]") -> bool:
    """Whether most cells are numbers if a comma in them is a decimal one, and some have such a comma."""
    if column.dtype.kind in "biufcmM":
        return False
    cells = column.dropna().astype(str)
    numbers = cells[cells.str.fullmatch(_DECIMAL_COMMAS)]
    return len(numbers) > len(cells) / 2 and bool(numbers.str.contains(",").any())


def _ragged(message: str, separator: str, source: str) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if found is None:
        return f"{source}: is not a CSV file: {_one_line(message)}"
    expected, line, received = (int(group) for group in found.groups())
    return (
        f"{source}: row {line - 2} (line {line}) has {received} fields where {expected} are "
        f"expected: quote text that contains {separator!r}, or mend the row"
    )


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__
