"""Rows by column name, as `/forecast` and `/classify` take them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.bundle import Metadata
from reports.bundle.timeline import Timestamps, as_texts, following, with_clock
from search.serving.errors import RequestError
from search.serving.windows import as_text_batch, shown

Rows = Sequence[Mapping[str, Any]]

_EXAMPLE_TEXT = "a text of some words"


def check_keys(asked: Mapping[str, Any], *known: str) -> None:
    """Raise RequestError where a request has a key that means nothing."""
    unknown = sorted(asked.keys() - {*known})
    if unknown:
        names = " and ".join(f'"{name}"' for name in known)
        raise RequestError(f"unknown key {shown(unknown[0])}; expected {names}")


def read_rows(rows: Any, about: Metadata) -> Rows:
    """Check that rows are a list of objects whose keys are columns of the model.

    Raises:
        RequestError: they are something else.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RequestError(f"rows: expected a list of objects. Received: {shown(rows)}")
    names = known_columns(about)
    for at, row in enumerate(rows):
        for name in row:
            if name not in names:
                raise RequestError(
                    f"rows[{at}]: unknown column {shown(name)}; known are {', '.join(names)}"
                )
    return rows


def column_names(about: Metadata) -> tuple[str, ...]:
    """The columns that every row must have: that of timestamps where the model is told the time."""
    if about.text_column is not None:
        return (about.text_column,)
    names = (*about.numeric_columns, *about.categories)
    return (*names, about.time.column) if about.calendar and about.time.column else names


def known_columns(about: Metadata) -> tuple[str, ...]:
    """The columns that a row may have: those that it must, and that of timestamps."""
    names = column_names(about)
    time = about.time.column
    return names if time is None or time in names else (*names, time)


def read_texts(rows: Rows, name: str, about: Metadata) -> list[str]:
    """A column of texts.

    Raises:
        RequestError: a row lacks it, or has something else, or there are too many.
    """
    cells = [_cell(row, name, at) for at, row in enumerate(rows)]
    found: list[str] = as_text_batch(cells, "rows", about).tolist()
    return found


def read_labels(rows: Rows, name: str) -> list[str | None]:
    """A column of categories, None for null.

    Raises:
        RequestError: a row lacks it, or has something else.
    """
    return [_label(_cell(row, name, at), name, at) for at, row in enumerate(rows)]


def read_numbers(rows: Rows, name: str) -> NDArray[np.float64]:
    """A column of numbers (rows,), NaN for null.

    Raises:
        RequestError: a row lacks it, or has something else.
    """
    return np.array([_number(_cell(row, name, at), name, at) for at, row in enumerate(rows)], float)


def read_times(rows: Rows, about: Metadata) -> Timestamps | None:
    """The timestamps of the rows; None where no row has one.

    Raises:
        RequestError: a row has none, or not as in training.
    """
    column = about.time.column
    if column is None or not any(column in row for row in rows):
        return None
    found = []
    for at, row in enumerate(rows):
        try:
            found.append(with_clock(row.get(column), about.time.zone))
        except ValueError as error:
            received = shown(row.get(column))
            raise RequestError(f"rows[{at}].{column}: {error}. Received: {received}") from None
    instants, clock = np.array(found, "datetime64[us]").reshape(-1, 2).T
    return Timestamps(instants, clock)


def example_rows(about: Metadata) -> list[dict[str, float | str]]:
    """Rows that the model answers: the training data's means, with timestamps where steps are known.

    Of a model of texts it is one text.
    """
    if about.text_column is not None:
        return [{about.text_column: _EXAMPLE_TEXT}]
    numeric = {*about.numeric_columns}
    means: dict[str, float | str] = {
        **{column.name: column.mean for column in about.columns if column.name in numeric},
        **{name: labels[0] for name, labels in about.categories.items()},
    }
    if about.time.column is None or about.task == "classification":
        return [means] * about.timesteps
    first = np.datetime64(datetime(2024, 1, 1), "us")
    times = as_texts(following(first, about.timesteps, about.time), about.time.zone)
    return [{about.time.column: time, **means} for time in times]


def example_inputs(about: Metadata) -> list[Any]:
    """One input that the model answers: a window of the training data's means, or a text."""
    if about.text_column is not None:
        return [_EXAMPLE_TEXT]
    return [[[column.mean for column in about.columns]] * about.timesteps]


def _number(value: Any, name: str, at: int) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"rows[{at}].{name}: expected a number. Received: {shown(value)}")
    return float(value)


def _label(value: Any, name: str, at: int) -> str | None:
    if value is not None and not isinstance(value, str | int | float):
        raise RequestError(f"rows[{at}].{name}: expected a category. Received: {shown(value)}")
    return None if value is None else str(value).strip() or None


def _cell(row: Mapping[str, Any], name: str, at: int) -> Any:
    if name not in row:
        raise RequestError(f"rows[{at}]: the column {name!r} is missing")
    return row[name]
