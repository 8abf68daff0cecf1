"""Figures that optuna-dashboard does not have: the search and its winner beside naive forecasts."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport
from reports.figure_style import ACCENT, BASELINE_COLOURS, CELL, MUTED, SECOND, TRUTH
from reports.figure_style import MODEL as MODEL_COLOUR
from reports.numbers import report_numbers
from reports.page.class_figures import confusion_figure, reliability_figure
from reports.page.figure import MODEL, NAIVE, PageFigure, axes, line
from reports.page.forecast_figures import forecast_figures, step_figure
from reports.wording import baseline_label
from storage.records import StudyRecord

Figure = Mapping[str, Any]
_MOST_POINTS = 240  # of a line: the dashboard reads figures whenever it looks at a study
# The page's figures name colours that it gives a meaning to; the dashboard needs the colours themselves.
_COLOURS = {
    "--truth": TRUTH,
    "--model": MODEL_COLOUR,
    "--muted": MUTED,
    "--accent": ACCENT,
    "--second": SECOND,
    "--card": "#FFFFFF",
    "--text": TRUTH,
    "--cell": CELL,
    **{f"--naive-{number}": colour for number, colour in enumerate(BASELINE_COLOURS, 1)},
}


def progress_figure(record: StudyRecord, metric: str, naive: Mapping[str, float]) -> Figure:
    """The best value so far by trial, and what naive forecasts are worth on the same targets."""
    complete = [t for t in record.trials if t.state == "complete" and t.value is not None]
    best = list(accumulate((trial.value or 0.0 for trial in complete), min))
    turns = [i for i in range(len(best)) if i in (0, len(best) - 1) or best[i] < best[i - 1]]
    last = max(1, len(record.trials) - 1)
    trace = line(
        "best so far", [complete[i].number for i in turns], [best[i] for i in turns], MODEL
    )
    trace["line"]["shape"] = "hv"
    scale = [
        line(baseline_label(name), [0, last], [value, value], *style)
        for (name, value), style in zip(naive.items(), NAIVE, strict=False)
    ]
    layout = axes("Trial", f"Validation {metric}", logarithmic=True)
    layout["title"] = {"text": "The search beside what costs nothing"}
    return {"data": _coloured([trace, *scale]), "layout": layout}


def winner_figures(report: StudyReport | ClassificationReport) -> dict[str, Figure]:
    """The winner on the test set.

    Of forecasts error by step and first forecasts beside the naive ones; of classes what is taken for
    what, and what probabilities are worth.
    """
    if isinstance(report, ClassificationReport):
        return _class_figures(report)
    steps = step_figure(report_numbers(report))
    figures = {"test-error-by-step": steps} if steps else {}
    figures["test-forecasts"] = forecast_figures(report.forecasts)[0]
    return {name: _for_dashboard(figure) for name, figure in figures.items()}


def _class_figures(report: ClassificationReport) -> dict[str, Figure]:
    numbers = report_numbers(report)
    calibration = numbers["calibration"]
    before = calibration and calibration["test"]["before"]
    figures = {
        "test-confusion": confusion_figure(numbers["labels"], numbers["confusion_matrix"]),
        "test-reliability": reliability_figure(numbers["reliability"], before),
    }
    return {
        name: {
            "data": _coloured(list(figure.data)),
            "layout": {**_coloured(figure.layout), "title": {"text": figure.title}},
        }
        for name, figure in figures.items()
        if figure is not None
    }


def _for_dashboard(figure: PageFigure) -> Figure:
    traces = [
        {**trace, "x": _some(trace["x"]), "y": [float(f"{y:.6g}") for y in _some(trace["y"])]}
        for trace in figure.data
    ]
    layout = {**figure.layout, "title": {"text": figure.title}}
    return {"data": _coloured(traces), "layout": layout}


def _some(values: Sequence[Any]) -> list[Any]:
    return list(values)[:_MOST_POINTS]


def _coloured(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _coloured(content) for key, content in value.items()}
    if isinstance(value, list):
        return [_coloured(content) for content in value]
    return _COLOURS.get(value, value) if isinstance(value, str) else value
