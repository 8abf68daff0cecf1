"""Prediction intervals from the errors on validation, and how often they hold the truth on test."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.judging.conformal import LEAST_WINDOWS, LEVELS, half_widths
from objectives.judging.metrics import Yardstick
from reports.contents import Intervals, LevelCoverage
from search.reporting.stored_forecasts import StoredForecasts


def interval_metadata(stored: StoredForecasts) -> dict[str, Any] | None:
    """The intervals as model.json holds them, None where validation gives none.

    "half_widths" maps a level such as "0.90" to how far its interval reaches to either side of the
    forecast, a list of `horizon` lists of `targets` numbers in the data's units; "windows" is the number
    of validation windows that they come from.
    """
    errors = _validation_errors(stored)
    if _absent(errors):
        return None
    found = {level: half_widths(errors, level) for level in LEVELS}
    plain = {level: [[_short(v) for v in step] for step in each] for level, each in found.items()}
    return {"windows": len(errors), "half_widths": plain}


def judge_intervals(stored: StoredForecasts) -> Intervals:
    """Count how often the intervals around the refitted model's forecasts held the truth."""
    errors = _validation_errors(stored)
    absent = _absent(errors)
    distance = np.abs(stored.truth - stored.test)
    levels = () if absent else LEVELS
    return Intervals(
        windows=len(errors),
        levels=tuple(
            _coverage(float(level), distance, half_widths(errors, level), stored.measure)
            for level in levels
        ),
        absent=absent,
    )


def _validation_errors(stored: StoredForecasts) -> NDArray[np.float64]:
    return stored.validation_truth - stored.validation


def _absent(errors: NDArray[np.float64]) -> str:
    """Why there are no intervals, in words; empty where there are."""
    if len(errors) < LEAST_WINDOWS:
        return f"validation has {len(errors)} windows, and intervals need {LEAST_WINDOWS}"
    if not np.isfinite(errors).all():
        return "a forecast on validation is not finite"
    return ""


def _coverage(
    level: float,
    distance: NDArray[np.float64],
    reach: NDArray[np.float64],
    measure: Yardstick,
) -> LevelCoverage:
    """Judge intervals that reach so far (horizon, targets); `distance` (windows, horizon, targets)."""
    held = distance <= reach
    width, standardised = 2 * reach, 2 * reach / measure.deviation
    return LevelCoverage(
        level=level,
        coverage=float(held.mean()),
        mean_width=float(width.mean()),
        mean_width_standardised=float(standardised.mean()),
        coverage_per_step=_floats(held.mean(axis=(0, 2))),
        mean_width_per_step=_floats(width.mean(axis=1)),
        mean_width_standardised_per_step=_floats(standardised.mean(axis=1)),
    )


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _short(value: float) -> float:
    """Seven significant digits, as many as the model's own numbers have."""
    return float(f"{value:.7g}")
