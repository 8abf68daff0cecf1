"""Plots of how far the figures can be trusted: differences with their intervals, and coverage."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Literal

from reports.page.figure import MODEL, MUTED, PageFigure, axes, dots, line
from reports.wording import baseline_label, percent

# outcome → colour and symbol, so that no reader depends on the colour
_OUTCOMES = {
    "better": ("--good", "circle"),
    "not distinguishable": (MUTED, "diamond"),
    "worse": ("--bad", "x"),
}
_LONGEST = 24  # characters of a line
_DASHES = ("solid", "dash", "dashdot", "longdash")


def difference_figure(
    uncertainty: Mapping[str, Any],
    ends: Mapping[str, Mapping[str, float | None]],
    what: str,
    *,
    better: Literal["left", "right"],
) -> PageFigure | None:
    """Draw the difference to each naive model with its interval (a forest plot), None without any.

    Args:
        uncertainty: What report.json says under this name.
        ends: Figure and ends of the interval of each difference.
        what: The name of the axis.
        better: The side of zero on which the model is better.
    """
    found = {
        outcome: {
            _folded(baseline_label(name)): ends[name]
            for name, difference in uncertainty["differences"].items()
            if difference["outcome"] == outcome
        }
        for outcome in _OUTCOMES
    }
    traces = [_with_ends(name, each, *_OUTCOMES[name]) for name, each in found.items() if each]
    if not traces:
        return None
    layout = axes(what, "")
    layout["xaxis"] |= {"zeroline": True, "zerolinecolor": "--text", "zerolinewidth": 1.5}
    layout["yaxis"] |= {"type": "category", "showgrid": False}
    note = (
        f"With {percent(uncertainty['level'])} intervals. The model is better to the {better} of zero; "
        "an interval across zero may be chance."
    )
    return PageFigure("differences", "Against what costs nothing", note, traces, layout)


def _folded(label: str) -> str:
    """A label in lines that leave room for the plot on a phone."""
    return "<br>".join(textwrap.wrap(label, _LONGEST))


def _with_ends(
    outcome: str, found: Mapping[str, Mapping[str, float | None]], colour: str, symbol: str
) -> dict[str, Any]:
    """Dots for one outcome, with whiskers to the ends of the intervals where there are any."""
    figures = [ends["figure"] for ends in found.values()]
    trace = dots(outcome, figures, list(found), colour, symbol)
    trace["marker"] |= {"size": 11, "opacity": 1}
    trace["error_x"] = {
        "type": "data",
        "symmetric": False,
        "array": [_apart(ends["high"], ends["figure"]) for ends in found.values()],
        "arrayminus": [_apart(ends["figure"], ends["low"]) for ends in found.values()],
        "color": colour,
        "thickness": 2,
    }
    return trace


def _apart(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else high - low


def coverage_figure(intervals: Sequence[Mapping[str, Any]]) -> PageFigure | None:
    """Draw the share of test values that the intervals held, step by step, None for a single step."""
    steps = list(range(1, len(intervals[0]["per_step"]["coverage"]) + 1))
    if len(steps) < 2:
        return None
    traces: list[dict[str, Any]] = []
    for each, dash in zip(intervals, cycle(_DASHES)):
        reached = each["per_step"]["coverage"]
        asked = line("asked for", steps, [each["level"]] * len(steps), MUTED, "dot")
        asked |= {"legendgroup": "asked for", "showlegend": not traces}
        traces += [line(percent(each["level"]), steps, reached, MODEL, dash), asked]
    layout = axes("Forecast step", "Share of test values inside", counted=len(steps))
    layout["yaxis"] |= {"tickformat": ".0%"}
    note = "Below the level asked for, intervals are too narrow; above it, wider than needed."
    return PageFigure("coverage", "Do the intervals hold what they promise", note, traces, layout)
