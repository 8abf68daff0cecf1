"""The page's tables, from the numbers of report.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.page.cells import (
    Cell,
    PageTable,
    best_of,
    estimate_cells,
    figure_cell,
    p_cell,
    share_cells,
)
from reports.wording import baseline_label, duration, number, percent, setting

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
        best_of(column, highest=name == "r2")
        for column, (_, _, name) in zip(columns, _SCORES, strict=True)
    ]
    rows = [
        [
            Cell(label),
            *(
                figure_cell(column[row], best=top)
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
            *(cell for key in keys for cell in estimate_cells(uncertainty[key][metric])),
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
            *estimate_cells(found[key]["rmse"]),
            figure_cell(found["diebold_mariano"]["statistic"], 3),
            *(p_cell(found["diebold_mariano"][name]) for name in ("p", "adjusted_p")),
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
            *share_cells(each["coverage"], *(each["per_step"]["coverage"][at] for at in (0, -1))),
            figure_cell(each[width]),
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
            figure_cell(each["deviation"]),
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


def _range(ends: Mapping[str, Any]) -> str:
    words = f"{setting(ends['low'])} to {setting(ends['high'])}"
    if ends.get("step") is not None:
        words += f", step {setting(ends['step'])}"
    return words + (", log" if ends.get("log") else "")
