"""Plots of the search: the winner's training, and those that Optuna draws."""

from collections.abc import Mapping
from typing import Any

from reports.page.figure import ACCENT, MODEL, MUTED, SECOND, PageFigure, axes, dots, line

# name → what to see, how to read it
STUDY_FIGURES = {
    "history": ("Every trial in order", "Complete trials, and the best value so far."),
    "importances": (
        "Which hyperparameters matter",
        "The share of each in how much better than the rest the best trials are (PED-ANOVA).",
    ),
    "slice": (
        "The two that matter most",
        "One dot a trial; the stronger its colour, the later in the search.",
    ),
    "contour": (
        "The two together",
        "The value between trials is interpolated; in a large study between a sample of them.",
    ),
    "intermediate": (
        "Pruned against finished trials",
        "Validation by epoch; pruned trials end early. In a large study a sample of the trials.",
    ),
}


def curve_figures(curves: Mapping[str, Any] | None) -> list[PageFigure]:
    """Draw the winning run by epoch: loss and metric, then the learning rate."""
    if not curves:
        return []
    metric, validation, best = curves["metric"], curves["validation"], curves["best_epoch"]
    epochs = list(range(1, len(validation) + 1))
    traces = [
        line("training loss", epochs[: len(curves["loss"])], curves["loss"], MUTED, "dash"),
        line(f"validation {metric}", epochs, validation, MODEL),
        dots("best epoch", [best], [validation[best - 1]], ACCENT),
    ]
    label, logarithmic = f"Loss and {metric}", curves["logarithmic"]
    layout = axes("Epoch", label, logarithmic=logarithmic, counted=len(epochs))
    note = "Training and validation of the winner; the weights kept are those of the best epoch."
    figures = [PageFigure("curves", "How the winner learned", note, traces, layout)]
    if curves["learning_rate"]:
        rates = line("learning rate", epochs, curves["learning_rate"], SECOND)
        rates["line"]["shape"] = "hvh"
        layout = axes("Epoch", "Learning rate", counted=len(epochs))
        layout["yaxis"]["rangemode"] = "tozero"
        note = "What the optimiser was given in each epoch, which the refit replays."
        figures.append(PageFigure("rates", "The winner's learning rate", note, [rates], layout))
    return figures


def study_figures(drawn: Mapping[str, Mapping[str, Any]]) -> list[PageFigure]:
    """Lay out the figures that Optuna drew of the study, in the order of `STUDY_FIGURES`."""
    return [
        PageFigure(name, title, note, drawn[name]["data"], drawn[name]["layout"])
        for name, (title, note) in STUDY_FIGURES.items()
        if name in drawn
    ]
