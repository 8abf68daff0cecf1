"""The look that the plots share: colours, lines, scales, legends and time labels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

# Okabe and Ito's palette, which readers with any colour vision can tell apart.
TRUTH, MODEL, MUTED, ACCENT, SECOND = "#222222", "#0072B2", "#8A8A8A", "#D55E00", "#B87A00"
CELL = "#7FBDE6"  # of a matrix where it is full, light enough for figures on it
BASELINE_COLOURS = ("#E69F00", "#CC79A7", "#009E73", "#56B4E9")
BASELINE_LINES = ("--", ":", "-.", (0, (6, 1.5, 1, 1.5, 1, 1.5)))
WIDTH = 8.0
MOST_TIME_LABELS = 6


def baseline_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give each baseline a colour and a dash of its own, the same in every panel."""
    return {
        name: {
            "color": BASELINE_COLOURS[index % len(BASELINE_COLOURS)],
            "linestyle": BASELINE_LINES[index % len(BASELINE_LINES)],
        }
        for index, name in enumerate(names)
    }


def finish(axes: Axes, title: str) -> None:
    """Put the message as the title, a light grid, and the legend in one row between the two."""
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=26, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E8E8E8", lw=0.7)
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.0),
            ncols=len(handles),
            frameon=False,
            fontsize=9.5,
            handlelength=1.7,
            columnspacing=1.1,
            borderpad=0.2,
        )


def count_in_whole_numbers(axes: Axes, name: str) -> None:
    """Name the horizontal axis, which counts something, and keep fractions off it."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel(name)


def scale_values(axes: Axes, logarithmic: bool) -> None:
    """Make the value axis logarithmic where asked, its ticks written as plain figures."""
    if not logarithmic:
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def label_times(axes: Axes, labels: Sequence[str]) -> str:
    """Label about five points whose time is known; say what they are: "Time" or "Row"."""
    known = [point for point, label in enumerate(labels) if label]
    moments = read_times([labels[point] for point in known])
    shown = {point: labels[point] for point in known}
    if moments:
        shown = _short_times(dict(zip(known, moments, strict=True)))
    apart = max(1, math.ceil(len(shown) / MOST_TIME_LABELS))
    ticks = list(shown)[::apart]
    axes.set_xticks(ticks, [shown[point] for point in ticks], parse_math=False)
    axes.margins(x=0.01)
    return "Time" if moments else "Row"


def read_times(labels: Sequence[str]) -> list[datetime]:
    """Read ISO timestamps, none where any label is something else.

    Digits alone are a row number and never a date, though "20180220" could be read as one.
    """
    if any(label.isdigit() for label in labels):
        return []
    try:
        return [datetime.fromisoformat(label) for label in labels]
    except ValueError:
        return []


def _short_times(moments: Mapping[int, datetime]) -> dict[int, str]:
    """Keep the midnights where there are several, since a date alone reads at a glance."""
    midnights = {point: f"{at:%Y-%m-%d}" for point, at in moments.items() if at.time() == time()}
    if len(midnights) > 1:
        return midnights
    return {point: f"{at:%H:%M}\n{at:%Y-%m-%d}" for point, at in moments.items()}
