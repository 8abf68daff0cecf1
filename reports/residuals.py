"""What is left of the truth when the forecast is taken away, in numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.contents import Forecasts

MOST_LAGS = 48


@dataclass(frozen=True)
class Residuals:
    """Errors of the refitted model on the test set for one target, in the data's units.

    `mean` and `deviation` are over all windows and steps of the horizon. `autocorrelation[i]` belongs
    to lag i + 1 in windows and is of the errors at the first step, which a good model leaves without
    any; `bound` is what a share `level` of the correlations of independent errors stay below.
    """

    target: str
    mean: float
    deviation: float
    autocorrelation: tuple[float, ...]
    bound: float
    level: float = 0.95


def residuals_info(forecasts: Forecasts) -> tuple[Residuals, ...]:
    """Describe the errors of each target; `forecasts` are arrays (windows, horizon, targets)."""
    errors = forecasts.truth - forecasts.refitted
    windows = errors.shape[0]
    return tuple(
        Residuals(
            target=target,
            mean=float(errors[..., index].mean()),
            deviation=float(errors[..., index].std()),
            autocorrelation=_autocorrelation(errors[:, 0, index]),
            bound=1.96 / windows**0.5,
        )
        for index, target in enumerate(forecasts.targets)
    )


def _autocorrelation(errors: NDArray[np.float64]) -> tuple[float, ...]:
    """Correlate errors (windows,) with those some windows before; none where they never change."""
    centred = errors - errors.mean()
    power = float(centred @ centred)
    if power == 0:
        return ()
    lags = range(1, min(MOST_LAGS, len(errors) // 4) + 1)
    return tuple(float(centred[lag:] @ centred[:-lag]) / power for lag in lags)
