"""Plots of a classifier's test: what is taken for what, and what its probabilities are worth."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.page.figure import CELL, MODEL, MUTED, SECOND, TEXT, PageFigure, axes, line, plain
from reports.wording import number

MOST_CLASSES = 40  # whose names find room along an axis
MOST_COUNTS = 12  # classes whose counts find room in the cells


def confusion_figure(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> PageFigure | None:
    """Draw the confusion matrix, rows the truth; the colour is a row's share. None for many classes."""
    if len(labels) > MOST_CLASSES:
        return None
    names = [plain(label) for label in labels]
    shares = [[count / max(1, sum(row)) for count in row] for row in matrix]
    trace = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": shares,
        "text": [[str(count) for count in row] for row in matrix],
        "texttemplate": "%{text}" if len(labels) <= MOST_COUNTS else "",
        "hovertemplate": "truth %{y}, predicted %{x}: %{text}<extra></extra>",
        "zmin": 0,
        "zmax": 1,
        "textfont": {"color": TEXT},
        "colorscale": [[0, "--card"], [1, CELL]],
        "showscale": False,
    }
    layout = axes("Predicted", "Truth")
    layout["xaxis"] |= {"type": "category", "showgrid": False}
    layout["yaxis"] |= {"type": "category", "showgrid": False, "autorange": "reversed"}
    note = (
        "Test sequences, the right ones on the diagonal. Colours are by a cell's share of its row."
    )
    return PageFigure("confusion", "What is taken for what", note, [trace], layout)


def reliability_figure(
    reliability: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> PageFigure | None:
    """Draw how often predictions are right by the probability given to them, None without any.

    `before` is the same of the probabilities that were calibrated.
    """
    bins = [each for each in reliability["bins"] if each["count"]]
    if not bins:
        return None
    honest = line("as good as its word", [0, 1], [0, 1], MUTED, "dot")
    curves = [_reliability_curve("this model", bins, MODEL)]
    note = (
        "Below the dotted line the model is surer than it should be; the larger a dot, the more test "
        f"sequences. The mean gap (expected calibration error) is "
        f"{number(reliability['calibration_error'], 3)}."
    )
    if before is not None:
        some = [each for each in before["bins"] if each["count"]]
        curves.insert(0, _reliability_curve("before calibration", some, SECOND, "dash"))
        note = f"{note[:-1]}; before calibration it was {number(before['calibration_error'], 3)}."
    layout = axes("Probability of the predicted class", "Share that is right")
    layout["yaxis"] |= {"range": [-0.05, 1.05]}
    return PageFigure("reliability", "Are its probabilities true", note, [honest, *curves], layout)


def _reliability_curve(
    name: str, bins: Sequence[Mapping[str, Any]], colour: str, dash: str = "solid"
) -> dict[str, Any]:
    confidence, right = ([each[key] for each in bins] for key in ("confidence", "accuracy"))
    most = max(each["count"] for each in bins)
    return line(name, confidence, right, colour, dash) | {
        "mode": "lines+markers",
        "marker": {
            "color": colour,
            "size": [6 + 18 * (each["count"] / most) ** 0.5 for each in bins],
            "opacity": 0.75,
        },
        "text": [str(each["count"]) for each in bins],
        "hovertemplate": "probability %{x:.3f}, right %{y:.3f}, of %{text}<extra></extra>",
    }
