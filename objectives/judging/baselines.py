"""Naive forecasts on the same windows and the same targets as the network's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from objectives.scaling import one_where_constant
from objectives.windows import input_windows, target_windows

PENALTIES = tuple(10.0**power for power in range(-2, 6))
_CHUNK_CELLS = 4_000_000  # 32 MB of float64 a chunk, however many windows there are


def persistence(
    values: NDArray[np.float64], origins: NDArray[np.int64], horizon: int, targets: int
) -> NDArray[np.float64]:
    """Repeat the last observed value: (windows, horizon, targets)."""
    return np.repeat(values[origins - 1, None, :targets], horizon, axis=1)


def seasonal_naive(
    values: NDArray[np.float64],
    origins: NDArray[np.int64],
    horizon: int,
    targets: int,
    season: int,
) -> NDArray[np.float64]:
    """Repeat the last observed season of `season` rows: (windows, horizon, targets)."""
    steps = np.arange(horizon) % season
    rows = np.maximum(origins[:, None] - season + steps, 0)  # (windows, horizon)
    return values[rows, :targets]


@dataclass(frozen=True)
class Ridge:
    """A linear forecast from all columns of a window, each less its last value.

    `kernel` is (timesteps * columns, horizon * targets) and `intercept` (horizon * targets,), for
    columns divided by `deviation` (columns,). It forecasts the change from the last observed value, as
    NLinear does (Zeng et al. 2023).
    """

    timesteps: int
    horizon: int
    targets: int
    deviation: NDArray[np.float64]
    penalty: float
    kernel: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def forecast(
        self, values: NDArray[np.float64], origins: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Forecast from rows (rows, columns) at each origin: (windows, horizon, targets)."""
        parts = [
            _changes(values / self.deviation, chunk, self.timesteps) @ self.kernel + self.intercept
            for chunk in _chunks(origins, self.timesteps * values.shape[1])
        ]
        change = np.concatenate(parts).reshape(-1, self.horizon, self.targets)
        return change * self.deviation[: self.targets] + values[origins - 1, None, : self.targets]


@dataclass(frozen=True)
class _Moments:
    """Sums over windows that determine a ridge regression for every penalty."""

    gram: NDArray[np.float64]  # (inputs, inputs)
    cross: NDArray[np.float64]  # (inputs, outputs)
    input_mean: NDArray[np.float64]
    output_mean: NDArray[np.float64]


def fit_ridge(
    values: NDArray[np.float64],
    fit_origins: NDArray[np.int64],
    validation_origins: NDArray[np.int64],
    shape: tuple[int, int, int],
) -> Ridge:
    """Fit ridge regression on the windows at `fit_origins`, its penalty chosen on validation windows.

    Args:
        values: (rows, columns), targets first.
        fit_origins: (windows,) origins of the training windows.
        validation_origins: (windows,) origins that choose among `PENALTIES`; never test windows.
        shape: timesteps, horizon and number of targets.
    """
    timesteps, horizon, targets = shape
    seen = values[: fit_origins[-1] + horizon]
    deviation = one_where_constant(seen.std(axis=0), seen)
    moments = _moments(values / deviation, fit_origins, timesteps, horizon, targets)
    truth = target_windows(values, validation_origins, horizon, targets)
    best: tuple[float, Ridge] | None = None
    for penalty in PENALTIES:
        model = _solve(moments, penalty, deviation, shape)
        error = (model.forecast(values, validation_origins) - truth) / deviation[:targets]
        mse = float(np.mean(error**2))
        if best is None or mse < best[0]:
            best = (mse, model)
    if best is None:
        raise ValueError("no penalty to choose from")
    return best[1]


def refit_ridge(values: NDArray[np.float64], origins: NDArray[np.int64], chosen: Ridge) -> Ridge:
    """Fit again on more windows, with the penalty and the units of `chosen`."""
    shape = (chosen.timesteps, chosen.horizon, chosen.targets)
    moments = _moments(values / chosen.deviation, origins, *shape)
    return _solve(moments, chosen.penalty, chosen.deviation, shape)


def _moments(
    values: NDArray[np.float64],
    origins: NDArray[np.int64],
    timesteps: int,
    horizon: int,
    targets: int,
) -> _Moments:
    inputs, outputs = timesteps * values.shape[1], horizon * targets
    gram, cross = np.zeros((inputs, inputs)), np.zeros((inputs, outputs))
    input_sum, output_sum = np.zeros(inputs), np.zeros(outputs)
    for chunk in _chunks(origins, inputs):
        seen = _changes(values, chunk, timesteps)
        aim = target_windows(values, chunk, horizon, targets) - values[chunk - 1, None, :targets]
        wanted = aim.reshape(len(chunk), -1)
        gram += seen.T @ seen
        cross += seen.T @ wanted
        input_sum += seen.sum(axis=0)
        output_sum += wanted.sum(axis=0)
    count = len(origins)
    input_mean, output_mean = input_sum / count, output_sum / count
    gram -= count * np.outer(input_mean, input_mean)
    cross -= count * np.outer(input_mean, output_mean)
    return _Moments(gram, cross, input_mean, output_mean)


def _solve(
    moments: _Moments, penalty: float, deviation: NDArray[np.float64], shape: tuple[int, int, int]
) -> Ridge:
    ridged = moments.gram + penalty * np.eye(len(moments.gram))
    kernel = linalg.solve(ridged, moments.cross, assume_a="pos")
    intercept = moments.output_mean - moments.input_mean @ kernel
    return Ridge(*shape, deviation, penalty, kernel, intercept)


def _changes(
    values: NDArray[np.float64], origins: NDArray[np.int64], timesteps: int
) -> NDArray[np.float64]:
    """Flat windows less their last row: (windows, timesteps * columns)."""
    windows = input_windows(values, origins, timesteps)
    return (windows - windows[:, -1:]).reshape(len(origins), -1)


def _chunks(origins: NDArray[np.int64], cells: int) -> list[NDArray[np.int64]]:
    return np.array_split(origins, max(1, -(-len(origins) * cells // _CHUNK_CELLS)))
