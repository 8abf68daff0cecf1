"""The naive forecasts of a study, on validation and on the test set."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from objectives.judging.baselines import Ridge, fit_ridge, persistence, refit_ridge, seasonal_naive
from objectives.judging.metrics import standardised_scores, yardstick
from objectives.split import Fold, Part
from objectives.windows import target_windows
from search.preparation import Preparation

_MOST_MULTIPLICATIONS = 1e11  # for a ridge regression beside a search: a few seconds


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


def naive_scores(preparation: Preparation, timesteps: int, metric: str) -> dict[str, float]:
    """What the naive forecasts would be worth as trials: on the same targets, in the same unit.

    Ridge sees windows of `timesteps` rows; it is left out where fitting it would keep a search waiting.
    The test set plays no part.

    Returns:
        "persistence", "seasonal_naive" and "ridge" → "mse", "mae" or "rmse", the mean over the folds.
    """
    folds = [_fold_scores(preparation, fold, timesteps, metric) for fold in preparation.split.folds]
    return {name: fmean(scores[name] for scores in folds) for name in folds[-1]}


def _fold_scores(
    preparation: Preparation, fold: Fold, timesteps: int, metric: str
) -> dict[str, float]:
    values, split = preparation.dataset.values, preparation.split
    targets, origins = len(preparation.dataset.targets), fold.validation.origins
    rows = values[split.train.first : split.train.end, :targets]
    measure = yardstick(rows, preparation.season)
    truth = target_windows(values, origins, split.horizon, targets).astype(np.float64)
    windows = len(split.train.origins)  # those of the largest fold, so that all folds are alike
    ridge = None
    if windows * (timesteps * values.shape[1]) ** 2 <= _MOST_MULTIPLICATIONS:
        ridge = fit_ridge(values, fold.train.origins, origins, (timesteps, split.horizon, targets))
    found = _forecasts(preparation, fold.validation, ridge)
    return {
        name: standardised_scores(truth, forecast, measure)[0][metric]
        for name, forecast in found.items()
    }


def _forecasts(
    preparation: Preparation, part: Part, ridge: Ridge | None
) -> dict[str, NDArray[np.float64]]:
    values, horizon = preparation.dataset.values, preparation.split.horizon
    targets, origins = len(preparation.dataset.targets), part.origins
    found = {
        "persistence": persistence(values, origins, horizon, targets),
        "seasonal_naive": seasonal_naive(values, origins, horizon, targets, preparation.season),
    }
    return found if ridge is None else {**found, "ridge": ridge.forecast(values, origins)}
