"""Pictures of one trial, for whoever looks at it in the dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports.classification.figures import draw_confusion
from reports.figure_data import spreads_widely
from reports.figure_style import (
    ACCENT,
    MODEL,
    MUTED,
    TRUTH,
    WIDTH,
    count_in_whole_numbers,
    finish,
    scale_values,
)
from reports.wording import number

_DOTS_PER_INCH = 80  # legible in the dashboard, and a picture stays at some 25 kB


@dataclass(frozen=True)
class TrialCurves:
    """A trial by epoch, counted on through its folds; `best` is the index of its best epoch."""

    metric: str
    loss: Sequence[float]
    validation: Sequence[float]
    best: int


@dataclass(frozen=True, eq=False)
class ValidationPiece:
    """Forecasts on the end of the validation rows; the arrays are (windows, horizon)."""

    target: str
    rows: NDArray[np.int64]
    truth: NDArray[np.float64]
    forecast: NDArray[np.float64]


def save_loss_curves(path: Path, title: str, curves: TrialCurves) -> None:
    """Draw training loss and validation metric by epoch into a PNG file."""
    figure, axes = _sheet()
    epochs = range(1, len(curves.validation) + 1)
    axes.plot(epochs, curves.loss, "--", color=MUTED, lw=1.6, label="training loss")
    axes.plot(epochs, curves.validation, color=MODEL, lw=2, label=f"validation {curves.metric}")
    best = curves.validation[curves.best]
    label = f"best epoch ({curves.best + 1}): {number(best)}"
    axes.plot([curves.best + 1], [best], "o", color=ACCENT, ms=8, ls="", label=label)
    scale_values(axes, spreads_widely([*curves.loss, *curves.validation]))
    count_in_whole_numbers(axes, "Epoch")
    finish(axes, title)
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def save_validation_forecast(path: Path, title: str, piece: ValidationPiece) -> None:
    """Draw forecasts that share no targets over the truth into a PNG file."""
    figure, axes = _sheet()
    axes.plot(piece.rows.reshape(-1), piece.truth.reshape(-1), color=TRUTH, lw=1.6, label="truth")
    for index, (rows, forecast) in enumerate(zip(piece.rows, piece.forecast, strict=True)):
        label = "forecasts, each from its first point on" if index == 0 else None
        axes.plot(rows, forecast, color=MODEL, lw=1.8, label=label)
        axes.plot(rows[:1], forecast[:1], "o", color=MODEL, ms=3.5)
    axes.set_xlabel("Row of the data, the last of validation")
    axes.set_ylabel(piece.target, parse_math=False)
    finish(axes, title)
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def save_validation_confusion(
    path: Path, title: str, labels: Sequence[str], matrix: NDArray[np.int64]
) -> bool:
    """Draw what is taken for what into a PNG file, unless there are too many classes: then False."""
    figure = draw_confusion(labels, matrix, title)
    if figure is None:
        return False
    figure.savefig(path, dpi=_DOTS_PER_INCH)
    return True


def _sheet() -> tuple[Figure, Axes]:
    # Fixed margins: working them out takes as long as all the drawing.
    figure = Figure(figsize=(WIDTH, 3.8))
    return figure, figure.add_axes((0.09, 0.14, 0.89, 0.66))
