"""`POST /forecast`: rows by column name go in, forecasts by target name come out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.bundle import Bundle, Metadata
from reports.bundle.forecasting import Answers, answer
from reports.bundle.series import make_series
from reports.bundle.timeline import Times, as_texts, following, without_zone
from search.serving.errors import RequestError
from search.serving.windows import shown


def forecast(bundle: Bundle, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Answer `POST /forecast`; gives the answer and how many windows it took, which is one.

    Of the rows, which are in the order of time, the last `timesteps` are the window.

    Raises:
        RequestError, reports.bundle.BundleError: the request cannot be answered.
    """
    about = bundle.metadata
    if about.task != "forecast":
        raise RequestError(f"the model {about.name!r} does not forecast", 404)
    unknown = sorted(asked.keys() - {"rows", "interval"})
    if unknown:
        raise RequestError(f'unknown key {shown(unknown[0])}; expected "rows" and "interval"')
    rows = _rows(asked.get("rows"), about)
    numbers = {name: _numbers(rows, name) for name in about.numeric_columns}
    labels = {name: _labels(rows, name) for name in about.categories}
    series = make_series(numbers, labels, _times(rows, about), about, "rows")
    found = answer(bundle, series, series.origins(rolling=False), interval=_interval(asked))
    said = found.warnings
    return {
        "model": about.name,
        "version": about.version,
        "forecast": _steps(found),
        **({"warnings": said} if said else {}),
    }, 1


Rows = Sequence[Mapping[str, Any]]


def _rows(rows: Any, about: Metadata) -> Rows:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RequestError(f"rows: expected a list of objects. Received: {shown(rows)}")
    names = (*about.numeric_columns, *about.categories)
    for at, row in enumerate(rows):
        for name in row:
            if name not in names and name != about.time.column:
                raise RequestError(
                    f"rows[{at}]: unknown column {shown(name)}; known are {', '.join(names)}"
                )
    return rows


def _numbers(rows: Rows, name: str) -> NDArray[np.float64]:
    return np.array([_number(_cell(row, name, at), name, at) for at, row in enumerate(rows)], float)


def _number(value: Any, name: str, at: int) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"rows[{at}].{name}: expected a number. Received: {shown(value)}")
    return float(value)


def _labels(rows: Rows, name: str) -> list[str | None]:
    return [_label(_cell(row, name, at), name, at) for at, row in enumerate(rows)]


def _label(value: Any, name: str, at: int) -> str | None:
    if value is not None and not isinstance(value, str | int | float):
        raise RequestError(f"rows[{at}].{name}: expected a category. Received: {shown(value)}")
    return None if value is None else str(value).strip() or None


def _cell(row: Mapping[str, Any], name: str, at: int) -> Any:
    if name not in row:
        raise RequestError(f"rows[{at}]: the column {name!r} is missing")
    return row[name]


def _times(rows: Rows, about: Metadata) -> Times | None:
    """The timestamps (rows,); None where no row has one."""
    column = about.time.column
    if column is None or not any(column in row for row in rows):
        return None
    found = []
    for at, row in enumerate(rows):
        try:
            found.append(without_zone(row.get(column), about.time.zone))
        except ValueError as error:
            received = shown(row.get(column))
            raise RequestError(f"rows[{at}].{column}: {error}. Received: {received}") from None
    return np.array(found, "datetime64[us]")


def _interval(asked: Mapping[str, Any]) -> float | None:
    level = asked.get("interval")
    if level is None:
        return None
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise RequestError(f"interval: expected a number between 0 and 1. Received: {shown(level)}")
    return float(level)


def _steps(found: Answers) -> list[dict[str, Any]]:
    about, times = found.series.about, found.target_times
    texts = None if times is None else as_texts(times[0], about.time.zone)
    steps = []
    for step in range(about.horizon):
        answered: dict[str, Any] = {"step": step + 1}
        if texts is not None and about.time.column is not None:
            answered[about.time.column] = texts[step]
        answered |= _by_target(about, found.outputs["forecast"][0, step])
        if found.lower is not None and found.upper is not None:
            answered["lower"] = _by_target(about, found.lower[0, step])
            answered["upper"] = _by_target(about, found.upper[0, step])
        if "quantiles" in found.outputs:
            quantiles = found.outputs["quantiles"][0, step]  # (targets, quantiles)
            answered["quantiles"] = {
                f"{level:g}": _by_target(about, quantiles[:, place])
                for place, level in enumerate(about.quantiles)
            }
        steps.append(answered)
    return steps


def _by_target(about: Metadata, values: NDArray[Any]) -> dict[str, Any]:
    return dict(zip(about.targets, values, strict=True))


def example_rows(about: Metadata) -> list[dict[str, float | str]]:
    """Rows that the model answers: the training data's means, with timestamps where they have them."""
    numeric = {*about.numeric_columns}
    means: dict[str, float | str] = {
        **{column.name: column.mean for column in about.columns if column.name in numeric},
        **{name: labels[0] for name, labels in about.categories.items()},
    }
    if about.time.column is None:
        return [means] * about.timesteps
    first = np.datetime64(datetime(2024, 1, 1), "us")
    times = as_texts(following(first, about.timesteps, about.time), about.time.zone)
    return [{about.time.column: time, **means} for time in times]
