"""What a test left behind: all that the figures of a report are computed from, in one .npz file.

A report is rendered from it as often as wanted, and the test set stays closed.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from objectives.judging.metrics import Yardstick, scores, standardised_scores
from reports.contents import ForecastScores, Scores
from reports.files import atomically

FILE = "forecasts.npz"
_NAIVE = "naive_"
_NAIVE_VALIDATION = "validation_mse_"
UNUSABLE = (OSError, ValueError, EOFError, KeyError, BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class StoredForecasts:
    """Forecasts of one winner and the naive ones, in the data's units, (windows, horizon, targets) each.

    `trial`, `seed` and `model` (SHA-256 of the refitted model's file) say whose they are. `validation`
    and `train_only` come from the winner as the search saw it, `test` from the refitted model, as do the
    `test_quantiles` (windows, horizon, targets, quantiles) of one that gives them. `times`
    label the first target of each test window; `measure` comes from the training rows,
    `naive_validation` holds the naive forecasts' standardised MSE on validation.
    """

    trial: int
    seed: int
    model: str
    times: tuple[str, ...]
    targets: tuple[str, ...]
    validation_truth: NDArray[np.float64]
    validation: NDArray[np.float64]
    truth: NDArray[np.float64]
    test: NDArray[np.float64]
    train_only: NDArray[np.float64]
    naive: Mapping[str, NDArray[np.float64]]
    measure: Yardstick
    naive_validation: Mapping[str, float] = field(default_factory=dict)
    test_quantiles: NDArray[np.float64] | None = None


def save_forecasts(directory: Path, stored: StoredForecasts) -> None:
    """Write the file, whole or not at all."""
    with atomically(directory / FILE) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            trial=stored.trial,
            seed=stored.seed,
            model=stored.model,
            times=np.array(stored.times),
            targets=np.array(stored.targets),
            validation_truth=stored.validation_truth,
            validation=stored.validation,
            truth=stored.truth,
            test=stored.test,
            train_only=stored.train_only,
            **({} if stored.test_quantiles is None else {"test_quantiles": stored.test_quantiles}),
            deviation=stored.measure.deviation,
            seasonal_error=stored.measure.seasonal_error,
            **{f"{_NAIVE}{name}": forecast for name, forecast in stored.naive.items()},
            **{f"{_NAIVE_VALIDATION}{name}": mse for name, mse in stored.naive_validation.items()},
            allow_pickle=False,
        )


def load_forecasts(directory: Path) -> StoredForecasts | None:
    """Read the file; None where there is none, or one that is damaged or of an older version."""
    try:
        with np.load(directory / FILE, allow_pickle=False) as saved:
            naive = {n.removeprefix(_NAIVE): saved[n] for n in saved.files if n.startswith(_NAIVE)}
            return StoredForecasts(
                trial=int(saved["trial"]),
                seed=int(saved["seed"]),
                model=str(saved["model"]),
                times=tuple(str(time) for time in saved["times"]),
                targets=tuple(str(target) for target in saved["targets"]),
                validation_truth=saved["validation_truth"],
                validation=saved["validation"],
                truth=saved["truth"],
                test=saved["test"],
                train_only=saved["train_only"],
                naive=naive,
                measure=Yardstick(saved["deviation"], saved["seasonal_error"]),
                naive_validation={
                    name.removeprefix(_NAIVE_VALIDATION): float(saved[name])
                    for name in saved.files
                    if name.startswith(_NAIVE_VALIDATION)
                },
                test_quantiles=saved.get("test_quantiles"),
            )
    except UNUSABLE:
        return None


def scorer(
    measure: Yardstick,
) -> Callable[[NDArray[np.float64], NDArray[np.float64]], ForecastScores]:
    """Make a function from truth and forecast (windows, horizon, targets) to scores in both units."""

    def score(truth: NDArray[np.float64], forecast: NDArray[np.float64]) -> ForecastScores:
        return ForecastScores(
            data_units=Scores(*scores(truth, forecast, measure)),
            standardised=Scores(*standardised_scores(truth, forecast, measure)),
        )

    return score
