"""The page's tables: text for the eye, and the figure behind it to sort by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.certainty import p_in_words, span
from reports.wording import baseline_label, duration, number, percent, setting


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


def shown_units(numbers: Mapping[str, Any]) -> tuple[str, str]:
    """The key of the scores to compare and their unit: standardised where targets are several."""
    if len(numbers["targets"]) > 1:
        return "test_standardised", "standardised units"
    return "test", "data units"


def intervals_table(uncertainty: Mapping[str, Any]) -> PageTable:
    """The refitted model's test scores with their intervals, in data units and standardised."""
    keys = ("test", "test_standardised")
    rows = [
        [
            Cell("R²" if metric == "r2" else metric.upper()),
            *(cell for key in keys for cell in _estimate(uncertainty[key][metric])),
        ]
        for metric in uncertainty["test"]
    ]
    interval = f"{percent(uncertainty['level'])} interval"
    heads = ["Refitted model", "Test", interval, "Test, std.", f"{interval}, std."]
    return PageTable("The scores and their intervals", heads, rows)


def differences_table(numbers: Mapping[str, Any]) -> PageTable:
    """The difference to each naive forecast, its interval, the test of it, and what they come to."""
    uncertainty, (key, unit) = numbers["uncertainty"], shown_units(numbers)
    rows = [
        [
            Cell(baseline_label(name)),
            Cell(found["outcome"].upper() if found["outcome"] == "worse" else found["outcome"]),
            *_estimate(found[key]["rmse"]),
            _figure(found["diebold_mariano"]["statistic"], 3),
            *(_p(found["diebold_mariano"][name]) for name in ("p", "adjusted_p")),
        ]
        for name, found in uncertainty["differences"].items()
    ]
    interval = f"{percent(uncertainty['level'])} interval"
    heads = ["Naive forecast", "The model is", "RMSE apart", interval, "DM", "p", "p, adjusted"]
    return PageTable(f"Model less naive forecast, in {unit}", heads, rows)


def coverage_table(numbers: Mapping[str, Any]) -> PageTable:
    """What share of the test values the prediction intervals of each level held, and their width."""
    key, unit = shown_units(numbers)
    width = "mean_width" if key == "test" else "mean_width_standardised"
    rows = [
        [
            Cell(percent(each["level"]), each["level"]),
            *_shares(each["coverage"], *(each["per_step"]["coverage"][at] for at in (0, -1))),
            _figure(each[width]),
        ]
        for each in numbers["intervals"]
    ]
    heads = ["Level", "Reached", "First step", "Last step", f"Mean width ({unit})"]
    return PageTable("Asked for and reached on the test set", heads, rows)


def candidates_table(confirmation: Mapping[str, Any]) -> PageTable:
    """Each candidate's score in the search and over fresh seeds; the best of either is marked."""
    candidates = confirmation["candidates"]
    first, after = confirmation["first_before"], confirmation["first_after"]
    rows = [
        [
            Cell(f"trial {each['trial']}"),
            Cell(number(each["search"]), each["search"], each["trial"] == first),
            Cell(number(each["mean"]), each["mean"], each["trial"] == after),
            _figure(each["deviation"]),
            Cell(", ".join("failed" if s is None else number(s) for s in each["scores"])),
        ]
        for each in candidates
    ]
    heads = ["Candidate", "In the search", "Mean", "Deviation", "Fresh seeds"]
    return PageTable("Who led before and after", heads, rows)


def effort_table(numbers: Mapping[str, Any]) -> PageTable:
    """What trials of each state took."""
    rows = [
        [
            Cell(state),
            Cell(str(effort["trials"]), effort["trials"]),
            Cell(str(effort["epochs"]), effort["epochs"]),
            Cell(duration(effort["seconds"]), effort["seconds"]),
        ]
        for state, effort in numbers["effort"].items()
    ]
    return PageTable("What the trials took", ["Trials", "Number", "Epochs", "Time"], rows)


def openings_table(openings: Sequence[Mapping[str, Any]]) -> PageTable:
    """Every look at the test set."""
    rows = [
        [Cell(each["when"]), *(Cell(str(each[name])) for name in ("trial", "command", "model"))]
        for each in openings
    ]
    heads = ["When (UTC)", "Trial", "Command", "Model (SHA-256)"]
    return PageTable("Every opening of the test set", heads, rows)


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


def _figure(value: float | None, digits: int = 4) -> Cell:
    return Cell(number(value, digits), value)


def _shares(*shares: float) -> list[Cell]:
    """Shares to a tenth of a percent, since 99.9 % is not 100 %."""
    return [Cell(f"{100 * share:.1f} %", share) for share in shares]


def _p(value: float) -> Cell:
    return Cell(p_in_words(value).removeprefix("p = ").removeprefix("p "), value)


def _estimate(ends: Mapping[str, float | None]) -> list[Cell]:
    """A figure, and its interval in words."""
    low, high = ends["low"], ends["high"]
    words = number(None) if low is None or high is None else span(low, high)
    return [_figure(ends["figure"]), Cell(words)]


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
