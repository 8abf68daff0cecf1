"""Tables for the terminal."""

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from reports.classification.contents import ClassificationReport
from reports.contents import ForecastScores, StudyReport
from reports.wording import baseline_label, counted, duration, number, setting

BEST_STYLE = "bold green"


def scores_table(report: StudyReport) -> Table:
    """Build the table of test scores: the refitted model, then every baseline.

    Args:
        report: The finished study.

    Returns:
        Standardised MSE and MAE, then RMSE and MAE in data units. The lowest figure of a column is
        bold; the forecast with the lowest standardised MSE is marked "(best)" in words too, for
        terminals without styles.
    """
    table = Table(title="Test scores", title_justify="left")
    table.add_column("Forecast")
    for head in ("MSE (std.)", "MAE (std.)", "RMSE (data)", "MAE (data)"):
        table.add_column(head, justify="right")
    rows = {
        name: _figures(scores)
        for name, scores in {"refitted model": report.test, **report.baselines}.items()
    }
    lowest = [min(column) for column in zip(*rows.values(), strict=True)]
    for name, figures in rows.items():
        table.add_row(*_row(baseline_label(name), figures, lowest))
    return table


def winner_table(report: StudyReport | ClassificationReport) -> Table:
    """Build the table of what won: its trial, value, hyperparameters and refit."""
    winner, refit = report.winner, report.refit
    table = Table(title=f"Winner: trial {winner.trial}", title_justify="left", show_header=False)
    table.add_column("name")
    table.add_column("value", justify="right")
    rows = {
        f"validation {report.metric}": number(winner.value),
        **{name: setting(value) for name, value in winner.params.items()},
        "refit": f"{counted(refit.updates, 'update')}, {duration(refit.seconds)}",
    }
    for name, value in rows.items():
        table.add_row(Text(name), Text(value))
    return table


def _figures(scores: ForecastScores) -> tuple[float, ...]:
    standardised, data = scores.standardised.overall, scores.data_units.overall
    figures = (
        standardised.get("mse", math.inf),
        standardised.get("mae", math.inf),
        data.get("rmse", math.inf),
        data.get("mae", math.inf),
    )
    # NaN compares with nothing, so that it could pass for the lowest of a column.
    return tuple(math.inf if math.isnan(figure) else figure for figure in figures)


def _row(label: str, figures: Sequence[float], lowest: Sequence[float]) -> list[Text]:
    best = [
        math.isfinite(figure) and figure == low for figure, low in zip(figures, lowest, strict=True)
    ]
    styles = [BEST_STYLE if mark else "" for mark in best]
    name = Text(f"{label} (best)" if best[0] else label, style=styles[0])
    cells = [
        Text(number(figure), style=style) for figure, style in zip(figures, styles, strict=True)
    ]
    return [name, *cells]
