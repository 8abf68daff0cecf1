"""The naive forecasts of a study, on validation and on the test set."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.baselines import Ridge, fit_ridge, persistence, refit_ridge, seasonal_naive
from objectives.metrics import yardstick
from objectives.split import Part
from objectives.windows import target_windows
from search.preparation import Preparation


@dataclass(frozen=True)
class NaiveForecasts:
    """Forecasts in the data's units by "persistence", "seasonal_naive" and "ridge".

    `test` maps each to (windows, horizon, targets); `validation` to its MSE on validation, each target
    divided by its deviation over the training rows.
    """

    test: Mapping[str, NDArray[np.float64]]
    validation: Mapping[str, float]


def naive_forecasts(preparation: Preparation, timesteps: int) -> NaiveForecasts:
    """Forecast naively.

    Ridge sees the winner's windows; its penalty is chosen on validation, and for the test set it is
    fitted again on train+validation as the winner is.
    """
    values, split = preparation.dataset.values, preparation.split
    targets = len(preparation.dataset.targets)
    shape = (timesteps, split.horizon, targets)
    chosen = fit_ridge(values, split.train.origins, split.validation.origins, shape)
    ridge = refit_ridge(values, split.train_and_validation().origins, chosen)
    rows = values[split.train.first : split.train.end, :targets]
    deviation = yardstick(rows, preparation.season).deviation
    truth = target_windows(values, split.validation.origins, split.horizon, targets)
    on_validation = _forecasts(preparation, split.validation, chosen)
    return NaiveForecasts(
        test=_forecasts(preparation, split.test, ridge),
        validation={
            name: float(np.mean(((forecast - truth) / deviation) ** 2))
            for name, forecast in on_validation.items()
        },
    )


def _forecasts(
    preparation: Preparation, part: Part, ridge: Ridge
) -> dict[str, NDArray[np.float64]]:
    values, horizon = preparation.dataset.values, preparation.split.horizon
    targets, origins = len(preparation.dataset.targets), part.origins
    return {
        "persistence": persistence(values, origins, horizon, targets),
        "seasonal_naive": seasonal_naive(values, origins, horizon, targets, preparation.season),
        "ridge": ridge.forecast(values, origins),
    }
