"""Plots for a terminal: a study's history and curves by plotext, and a line of blocks."""

import sys
from collections.abc import Sequence
from itertools import accumulate
from math import isfinite

import plotext

from storage.records import StudyRecord, TrialRecord

_HEIGHT, _WIDEST = 18, 120  # lines and columns of one plot
_COLOURS = ("green", "blue", "orange", "magenta")  # of curves, one for each of the best trials
_MOST_TICKS = 9
_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Blocks that rise and fall with values; of many the last in each of `width` stretches."""
    if not values:
        return ""
    apart = -(-len(values) // width)
    shown = [values[end - 1] for end in range(len(values), 0, -apart)][::-1]
    low, high = min(shown), max(shown)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in shown)


def best_values(record: StudyRecord) -> list[float]:
    """The best value after each complete trial."""
    values = [t.value for t in record.trials if t.state == "complete" and t.value is not None]
    return list(accumulate(values, min if record.minimize else max))


def history_plot(record: StudyRecord, metric: str, width: int) -> str:
    """Draw the trials' values by number, and the best so far."""
    _begin(f"{record.name}: validation {metric} by trial", "trial", width)
    complete = [t for t in record.trials if t.state == "complete" and t.value is not None]
    pruned = [t for t in record.trials if t.state == "pruned" and t.value is not None]
    for label, trials, colour in (("pruned", pruned, "orange"), ("complete", complete, "blue")):
        if trials:
            numbers, values = [t.number for t in trials], [t.value for t in trials]
            plotext.scatter(numbers, values, label=label, color=colour, marker="dot")
    if complete:
        # It stays where it is until a better trial ends.
        numbers = [t.number for t in complete for _ in range(2)]
        turns = [*numbers[1:], record.trials[-1].number]
        best = [value for value in best_values(record) for _ in range(2)]
        plotext.plot(turns, best, label="best so far", color="green", marker="braille")
    return _built(0, len(record.trials) - 1)


def curves_plot(record: StudyRecord, metric: str, width: int) -> str:
    """Draw the validation metric of the best trials by epoch."""
    _begin(f"{record.name}: validation {metric} of the best by epoch", "epoch", width)
    last = 1
    for trial, colour in zip(_best_trials(record), _COLOURS, strict=False):
        points = [(e, v) for e, v in trial.intermediate_values.items() if isfinite(v)]
        epochs, values = zip(*points, strict=True)
        label = f"trial {trial.number}"
        plotext.plot(epochs, values, label=label, color=colour, marker="braille")
        last = max(last, *epochs)
    return _built(1, last)


def _best_trials(record: StudyRecord) -> list[TrialRecord]:
    complete = [t for t in record.trials if t.state == "complete" and t.intermediate_values]
    sign = 1 if record.minimize else -1
    return sorted(complete, key=lambda trial: sign * (trial.value or 0.0))[: len(_COLOURS)]


def _begin(title: str, horizontal: str, width: int) -> None:
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(min(width, _WIDEST), _HEIGHT)
    plotext.title(title)
    plotext.xlabel(horizontal)


def _built(first: int, last: int) -> str:
    """The plot with ticks at whole numbers from `first` to `last`; without colours off a terminal."""
    plotext.xticks(range(first, last + 1, max(1, -(-(last - first) // _MOST_TICKS))))
    built: str = plotext.build()
    return built if sys.stdout.isatty() else plotext.uncolorize(built)
