"""Optimism: how much better the winner looked when it was chosen than it turned out to be."""

from dataclasses import dataclass

from reports.classification.contents import ClassificationReport, judged_by
from reports.contents import Candidate, Confirmation, SearchReport, StudyReport
from reports.wording import counted, number


@dataclass(frozen=True)
class Optimism:
    """The winner's scores in the study's metric; of forecasts in units of the training rows' deviation.

    `search` is the one it was chosen for; `confirmed` the mean over fresh seeds on the same targets,
    None without a confirmation; `train_only` and `test` are those on the test set before and after the
    refit, None where it is closed.
    """

    search: float
    confirmed: float | None
    train_only: float | None
    test: float | None


def optimism(report: SearchReport) -> Optimism | None:
    """Gather the winner's scores; None where there is no winner."""
    if report.winner is None:
        return None
    candidate = candidate_of(report)
    train_only = test = None
    if isinstance(report, StudyReport):
        train_only = report.train_only.standardised.overall.get(report.metric)
        test = report.test.standardised.overall.get(report.metric)
    if isinstance(report, ClassificationReport):
        train_only = judged_by(report.metric, report.train_only)
        test = judged_by(report.metric, report.test)
    confirmed = None if candidate is None else candidate.mean
    return Optimism(report.winner.value, confirmed, train_only, test)


def candidate_of(report: SearchReport) -> Candidate | None:
    """The winner among the candidates that were confirmed, None where it is not."""
    if report.confirmation is None or report.winner is None:
        return None
    trial = report.winner.trial
    return next((each for each in report.confirmation.candidates if each.trial == trial), None)


def optimism_in_words(found: Optimism, metric: str) -> str:
    """The figures in the order in which they were seen."""
    steps = {
        "search": found.search,
        "mean of fresh seeds": found.confirmed,
        "test before the refit": found.train_only,
        "test": found.test,
    }
    known = [f"{name} {number(value)}" for name, value in steps.items() if value is not None]
    unit = ", standardised" if metric in ("mse", "mae", "rmse") else ""
    return f"Optimism ({metric}{unit}): {' → '.join(known)}."


def decision_in_words(confirmation: Confirmation) -> str:
    """Who led before and after the confirmation, or how far it has come."""
    first, winner = confirmation.candidates[0], confirmation.winner
    if winner is None:
        ended = sum(len(each.scores) for each in confirmation.candidates)
        runs = sum(each.seeds for each in confirmation.candidates)
        return f"Confirmation: {ended} of {counted(runs, 'run')} ended; nothing is decided yet."
    seeds = counted(first.seeds, "fresh seed")
    if winner == first.trial:
        return f"Trial {winner} led the search and still leads over {seeds}."
    return f"Trial {first.trial} led the search; over {seeds} trial {winner} is better, and wins."
