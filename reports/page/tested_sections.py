"""The sections that there are once the test set has been opened."""

from collections.abc import Mapping
from typing import Any

from reports.certainty import TOO_SHORT
from reports.contents import Forecasts
from reports.page.certainty_figures import coverage_figure, difference_figure
from reports.page.forecast_figures import forecast_figures, residual_figures, step_figure
from reports.page.section import Section
from reports.page.tables import (
    coverage_table,
    differences_table,
    intervals_table,
    residuals_table,
    scores_table,
    shown_units,
)


def tested_sections(numbers: Mapping[str, Any], forecasts: Forecasts) -> list[Section]:
    """Forecasts, scores, how certain they are, and prediction intervals, in the order of the page."""
    text = (
        "RMSE and MAE are in data units; columns with “std.” divide each target by its deviation over "
        "the training rows. The winner was chosen for its validation score, so only these columns are "
        "without bias. Click a heading to sort."
    )
    steps = step_figure(numbers)
    figures = [] if steps is None else [steps]
    return [
        Section("forecasts", "Forecast against truth", figures=forecast_figures(forecasts)),
        Section("scores", "Scores on the test set", text, [scores_table(numbers)], figures),
        _certainty(numbers),
        _intervals(numbers),
    ]


def residuals_section(numbers: Mapping[str, Any], forecasts: Forecasts) -> Section:
    """What is left of the truth when the forecast is taken away."""
    residuals = numbers["residuals"]
    return Section(
        "residuals",
        "What the model misses",
        tables=[residuals_table(residuals)],
        figures=residual_figures(forecasts, residuals[0]),
    )


def _certainty(numbers: Mapping[str, Any]) -> Section:
    uncertainty, title = numbers["uncertainty"], "How certain the scores are"
    if uncertainty is None:
        text = f"{TOO_SHORT} It has fewer than five stretches of independent windows."
        return Section("certainty", title, text)
    key, unit = shown_units(numbers)
    ends = {name: found[key]["rmse"] for name, found in uncertainty["differences"].items()}
    figure = difference_figure(uncertainty, ends, f"RMSE difference ({unit})", better="left")
    tables = [differences_table(numbers), intervals_table(uncertainty)]
    figures = [] if figure is None else [figure]
    return Section("certainty", title, "", tables, figures, uncertainty["method"])


def _intervals(numbers: Mapping[str, Any]) -> Section:
    intervals, text = numbers.get("intervals"), numbers.get("intervals_in_words", "")
    title = "Prediction intervals"
    if not intervals:
        return Section("intervals", title, text)
    figure = coverage_figure(intervals)
    figures = [] if figure is None else [figure]
    return Section("intervals", title, text, [coverage_table(numbers)], figures)
