"""What every tracker is told, in plain figures."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Protocol

from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport
from storage.records import TrialRecord


class Tracker(Protocol):
    """A place outside that gets a run for each trial, and one for the winner."""

    def known(self) -> frozenset[int]:
        """Numbers of the trials that it has already."""

    def log_trial(self, trial: TrialRecord) -> None:
        """Make a run of a trial that has ended."""

    def log_winner(self, report: StudyReport | ClassificationReport) -> None:
        """Make a run of the refitted winner, with its test scores."""


def parameters(trial: TrialRecord) -> dict[str, Any]:
    """The hyperparameters that a trial ran with, or what was drawn before it failed."""
    found: Mapping[str, Any] = trial.attributes.get("hyperparameters", trial.params)
    return {name: str(value) if isinstance(value, list) else value for name, value in found.items()}


def curve_points(trial: TrialRecord) -> Iterator[tuple[str, int, float]]:
    """Name, epoch and value of all that a trial has reached: loss, metrics and learning rate."""
    for name, values in trial.attributes.get("curves", {}).items():
        shown = name if name in ("loss", "learning_rate") else f"validation_{name}"
        for epoch, value in enumerate(values, 1):
            if isfinite(value):
                yield shown, epoch, value


def winner_scores(report: StudyReport | ClassificationReport) -> dict[str, float]:
    """The winner's test scores; of forecasts in the data's units."""
    return {
        f"test_{name}": value for name, value in _test_scores(report).items() if isfinite(value)
    }


def _test_scores(report: StudyReport | ClassificationReport) -> Mapping[str, float]:
    if isinstance(report, ClassificationReport):
        return report.test
    return report.test.data_units.overall
