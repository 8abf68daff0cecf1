"""The drawing of what is taken for what, and of what probabilities are worth, as pictures."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports.classification.contents import Bin, ClassificationReport, Reliability
from reports.figure_style import CELL, MODEL, MUTED, SECOND, TRUTH, WIDTH, finish
from reports.page.class_figures import MOST_CLASSES, MOST_COUNTS
from reports.wording import counted, number

_MOST_LETTERS = 20  # of a class's name
_SHARES = LinearSegmentedColormap.from_list("shares", ["#FFFFFF", CELL])


def class_figures(report: ClassificationReport) -> dict[str, Figure]:
    """Figures of the test by name: "confusion", unless there are too many classes, and "reliability"."""
    right, total = np.trace(report.confusion), report.confusion.sum()
    title = f"{right} of {counted(int(total), 'test sequence')} right"
    confusion = draw_confusion(report.labels, report.confusion, title)
    figures = {} if confusion is None else {"confusion": confusion}
    calibration = report.calibration
    before = None if calibration is None else calibration.test_before.reliability
    return {**figures, "reliability": draw_reliability(report.reliability, before)}


def draw_confusion(labels: Sequence[str], matrix: NDArray[np.int64], title: str) -> Figure | None:
    """Draw a confusion matrix (classes, classes), rows the truth; None for many classes.

    The colour of a cell is its share of its row.
    """
    if len(labels) > MOST_CLASSES:
        return None
    figure = Figure(figsize=(WIDTH, 3.6 + 0.14 * len(labels)), layout="constrained")
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=_SHARES, vmin=0, vmax=1, aspect="auto")
    if len(labels) <= MOST_COUNTS:
        for (row, column), count in np.ndenumerate(matrix):
            axes.text(column, row, str(count), ha="center", va="center", color=TRUTH)
    names = [_shortened(label) for label in labels]
    upright = max(map(len, names)) * len(names) > 80  # letters that stand side by side
    axes.set_xticks(range(len(names)), names, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("Truth")
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", parse_math=False)
    axes.spines[:].set_color("#D8DEE4")
    return figure


def draw_reliability(reliability: Reliability, before: Reliability | None = None) -> Figure:
    """Draw how often predictions are right by the probability given to them.

    `before` is the same of the probabilities that were calibrated.
    """
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], ":", color=MUTED, lw=1.6, label="as good as its word")
    if before is not None:
        _draw_bins(axes, before.bins, "--", SECOND, "before calibration")
    _draw_bins(axes, reliability.bins, "-", MODEL, "this model")
    axes.set_xlim(-0.02, 1.05)
    axes.set_ylim(-0.05, 1.08)
    axes.set_xlabel("Probability of the predicted class (the larger a dot, the more sequences)")
    axes.set_ylabel("Share that is right")
    error = number(reliability.calibration_error, 3)
    finish(axes, f"Probabilities are {error} off in the mean (expected calibration error)")
    return figure


def _draw_bins(axes: Axes, bins: Sequence[Bin], dash: str, colour: str, label: str) -> None:
    confidence, right = [each.confidence for each in bins], [each.accuracy for each in bins]
    most = max(each.count for each in bins)
    sizes = [30 + 300 * each.count / most for each in bins]
    axes.plot(confidence, right, dash, color=colour, lw=2, label=label)
    axes.scatter(confidence, right, sizes, color=colour, alpha=0.75)


def _shortened(label: str) -> str:
    return label if len(label) <= _MOST_LETTERS else f"{label[: _MOST_LETTERS - 1]}…"
