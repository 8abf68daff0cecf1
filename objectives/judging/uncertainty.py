"""How far a figure of the test set can be trusted: block bootstrap and tests of equal accuracy.

The errors of neighbouring windows resemble each other, since their targets overlap and since a forecast
that is bad in one hour is bad in the next. Resampling single windows would make any figure look
certain, so that whole blocks of neighbouring windows are drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from objectives.judging.metrics import Yardstick

RESAMPLES = 2000
LEVEL = 0.95
LEAST_BLOCKS = 5


@dataclass(frozen=True)
class WindowMeans:
    """What the metrics are made of, for each window and target, as means over the window's steps.

    `truth` (windows, 2, targets) holds the truth less its mean over all windows and steps, and the
    square of that; `errors` maps a forecast's name to its squared and absolute errors, of that shape.
    """

    truth: NDArray[np.float64]
    errors: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class EqualAccuracy:
    """A Diebold–Mariano test of two forecasts: negative statistics favour the first one."""

    statistic: float
    p: float


def window_means(
    truth: NDArray[np.float64], forecasts: Mapping[str, NDArray[np.float64]]
) -> WindowMeans:
    """Average over the steps of each window; all arguments are (windows, horizon, targets)."""
    centred = truth - truth.mean(axis=(0, 1))
    errors = {name: forecast - truth for name, forecast in forecasts.items()}
    return WindowMeans(
        truth=np.stack([centred.mean(axis=1), (centred**2).mean(axis=1)], axis=1),
        errors={
            name: np.stack([(error**2).mean(axis=1), np.abs(error).mean(axis=1)], axis=1)
            for name, error in errors.items()
        },
    )


def losses(means: WindowMeans, measure: Yardstick) -> dict[str, NDArray[np.float64]]:
    """Each forecast's standardised squared error in each window, (windows,)."""
    return {
        name: (error[:, 0] / measure.deviation**2).mean(axis=1)
        for name, error in means.errors.items()
    }


def block_length(series: NDArray[np.float64], overlap: int) -> int:
    """How many neighbouring windows make a block.

    The longest of the lengths that suit each series best for the circular block bootstrap (Politis &
    White 2004, as corrected by Patton, Politis & White 2009; moving blocks are of the same length), and
    never shorter than the number of windows that have a target row in common.

    Args:
        series: (windows, k), such as the losses of forecasts and their differences.
        overlap: windows from one to the first that shares no target row with it.
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  (imports for seconds)

    if len(series) < LEAST_BLOCKS * max(2, overlap):  # too few to estimate autocorrelations from
        return overlap
    with np.errstate(divide="ignore", invalid="ignore"):  # a series that never changes
        lengths = optimal_block_length(series)["circular"].to_numpy()
    return max(overlap, int(np.ceil(np.nan_to_num(lengths, nan=1.0).max())))


def resampled_metrics(
    means: WindowMeans, measure: Yardstick, block: int, seed: int
) -> dict[str, dict[str, dict[str, NDArray[np.float64]]]]:
    """Compute every metric in resamples made of moving blocks of windows (Künsch 1989).

    All forecasts are judged on the same resamples, so that differences are paired.

    Args:
        means: the windows' means.
        measure: the units of standardised scores and of MASE.
        block: windows in a block.
        seed: decides which blocks are drawn.

    Returns:
        Forecast → unit ("data" or "standardised") → metric → (1 + RESAMPLES,): first the figure over
        all windows as they are, then one of each resample.
    """
    from arch.bootstrap import MovingBlockBootstrap  # noqa: PLC0415  (imports for seconds)

    windows, _, targets = means.truth.shape
    columns = np.concatenate([means.truth, *means.errors.values()], axis=1).reshape(windows, -1)

    def mean(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        drawn: NDArray[np.float64] = np.bincount(rows, minlength=windows) @ columns / windows
        return drawn

    rows = np.arange(windows)
    draws = MovingBlockBootstrap(block, rows, seed=seed).apply(mean, RESAMPLES)
    drawn = np.vstack([mean(rows), draws]).reshape(1 + RESAMPLES, -1, 2, targets)
    return {
        name: _metrics(drawn[:, index], drawn[:, 0], measure)
        for index, name in enumerate(means.errors, start=1)
    }


def _metrics(
    errors: NDArray[np.float64], truth: NDArray[np.float64], measure: Yardstick
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """The metrics of `metrics.py` from means (draws, 2, targets) of errors and of the truth."""
    squared, absolute = errors[:, 0], errors[:, 1]
    spread = truth[:, 1] - truth[:, 0] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        seasonal = measure.seasonal_error
        mase = np.where(seasonal > 0, absolute / seasonal, np.nan).mean(axis=1)
        r2 = np.where(spread > 0, 1.0 - squared / spread, np.nan).mean(axis=1)
    found = {}
    for name, unit in (("data", np.ones_like(seasonal)), ("standardised", measure.deviation)):
        mse = (squared / unit**2).mean(axis=1)
        mae = (absolute / unit).mean(axis=1)
        found[name] = {"mse": mse, "mae": mae, "rmse": np.sqrt(mse), "mase": mase, "r2": r2}
    return found


def interval(draws: NDArray[np.float64], blocks: float) -> tuple[float, float]:
    """The expanded percentile interval of a figure from its resamples (draws,): lower and upper end.

    Percentiles of resamples are too narrow where little was observed; the levels are moved outwards by
    what Student's distribution differs from the normal one (Hesterberg 2015), each of the `blocks`
    (windows divided by the block length) counting as one observation.
    """
    far = np.sqrt(blocks / (blocks - 1)) * stats.t.ppf((1 + LEVEL) / 2, blocks - 1)
    low, high = np.quantile(draws, [stats.norm.cdf(-far), stats.norm.cdf(far)])
    return float(low), float(high)


def diebold_mariano(
    first: NDArray[np.float64], second: NDArray[np.float64], horizon: int, lags: int
) -> EqualAccuracy:
    """Test whether two forecasts have the same expected loss (Diebold & Mariano 1995).

    With the correction for small samples of Harvey, Leybourne & Newbold (1997) and Newey and West's
    estimate of the variance.

    Args:
        first: loss of the one in each window, (windows,).
        second: loss of the other.
        horizon: windows that have a target row in common, the horizon of Harvey et al.
        lags: autocovariances of the difference that count. Fewer than its errors are dependent over
            would make chance look like a difference.
    """
    from statsmodels.tsa.stattools import diebold_mariano_test  # noqa: PLC0415  (imports for seconds)

    difference = first - second
    if np.ptp(difference) == 0:
        sure = difference[0] != 0
        return EqualAccuracy(float(np.copysign(np.inf, difference[0])) if sure else 0.0, 1.0 - sure)
    result = diebold_mariano_test(
        np.zeros_like(first),
        first,
        second,
        criterion=lambda truth, loss: loss - truth,
        harvey_adj=True,
        horizon=horizon,
        lags=lags,
    )
    return EqualAccuracy(float(result.statistic), float(result.pvalue))


def adjusted_for_looks(p_values: list[float]) -> list[float]:
    """Raise p-values for the number of tests made (Holm 1979), in the order given."""
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415  (imports for seconds)

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if p_values else []
