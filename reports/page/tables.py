"""The page's tables: text for the eye, and the figure behind it to sort by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.wording import baseline_label, number, setting


@dataclass(frozen=True)
class Cell:
    """What a cell shows; `order` is what it is sorted by where that is a figure, `best` marks it."""

    text: str
    order: float | None = None
    best: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table with a caption; rows begin with what they are about."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def numeric(self) -> set[int]:
        """The columns that hold figures."""
        return {i for row in self.rows for i, cell in enumerate(row) if cell.order is not None}


_SCORES = (
    ("RMSE", "test", "rmse"),
    ("MAE", "test", "mae"),
    ("R²", "test", "r2"),
    ("MASE", "test", "mase"),
    ("RMSE, std.", "test_standardised", "rmse"),
    ("MAE, std.", "test_standardised", "mae"),
    ("MSE, std.", "test_standardised", "mse"),
)


def scores_table(numbers: Mapping[str, Any]) -> PageTable:
    """The test scores of the model, of the winner before the refit, and of the naive forecasts."""
    forecasts = {
        "refitted model": numbers,
        "winner before the refit": numbers["train_only"],
        **{baseline_label(name): scores for name, scores in numbers["baselines"].items()},
    }
    columns = [[scores[key].get(name) for scores in forecasts.values()] for _, key, name in _SCORES]
    best = [
        _best(column, highest=name == "r2")
        for column, (_, _, name) in zip(columns, _SCORES, strict=True)
    ]
    rows = [
        [
            Cell(label),
            *(
                Cell(
                    number(column[row]), column[row], column[row] is not None and column[row] == top
                )
                for column, top in zip(columns, best, strict=True)
            ),
        ]
        for row, label in enumerate(forecasts)
    ]
    return PageTable(
        "The model and the naive forecasts", ["Forecast", *(head for head, _, _ in _SCORES)], rows
    )


def params_table(params: Mapping[str, Any]) -> PageTable:
    """The winner's hyperparameters."""
    rows = [[Cell(name), Cell(setting(value))] for name, value in params.items()]
    return PageTable("The winner's hyperparameters", ["Hyperparameter", "Value"], rows)


def residuals_table(residuals: Sequence[Mapping[str, Any]]) -> PageTable:
    """The mean and the deviation of the errors of each target."""
    rows = [
        [Cell(r["target"]), *(Cell(number(r[name]), r[name]) for name in ("mean", "deviation"))]
        for r in residuals
    ]
    return PageTable("Truth less forecast, in data units", ["Target", "Mean", "Deviation"], rows)


def named_values(caption: str, values: Mapping[str, Any]) -> PageTable:
    """A table of two columns from names and texts."""
    rows = [[Cell(name), Cell(setting(value))] for name, value in values.items()]
    return PageTable(caption, ["What", "Value"], rows)


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested settings by their full names, ranges and choices in words.

    {"space": {"units": {"low": 8, "high": 64, "log": True}}} is {"space.units": "8 to 64, log"}.
    """
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and {"low", "high"} <= set(value):
            found[f"{before}{name}"] = _range(value)
        elif isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            found[f"{before}{name}"] = ", ".join(map(setting, value))
        elif value is not None:
            found[f"{before}{name}"] = setting(value)
    return found


def _range(ends: Mapping[str, Any]) -> str:
    words = f"{setting(ends['low'])} to {setting(ends['high'])}"
    if ends.get("step") is not None:
        words += f", step {setting(ends['step'])}"
    return words + (", log" if ends.get("log") else "")


def _best(column: Sequence[float | None], *, highest: bool) -> float | None:
    known = [value for value in column if value is not None]
    if not known:
        return None
    return max(known) if highest else min(known)
