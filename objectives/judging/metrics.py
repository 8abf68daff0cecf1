"""Scores of forecasts, overall and for each step of the horizon."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.scaling import one_where_constant


@dataclass(frozen=True)
class Yardstick:
    """What scores are measured against, from the training rows alone.

    `deviation` (targets,) is each target's population deviation, the unit of standardised scores;
    `seasonal_error` (targets,) the mean absolute error of the seasonal naive forecast one period ahead,
    the denominator of MASE (Hyndman & Koehler 2006).
    """

    deviation: NDArray[np.float64]
    seasonal_error: NDArray[np.float64]


def yardstick(training_targets: NDArray[np.float64], season: int) -> Yardstick:
    """Measure the training rows (rows, targets); `season` is a period in rows."""
    distance = training_targets[season:] - training_targets[:-season]
    return Yardstick(
        deviation=one_where_constant(training_targets.std(axis=0), training_targets),
        seasonal_error=np.abs(distance).mean(axis=0),
    )


def scores(
    truth: NDArray[np.float64], forecast: NDArray[np.float64], measure: Yardstick
) -> tuple[Mapping[str, float], Mapping[str, tuple[float, ...]]]:
    """Score forecasts (windows, horizon, targets) against the truth of the same shape.

    Returns:
        Metric → figure over everything, and metric → one figure for each step. MSE, MAE and RMSE are
        means over windows, steps and targets in the unit of the arguments; RMSE is the root of that
        mean. MASE and R² are computed for each target and then averaged. A target that never changes
        has no R² (NaN), and one whose season never errs no MASE.
    """
    if truth.shape != forecast.shape:
        raise ValueError(f"truth and forecast differ in shape: {truth.shape} and {forecast.shape}")
    overall = _figures(truth, forecast, measure)
    steps = [
        _figures(truth[:, step : step + 1], forecast[:, step : step + 1], measure)
        for step in range(truth.shape[1])
    ]
    return overall, {name: tuple(step[name] for step in steps) for name in overall}


def _figures(
    truth: NDArray[np.float64], forecast: NDArray[np.float64], measure: Yardstick
) -> dict[str, float]:
    error = forecast - truth
    mse = float(np.mean(error**2))
    mae_by_target = np.abs(error).mean(axis=(0, 1))  # (targets,)
    spread = ((truth - truth.mean(axis=(0, 1))) ** 2).sum(axis=(0, 1))  # (targets,)
    with np.errstate(divide="ignore", invalid="ignore"):
        mase = np.where(measure.seasonal_error > 0, mae_by_target / measure.seasonal_error, np.nan)
        r2 = np.where(spread > 0, 1.0 - (error**2).sum(axis=(0, 1)) / spread, np.nan)
    return {
        "mse": mse,
        "mae": float(mae_by_target.mean()),
        "rmse": float(np.sqrt(mse)),
        "mase": float(mase.mean()),
        "r2": float(r2.mean()),
    }


def standardised_scores(
    truth: NDArray[np.float64], forecast: NDArray[np.float64], measure: Yardstick
) -> tuple[Mapping[str, float], Mapping[str, tuple[float, ...]]]:
    """The scores after dividing each target by its training deviation."""
    unit = Yardstick(np.ones_like(measure.deviation), measure.seasonal_error / measure.deviation)
    return scores(truth / measure.deviation, forecast / measure.deviation, unit)
