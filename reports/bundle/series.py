"""Rows that a model may look back on: in the order of time, none left out, filled as in training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from reports.bundle.calendar import calendar_columns, calendar_names
from reports.bundle.categories import Labels, indicators, unknown_categories
from reports.bundle.errors import BundleError
from reports.bundle.metadata import Metadata
from reports.bundle.timeline import Times, Timestamps, as_texts, grid_of


@dataclass(frozen=True, eq=False)
class Series:
    """Rows as they follow each other.

    `values` (rows, columns) float64 has the columns of `about`, NaN where nothing is known and nothing
    can be filled in. `times` (rows + horizon,) has the timestamps of the rows and of the steps that are
    forecast after them; None without timestamps. `filled` counts the cells that the fill rule made,
    `unknown` says which categories the model does not know, and `source` is how messages name the rows.
    """

    values: NDArray[np.float64]
    times: Times | None
    filled: int
    unknown: tuple[str, ...]
    about: Metadata
    source: str

    def origins(self, *, rolling: bool) -> NDArray[np.int64]:
        """The rows after a window, (windows,): of the last one, or of every one.

        Raises:
            BundleError: there are too few rows for a window.
        """
        rows, timesteps = len(self.values), self.about.timesteps
        if rows < timesteps:
            raise BundleError(
                f"{self.source}: the model looks back {timesteps} rows. Received: {rows}"
            )
        return np.arange(timesteps if rolling else rows, rows + 1)

    def windows(self, origins: NDArray[np.int64]) -> NDArray[np.float64]:
        """The rows before each origin, (windows, timesteps, columns).

        Raises:
            BundleError: a cell of them is missing.
        """
        timesteps = self.about.timesteps
        first = int(origins[0]) - timesteps
        self._check_cells(first, int(origins[-1]))
        views = sliding_window_view(self.values, timesteps, axis=0)  # (…, columns, timesteps)
        return views[origins - timesteps].swapaxes(1, 2)

    def truth(self, origins: NDArray[np.int64]) -> NDArray[np.float64]:
        """The targets from each origin on, (windows, horizon, targets).

        Raises:
            BundleError: a cell of those rows is missing.
        """
        horizon = self.about.horizon
        self._check_cells(int(origins[0]), int(origins[-1]) + horizon)
        names = [column.name for column in self.about.columns]
        targets = self.values[:, [names.index(target) for target in self.about.targets]]
        views = sliding_window_view(targets, horizon, axis=0)  # (…, targets, horizon)
        return views[origins].swapaxes(1, 2)

    def _check_cells(self, first: int, end: int) -> None:
        missing = np.isnan(self.values[first:end])
        if not missing.any():
            return
        row, column = (int(place) for place in np.argwhere(missing)[0])
        where = f"row {first + row}"
        if self.times is not None:
            where = f"at {as_texts(self.times[[first + row]], None)[0]}"
        raise missing_value(f"{self.source}: {where}", column, int(missing.sum()), self.about)


def missing_value(where: str, column: int, count: int, about: Metadata) -> BundleError:
    """What to say of the first of `count` missing cells: where it is, and why nothing fills it."""
    fill = about.preprocessing.fill
    rule = (
        "the model was trained without holes: fill them first"
        if fill == "none"
        else f"the fill rule of the training data ({fill}) has nothing to fill it from"
    )
    return BundleError(
        f"{where}, column {about.columns[column].name!r}: no value ({count} such cells); {rule}"
    )


def make_series(
    numbers: Mapping[str, NDArray[np.float64]],
    labels: Labels,
    times: Timestamps | None,
    about: Metadata,
    source: str,
) -> Series:
    """Put rows in their places in time, and fill holes by the rule of the training data.

    Args:
        numbers: each numeric column (rows,), NaN or infinite where a cell is missing.
        labels: the category of each row by column, None where it is missing.
        times: those of the rows, None for rows that follow each other without timestamps.
        about: the model's metadata.
        source: how messages name the rows.

    Raises:
        BundleError: timestamps are not in order, do not fit the model's step, or are missing where the
            model needs them.
    """
    told = calendar_names(about.calendar)
    if told and times is None:
        raise BundleError(
            f"{source}: the model is told the time of {' and '.join(about.calendar)}, and the "
            f"rows have no timestamps{_in_column(about)}"
        )
    found = {**numbers, **indicators(labels, about)}
    values = np.column_stack(
        [found[column.name] for column in about.columns if column.name in found]
    )
    values = np.pad(values, ((0, 0), (0, len(told))))  # the grid tells what belongs there
    grid = None
    if times is not None and len(times.instants):
        places, grid = grid_of(times, about.horizon, about.time, source)
        rows = int(places[-1]) + 1
        spread = np.full((rows, values.shape[1]), np.nan)
        spread[places] = values
        values = spread
        if told:
            values[:, -len(told) :] = calendar_columns(grid[:rows], about.calendar)
    values = np.where(np.isfinite(values), values, np.nan)
    missing = np.isnan(values).sum()
    fill_rows(values, about)
    filled = int(missing - np.isnan(values).sum())
    return Series(values, grid, filled, tuple(unknown_categories(labels, about)), about, source)


def _in_column(about: Metadata) -> str:
    return "" if about.time.column is None else f" in a column {about.time.column!r}"


def fill_rows(values: NDArray[np.float64], about: Metadata) -> None:
    """Fill missing cells (rows, columns) in place, as `objectives.data.dataset` does before training."""
    rule, numeric = about.preprocessing.fill, {*about.numeric_columns}
    if rule == "none":
        return
    rows = np.arange(len(values))
    for description, column in zip(about.columns, values.T, strict=True):  # (rows,), a view
        missing = np.isnan(column)
        if isinstance(rule, float | int):
            column[missing] = rule if description.name in numeric else 0.0  # no category
        elif rule == "forward":
            column[:] = column[np.maximum.accumulate(np.where(missing, 0, rows))]
        elif not missing.all():
            known = rows[~missing]
            column[missing] = np.interp(rows[missing], known, column[known], np.nan, np.nan)
