"""How certain the test scores are: in words, in numbers, and as a section of the page."""

import math
from collections.abc import Mapping
from typing import Any

from reports.contents import Difference, Estimate, StudyReport, Uncertainty
from reports.wording import baseline_label, counted, number, several_targets

SIGNIFICANT = 0.05
TOO_SHORT = "The test set is too short to tell chance from skill."
RATHER_SHORT = (
    "CAUTION: the test set is short for how long its errors depend on each other, so that intervals are "
    "too narrow and p-values too small."
)
BETTER, UNCLEAR, WORSE = "better", "not distinguishable", "worse"


def outcome(difference: Difference) -> str:
    """Say how the model stands to a naive forecast: BETTER, WORSE or, where it may be chance, UNCLEAR.

    Both the test, adjusted for how many were made, and the difference's interval must rule chance out.
    """
    mse = difference.standardised["mse"]
    if difference.adjusted_p >= SIGNIFICANT or mse.low <= 0 <= mse.high:
        return UNCLEAR
    return BETTER if mse.figure < 0 else WORSE


def p_in_words(p: float) -> str:
    """Write a p-value as "p = 0.034", "p = 0.41" or "p < 0.001"."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def rmse_interval(report: StudyReport) -> Estimate | None:
    """The refitted model's test RMSE with its interval, in the units that `unit_name` names."""
    if report.uncertainty is None:
        return None
    return _shown(report, report.uncertainty.data_units, report.uncertainty.standardised)


def uncertainty_numbers(uncertainty: Uncertainty) -> dict[str, Any]:
    """Lay the intervals and tests out for report.json."""
    return {
        "level": 0.95,
        "windows": uncertainty.windows,
        "block": uncertainty.block,
        "short": uncertainty.short,
        "significant": SIGNIFICANT,
        "method": method_in_words(uncertainty),
        "resamples": uncertainty.resamples,
        "test": _ends(uncertainty.data_units),
        "test_standardised": _ends(uncertainty.standardised),
        "naive_validation_mse": uncertainty.naive_validation,
        "strongest_on_validation": uncertainty.strongest,
        "differences": {
            name: {
                "outcome": outcome(difference),
                "test": _ends(difference.data_units),
                "test_standardised": _ends(difference.standardised),
                "diebold_mariano": {
                    "statistic": difference.statistic,
                    "p": difference.p,
                    "adjusted_p": difference.adjusted_p,
                },
            }
            for name, difference in uncertainty.differences.items()
        },
    }


def score_rows(uncertainty: Uncertainty) -> list[list[str]]:
    """A row for each metric: its name, then figure and interval in data units and standardised."""
    return [
        [
            metric.upper() if metric != "r2" else "R²",
            *_cells(estimate),
            *_cells(uncertainty.standardised[metric]),
        ]
        for metric, estimate in uncertainty.data_units.items()
    ]


def difference_rows(report: StudyReport, uncertainty: Uncertainty) -> list[list[str]]:
    """A row for each naive forecast: RMSE difference, interval, test, and what they come to."""
    words = {BETTER: "better", WORSE: "**WORSE**", UNCLEAR: UNCLEAR}
    return [
        [
            baseline_label(name),
            *_cells(_shown(report, difference.data_units, difference.standardised)),
            number(difference.statistic, 3),
            p_in_words(difference.p),
            p_in_words(difference.adjusted_p),
            words[outcome(difference)],
        ]
        for name, difference in uncertainty.differences.items()
    ]


def method_in_words(uncertainty: Uncertainty) -> str:
    """How intervals and tests came about, and what they leave out."""
    return (
        f"Intervals come from {uncertainty.resamples} resamples of the test set's "
        f"{counted(uncertainty.windows, 'window')} in blocks of {uncertainty.block} neighbouring "
        "ones (moving-block bootstrap, expanded percentiles), the same for all forecasts; a block "
        "is as long as the errors depend on each other by the rule of Politis and White, and at "
        "least as long as windows share target rows. “DM” is the statistic of Diebold and Mariano "
        "on standardised squared errors, with the correction for small samples of Harvey, Leybourne "
        "and Newbold and as many lags as a block is long; negative favours the model. Adjusted "
        f"p-values allow for all {counted(len(uncertainty.differences), 'comparison')} (Holm). "
        f"“Better” and “worse” need an adjusted p below {SIGNIFICANT} and an interval without zero. "
        f"The strongest naive forecast on validation was {baseline_label(uncertainty.strongest)}. "
        "All this is about this one model on data like these; what another seed or another year "
        "would bring is not covered."
    )


def _shown(
    report: StudyReport, data_units: Mapping[str, Estimate], standardised: Mapping[str, Estimate]
) -> Estimate:
    return (standardised if several_targets(report) else data_units)["rmse"]


def _ends(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {
        metric: {"figure": estimate.figure, "low": estimate.low, "high": estimate.high}
        for metric, estimate in estimates.items()
    }


def _cells(estimate: Estimate) -> list[str]:
    return [number(estimate.figure), span(estimate.low, estimate.high)]


def span(low: float, high: float) -> str:
    """Write the ends of an interval; a hyphen where there is none (NaN)."""
    return number(None) if math.isnan(low) else f"{number(low)} to {number(high)}"
