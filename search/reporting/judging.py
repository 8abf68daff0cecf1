"""How far the test scores can be trusted: intervals, and tests against the naive forecasts."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from objectives.judging.uncertainty import (
    LEAST_BLOCKS,
    RESAMPLES,
    adjusted_for_looks,
    block_length,
    diebold_mariano,
    interval,
    losses,
    resampled_metrics,
    window_means,
)
from reports.contents import Difference, Estimate, Uncertainty
from search.reporting.stored_forecasts import StoredForecasts

_MODEL = "refitted model"
_Draws = Mapping[str, Mapping[str, NDArray[np.float64]]]  # unit → metric → (1 + resamples,)


def judge(stored: StoredForecasts, stride: int, seed: int) -> Uncertainty | None:
    """Bound the refitted model's test scores and its distance to each naive forecast.

    Args:
        stored: the test set's truth and forecasts.
        stride: rows from one window to the next.
        seed: decides the resamples.

    Returns:
        None where a forecast is not finite, or the test set has fewer than `LEAST_BLOCKS` windows that
        share no targets, or nothing is known of the naive forecasts on validation.
    """
    overlap = -(-stored.truth.shape[1] // stride)  # windows until no target row is shared
    measure, naive = stored.measure, stored.naive
    means = window_means(stored.truth, {_MODEL: stored.test, **naive})
    loss = losses(means, measure)
    windows = len(stored.truth)
    longest = windows // LEAST_BLOCKS
    if (
        not stored.naive_validation
        or overlap > longest
        or not all(np.isfinite(each).all() for each in loss.values())
    ):
        return None
    series = [loss[_MODEL], *(loss[_MODEL] - loss[name] for name in naive)]
    wanted = block_length(np.column_stack(series), overlap)
    block = min(wanted, longest)
    draws = resampled_metrics(means, measure, block, seed)
    tests = {name: diebold_mariano(loss[_MODEL], loss[name], overlap, block) for name in naive}
    adjusted = adjusted_for_looks([test.p for test in tests.values()])
    blocks = windows / block
    differences = {}
    for (name, test), adjusted_p in zip(tests.items(), adjusted, strict=True):
        apart = _less(draws[_MODEL], draws[name])
        differences[name] = Difference(
            data_units=_estimates(apart["data"], blocks),
            standardised=_estimates(apart["standardised"], blocks),
            statistic=test.statistic,
            p=test.p,
            adjusted_p=adjusted_p,
        )
    return Uncertainty(
        windows=windows,
        block=block,
        short=wanted > longest,
        resamples=RESAMPLES,
        data_units=_estimates(draws[_MODEL]["data"], blocks),
        standardised=_estimates(draws[_MODEL]["standardised"], blocks),
        differences=differences,
        naive_validation=stored.naive_validation,
    )


def _less(model: _Draws, other: _Draws) -> _Draws:
    return {
        unit: {metric: draws - other[unit][metric] for metric, draws in metrics.items()}
        for unit, metrics in model.items()
    }


def _estimates(draws: Mapping[str, NDArray[np.float64]], blocks: float) -> dict[str, Estimate]:
    return {
        metric: Estimate(float(drawn[0]), *interval(drawn[1:], blocks))
        for metric, drawn in draws.items()
    }
