"""The drawing of the plots; what they show is in `figure_data`, how they look in `figure_style`."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from reports.classification.contents import ClassificationReport
from reports.classification.figures import class_figures
from reports.contents import SearchReport, StudyReport
from reports.figure_data import (
    History,
    LossCurves,
    Points,
    StepErrors,
    Stretch,
    history_info,
    loss_curves_info,
    step_errors_info,
    stretch_info,
)
from reports.figure_style import (
    ACCENT,
    MODEL,
    MUTED,
    SECOND,
    TRUTH,
    WIDTH,
    baseline_styles,
    count_in_whole_numbers,
    finish,
    label_times,
    scale_values,
)
from reports.verdict import headline
from reports.wording import baseline_label, counted, number, unit_name

MOST_START_LINES = 30


def draw_figures(report: SearchReport) -> dict[str, Figure]:
    """Draw every plot that the report has the data for.

    Args:
        report: The study, finished or not.

    Returns:
        Figures by name: "history", "forecasts", or "confusion" and "reliability", where a winner has
        been tested, and "loss_curves" where the winner's curves were kept. Each is 8 inches wide.
    """
    figures = {"history": draw_history(history_info(report))}
    if isinstance(report, StudyReport):
        figures["forecasts"] = draw_forecasts(report)
    if isinstance(report, ClassificationReport):
        figures |= class_figures(report)
    curves = loss_curves_info(report)
    if curves is not None:
        figures["loss_curves"] = draw_loss_curves(curves)
    return figures


def draw_loss_curves(curves: LossCurves) -> Figure:
    """Draw the winner's training loss and validation metric by epoch, its best epoch marked."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    epochs = range(1, len(curves.validation) + 1)
    best = curves.validation[curves.best_epoch - 1]
    if curves.loss:
        losses = range(1, len(curves.loss) + 1)
        axes.plot(losses, curves.loss, "--", color=MUTED, lw=1.6, label="training loss")
    axes.plot(epochs, curves.validation, color=MODEL, lw=2, label=f"validation {curves.metric}")
    _mark_lower_rates(axes, curves.lowered)
    label = f"best epoch ({curves.best_epoch})"
    axes.plot([curves.best_epoch], [best], "o", color=ACCENT, ms=8, ls="", label=label)
    scale_values(axes, curves.logarithmic)
    count_in_whole_numbers(axes, "Epoch")
    axes.set_ylabel(f"Loss and {curves.metric}")
    title = f"Winner's validation {curves.metric} is best at epoch {curves.best_epoch} "
    title += f"of {len(curves.validation)}: {number(best)}"
    finish(axes, title + (" (still improving)" if curves.still_improving else ""))
    return figure


def draw_history(history: History) -> Figure:
    """Draw the value of every trial by its number, with the best so far as a line."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    _draw_best_so_far(axes, history)
    _draw_points(axes, history.complete, "complete", marker="o", colour=MODEL)
    _draw_points(axes, history.pruned, "pruned (last value)", marker="v", colour=SECOND)
    _draw_failed(axes, history.failed)
    _circle_winner(axes, history)
    scale_values(axes, history.logarithmic)
    count_in_whole_numbers(axes, "Trial")
    axes.set_ylabel(f"Validation {history.metric}")
    finish(axes, _history_title(history))
    return figure


def draw_forecasts(report: StudyReport) -> Figure:
    """Draw a stretch of the test set and, for several steps, the error by step underneath."""
    errors = step_errors_info(report)
    rows = 1 if errors is None else 2
    figure = Figure(figsize=(WIDTH, 4.2 * rows), layout=ConstrainedLayoutEngine(h_pad=0.1))
    panels = figure.subplots(rows, 1, squeeze=False)[:, 0]
    _draw_stretch(panels[0], stretch_info(report.forecasts), headline(report))
    if errors is not None:
        _draw_step_errors(panels[1], errors, unit_name(report))
    return figure


def _draw_stretch(axes: Axes, stretch: Stretch, title: str) -> None:
    if len(stretch.starts) < MOST_START_LINES:
        for start in stretch.starts:
            axes.axvline(start, color="#DDDDDD", lw=0.8, zorder=0)
    axes.plot(stretch.truth, color=TRUTH, lw=1.6, zorder=3, label="truth")
    axes.plot(stretch.refitted, color=MODEL, lw=2, zorder=4, label="refitted model")
    for name, style in baseline_styles(stretch.naive).items():
        axes.plot(stretch.naive[name], lw=1.2, label=baseline_label(name), **style)
    axes.set_xlabel(f"{label_times(axes, stretch.labels)} ({_stretch_words(stretch)})")
    axes.set_ylabel(stretch.target, parse_math=False)
    finish(axes, title)


def _stretch_words(stretch: Stretch) -> str:
    words = f"the first {counted(len(stretch.truth), 'point')} of the test set"
    if 1 < len(stretch.starts) < MOST_START_LINES:
        words += ", a new forecast at each line"
    return words


def _draw_step_errors(axes: Axes, errors: StepErrors, unit: str) -> None:
    steps = range(1, len(errors.refitted) + 1)
    style: dict[str, Any] = {"marker": "o" if len(steps) <= 30 else "", "ms": 4, "zorder": 4}
    axes.plot(steps, errors.refitted, color=MODEL, lw=2, label="refitted model", **style)
    for name, style in baseline_styles(errors.naive).items():
        axes.plot(steps, errors.naive[name], lw=1.5, label=baseline_label(name), **style)
    axes.set_ylim(bottom=0)
    count_in_whole_numbers(axes, "Forecast step")
    axes.set_ylabel(f"Test RMSE ({unit})")
    finish(axes, _step_title(errors))


def _step_title(errors: StepErrors) -> str:
    if not errors.naive:
        return "Error by forecast step"
    best = [min(values) for values in zip(*errors.naive.values(), strict=True)]
    won = sum(model < naive for model, naive in zip(errors.refitted, best, strict=True))
    return f"Lower error than every naive forecast at {won} of {len(best)} steps"


def _history_title(history: History) -> str:
    trials = counted(history.total, "trial")
    if not history.best.values:
        return f"None of {trials} was completed"
    value, best = number(history.best.values[-1]), history.best.numbers[-1]
    return f"Best validation {history.metric} of {trials}: {value}, by trial {best}"


def _mark_lower_rates(axes: Axes, epochs: Sequence[int]) -> None:
    for epoch in epochs:
        label = "learning rate lowered" if epoch == epochs[0] else None
        axes.axvline(epoch, color=MUTED, lw=0.9, ls=":", zorder=0, label=label)


def _draw_points(axes: Axes, points: Points, label: str, *, marker: str, colour: str) -> None:
    """Draw one state's trials; an open marker tells the shapes apart where they lie close."""
    if points.numbers:
        fill = colour if marker == "o" else "white"
        style: dict[str, Any] = {"marker": marker, "mec": colour, "mfc": fill, "ls": "", "ms": 6}
        name = f"{len(points.numbers)} {label}"
        axes.plot(points.numbers, points.values, label=name, **style)


def _draw_best_so_far(axes: Axes, history: History) -> None:
    if history.best.numbers:
        last = max([*history.complete.numbers, *history.pruned.numbers, *history.failed])
        numbers, values = history.best.numbers, history.best.values
        style: dict[str, Any] = {"where": "post", "color": TRUTH, "lw": 1.2, "zorder": 1}
        axes.step([*numbers, last], [*values, values[-1]], label="best so far", **style)


def _draw_failed(axes: Axes, failed: Sequence[int]) -> None:
    """Put failed trials on the frame's lower edge, since they have no value to stand at."""
    if failed:
        edge = axes.get_xaxis_transform()
        style: dict[str, Any] = {
            "marker": "x",
            "color": ACCENT,
            "ms": 7,
            "mew": 2,
            "ls": "",
            "clip_on": False,
        }
        label = f"{len(failed)} failed"
        axes.plot(failed, [0.0] * len(failed), transform=edge, label=label, **style)


def _circle_winner(axes: Axes, history: History) -> None:
    """Mark the crowned trial, which need not be the lowest: confirmation decides over seeds."""
    values = dict(zip(history.complete.numbers, history.complete.values, strict=True))
    if history.winner in values:
        style: dict[str, Any] = {
            "marker": "o",
            "mfc": "none",
            "mec": ACCENT,
            "mew": 1.8,
            "ms": 12,
            "ls": "",
        }
        label = f"winner (trial {history.winner})"
        axes.plot([history.winner], [values[history.winner]], label=label, **style)
