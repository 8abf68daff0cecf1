"""Prediction intervals: in words, in numbers, and as rows of a table."""

from typing import Any

from reports.contents import Intervals, LevelCoverage, StudyReport
from reports.wording import counted, number, several_targets


def interval_numbers(intervals: Intervals) -> list[dict[str, Any]]:
    """Lay the intervals out for report.json, an entry for each level."""
    return [
        {
            "level": each.level,
            "coverage": each.coverage,
            "mean_width": each.mean_width,
            "mean_width_standardised": each.mean_width_standardised,
            "per_step": {
                "coverage": each.coverage_per_step,
                "mean_width": each.mean_width_per_step,
                "mean_width_standardised": each.mean_width_standardised_per_step,
            },
        }
        for each in intervals.levels
    ]


def interval_rows(report: StudyReport, intervals: Intervals) -> list[list[str]]:
    """A row for each level: what was asked for, what was reached, and how wide that is."""
    return [
        [
            f"{each.level:.0%}",
            f"{each.coverage:.1%}",
            *(f"{share:.1%}" for share in (each.coverage_per_step[0], each.coverage_per_step[-1])),
            number(_width(report, each)),
        ]
        for each in intervals.levels
    ]


def intervals_in_words(intervals: Intervals) -> str:
    """Where the intervals come from and what they leave out, or why there are none."""
    if intervals.absent:
        return f"There are no prediction intervals: {intervals.absent}."
    return (
        "An interval reaches as far to either side of the forecast as the errors did on validation, at "
        f"each step by itself (split-conformal, {counted(intervals.windows, 'window')}); `model.json` "
        "holds them. The levels would be reached on average if windows were exchangeable. They are so "
        "only roughly, since neighbouring windows overlap and the series may change, and the errors are "
        "those of the model before the refit, around whose successor the intervals are laid: what was "
        "reached on the test set is what to go by."
    )


def _width(report: StudyReport, coverage: LevelCoverage) -> float:
    return coverage.mean_width_standardised if several_targets(report) else coverage.mean_width
