"""Reading .ts files, the text format of sktime and aeon for labelled series."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.classification.recordings import Recordings, whole
from objectives.data.reading import shown
from objectives.errors import InputError

_COMMENTS = ("#", "%")


def read_ts(path: Path, source: str, *, labelled: bool = True) -> Recordings:
    """Read a .ts file: a case a line, its dimensions apart by colons, the class label last.

    Cases may differ in length, `?` and NaN are missing values. Dimensions are called "dimension_1" and
    so on, cases by their lines, counted from 1.

    Args:
        path: the file.
        source: how messages name it.
        labelled: whether every case must have a label; it is "" where one has none and need not.

    Raises:
        InputError: not UTF-8 text, no data, time stamps, no class labels where there must be, unlike
            numbers of dimensions, unlike lengths of dimensions within a case, or a value that is no
            number.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{source}: is not a .ts text file in UTF-8") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from None
    first, has_labels = _read_header(lines, source)
    if labelled and not has_labels:
        raise InputError(
            f"{source}: the cases have no class labels: give a file that was made for classification"
        )
    cases: list[NDArray[np.float64]] = []
    labels: list[str] = []
    names: list[str] = []
    for number, text in _cases(lines, first):
        where = f"{source}: line {number}"
        series, label = text.rsplit(":", 1) if has_labels and ":" in text else (text, "")
        if labelled and label.strip() in ("", "?"):
            raise InputError(f"{where}: no class label after the last colon: give every case one")
        values = _case(series, where)
        if cases and values.shape[1] != cases[0].shape[1]:
            raise InputError(
                f"{source}: line {number} has {values.shape[1]} dimensions where the first case has "
                f"{cases[0].shape[1]}: give all cases the same"
            )
        cases.append(values)
        labels.append(label.strip())
        names.append(f"line {number}")
    if not cases:
        raise InputError(f"{source}: has no cases after @data")
    features = tuple(f"dimension_{number}" for number in range(1, cases[0].shape[1] + 1))
    return whole(cases, labels, names, features, source)


def _read_header(lines: list[str], source: str) -> tuple[int, bool]:
    """Find the line after @data and whether cases have labels, and refuse what is not read."""
    labels = True
    for number, line in enumerate(lines):
        words = line.strip().lower().split()
        if not words or words[0].startswith(_COMMENTS):
            continue
        if words[0] == "@data":
            return number + 1, labels
        if words[:2] == ["@timestamps", "true"]:
            raise InputError(f"{source}: line {number + 1}: time stamps in .ts files are not read")
        if words[0] == "@targetlabel" or words[:2] == ["@classlabel", "false"]:
            labels = False
        if not words[0].startswith("@"):
            break
    raise InputError(f"{source}: is not a .ts file: it has no line @data after its header")


def _cases(lines: list[str], first: int) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines[first:], start=first + 1):
        text = line.strip()
        if text and not text.startswith(_COMMENTS):
            yield number, text


def _case(text: str, where: str) -> NDArray[np.float64]:
    """The values of a case (steps, dimensions)."""
    columns = [_numbers(dimension, where) for dimension in text.split(":")]
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(str(len(column)) for column in columns)
        raise InputError(
            f"{where}: the dimensions of a case must be equally long. Received: {lengths}"
        )
    return np.column_stack(columns)


def _numbers(dimension: str, where: str) -> NDArray[np.float64]:
    cells = [cell.strip() for cell in dimension.split(",")] if dimension.strip() else []
    try:
        return np.array([np.nan if cell == "?" else float(cell) for cell in cells], np.float64)
    except ValueError:
        bad = next(cell for cell in cells if cell != "?" and not _is_number(cell))
        raise InputError(f"{where}: expected a number or ?, received {shown(bad)}") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
