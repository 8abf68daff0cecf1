"""Plots of what the model forecasts on the test set, and of what it misses."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.contents import Forecasts
from reports.figure_data import Stretch, stretch_info
from reports.figure_style import read_times
from reports.page.figure import MODEL, MUTED, NAIVE, TRUTH, PageFigure, axes, bars, line
from reports.wording import baseline_label, percent

MOST_POINTS = 4000  # of all targets together; five lines of them take a quarter of a megabyte
MOST_TARGETS = 6
FIRST_LOOK = 240  # points shown before the reader zooms out
MOST_DOTS = 2000
BINS = 60
WORST_SHARE = 0.001  # of the errors at either end that the histogram's outer bins take in


def forecast_figures(forecasts: Forecasts) -> list[PageFigure]:
    """Draw truth and forecasts over the test set for each target, those of unlike units apart."""
    targets = forecasts.targets[:MOST_TARGETS]
    return [
        _forecast_figure(_only(forecasts, index), MOST_POINTS // len(targets), index)
        for index in range(len(targets))
    ]


def _only(forecasts: Forecasts, target: int) -> Forecasts:
    """The forecasts of one target, arrays (windows, horizon, 1)."""
    chosen = slice(target, target + 1)
    return Forecasts(
        times=forecasts.times,
        targets=forecasts.targets[chosen],
        truth=forecasts.truth[..., chosen],
        refitted=forecasts.refitted[..., chosen],
        naive={name: values[..., chosen] for name, values in forecasts.naive.items()},
        stride=forecasts.stride,
    )


def _forecast_figure(forecasts: Forecasts, points: int, index: int) -> PageFigure:
    stretch = stretch_info(forecasts, points)
    x = _places(stretch)
    shown = slice(len(x))
    lines = [
        line(baseline_label(name), x, values[shown].tolist(), *style)
        for (name, values), style in zip(stretch.naive.items(), NAIVE, strict=False)
    ]
    lines.append(line("truth", x, stretch.truth[shown].tolist(), TRUTH))
    lines.append(line("refitted model", x, stretch.refitted[shown].tolist(), MODEL))
    layout = axes("", stretch.target)
    layout["xaxis"]["range"] = [x[0], x[min(len(x), FIRST_LOOK) - 1]]
    return PageFigure(
        name=f"forecasts-{index}",
        title=f"Forecasts of {stretch.target} on the test set",
        note="Forecasts that do not overlap, one after the other, from the start of the test set. "
        "Drag to zoom, double-click to see all of them, click a name to hide its line.",
        data=lines,
        layout=layout,
    )


def _places(stretch: Stretch) -> list[Any]:
    """The time of each point up to the last that is known, else each point's place in line."""
    known = [point for point, label in enumerate(stretch.labels) if label]
    moments = read_times([stretch.labels[point] for point in known])
    if known[-1] == 0 or not moments:
        return list(range(len(stretch.truth)))
    seconds = [(moment - moments[0]).total_seconds() for moment in moments]
    rows = stretch.rows[: known[-1] + 1]
    between = np.interp(rows, [stretch.rows[point] for point in known], seconds)
    return [(moments[0] + timedelta(seconds=passed)).isoformat() for passed in between.tolist()]


def step_figure(numbers: Mapping[str, Any]) -> PageFigure | None:
    """Draw the error by forecast step, in standardised units for several targets."""
    key = "test_standardised" if len(numbers["targets"]) > 1 else "test"
    steps = numbers[key]["per_step"].get("rmse", ())
    if len(steps) < 2:
        return None
    x = list(range(1, len(steps) + 1))
    lines = [
        line(baseline_label(name), x, scores[key]["per_step"]["rmse"], *style)
        for (name, scores), style in zip(numbers["baselines"].items(), NAIVE, strict=False)
        if scores[key]["per_step"].get("rmse")
    ]
    lines.append(line("refitted model", x, steps, MODEL))
    unit = "standardised units" if key == "test_standardised" else "data units"
    layout = axes("Forecast step", f"Test RMSE ({unit})", counted=len(steps))
    layout["yaxis"]["rangemode"] = "tozero"
    return PageFigure(
        "steps", "Error by forecast step", "How fast the forecast loses its grip.", lines, layout
    )


def residual_figures(forecasts: Forecasts, residuals: Mapping[str, Any]) -> list[PageFigure]:
    """Draw the errors of the first target: how large, when, and how alike from one to the next."""
    errors = (forecasts.truth - forecasts.refitted)[..., 0]  # (windows, horizon)
    target = residuals["target"]
    figures = [_histogram(errors.reshape(-1), target), _over_time(forecasts, errors[:, 0], target)]
    if residuals["autocorrelation"]:
        figures.append(_autocorrelation(residuals))
    return figures


def _histogram(errors: NDArray[np.float64], target: str) -> PageFigure:
    low, high = np.quantile(errors, [WORST_SHARE, 1 - WORST_SHARE])
    counts, edges = np.histogram(np.clip(errors, low, high), BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    trace = bars("errors", centres.tolist(), counts.tolist(), MODEL)
    layout = axes(f"Truth less forecast, {target}", "Forecasts")
    layout["bargap"] = 0.05
    note = "All windows and steps. The outermost bars hold the rarest errors on either side too."
    return PageFigure("residuals-histogram", "How large the errors are", note, [trace], layout)


def _over_time(forecasts: Forecasts, errors: NDArray[np.float64], target: str) -> PageFigure:
    chosen = np.linspace(0, len(errors) - 1, min(len(errors), MOST_DOTS)).astype(int)
    labels = [forecasts.times[index] for index in chosen]
    x: list[Any] = labels if read_times(labels) else chosen.tolist()
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "error at the first step",
        "x": x,
        "y": errors[chosen].tolist(),
        "marker": {"color": MODEL, "size": 4, "opacity": 0.5},
    }
    layout = axes("", f"Truth less forecast, {target}")
    note = (
        "At the first step of the horizon. A drift away from zero says that the series has changed."
    )
    return PageFigure("residuals-time", "When the errors come", note, [trace], layout)


def _autocorrelation(residuals: Mapping[str, Any]) -> PageFigure:
    values, bound = residuals["autocorrelation"], residuals["bound"]
    lags = list(range(1, len(values) + 1))
    trace = bars("autocorrelation", lags, values, MODEL)
    edges = [line("bound", lags, [side * bound] * len(lags), MUTED, "dot") for side in (1, -1)]
    edges[1]["showlegend"] = False
    layout = axes("Windows apart", "Correlation")
    note = (
        "Of the errors at the first step. Of independent errors "
        f"{percent(residuals['level'])} of the correlations stay between the lines; more outside is "
        "pattern that the model leaves."
    )
    return PageFigure(
        "residuals-autocorrelation", "What the errors have in common", note, [trace, *edges], layout
    )
