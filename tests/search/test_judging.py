"""How stored forecasts are judged: intervals and differences to naive forecasts, if there are any."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from objectives.judging.metrics import Yardstick
from objectives.judging.uncertainty import adjusted_for_looks
from search.reporting.judging import judge
from search.reporting.stored_forecasts import StoredForecasts, scorer


def errors(windows: int, dependence: float, seed: int) -> np.ndarray:
    """Errors (windows, 2, 1) of an AR(1) process."""
    noise = np.random.default_rng(seed).normal(size=windows + 1)
    rows = signal.lfilter([1.0], [1.0, -dependence], noise)
    return np.stack([rows[:-1], rows[1:]], axis=1)[:, :, None]


def forecasts(windows: int = 400, dependence: float = 0.2) -> StoredForecasts:
    """Truth zero, a model, and naive forecasts twice as bad, exactly as good, and slightly worse."""
    zero = np.zeros((windows, 2, 1))
    model = errors(windows, dependence, 1)
    naive = {
        "persistence": 2 * errors(windows, dependence, 2),
        "ridge": model[::-1].copy(),
        "seasonal_naive": 1.1 * errors(windows, dependence, 4),
    }
    return StoredForecasts(
        trial=0, seed=0, model="", times=(), targets=("a",), validation_truth=zero,
        validation=zero, truth=zero, test=model, train_only=model, naive=naive,
        measure=Yardstick(np.array([3.0]), np.ones(1)),
        naive_validation={"persistence": 3.0, "ridge": 1.0, "seasonal_naive": 2.0},
    )  # fmt: skip


def test_differences_are_the_models_scores_less_the_naive_forecasts() -> None:
    stored = forecasts()
    found = judge(stored, 1, 0)
    assert found is not None
    score = scorer(stored.measure)
    mine = score(stored.truth, stored.test).data_units.overall
    for name, naive in stored.naive.items():
        difference = found.differences[name]
        theirs = score(stored.truth, naive).data_units.overall
        for metric in ("mse", "mae", "rmse"):
            estimate = difference.data_units[metric]
            assert estimate.figure == pytest.approx(mine[metric] - theirs[metric])
            assert estimate.low < estimate.figure < estimate.high
        standardised = difference.standardised["mse"].figure
        assert standardised == pytest.approx(difference.data_units["mse"].figure / 9)
    persistence, ridge = (found.differences[name] for name in ("persistence", "ridge"))
    assert persistence.data_units["mse"].high < 0
    assert persistence.statistic < -4
    assert ridge.data_units["mse"].low < 0 < ridge.data_units["mse"].high
    assert found.strongest == "ridge"


def test_p_values_are_adjusted_for_all_naive_forecasts() -> None:
    found = judge(forecasts(), 1, 0)
    assert found is not None
    tests = found.differences.values()
    assert [t.adjusted_p for t in tests] == adjusted_for_looks([t.p for t in tests])
    assert any(t.adjusted_p > t.p for t in tests)


def test_errors_that_depend_on_each_other_for_long_make_the_test_set_short() -> None:
    growing = np.broadcast_to(np.linspace(0.1, 5.0, 30)[:, None, None], (30, 2, 1))
    near, far = (
        judge(stored, 1, 0) for stored in (forecasts(), replace(forecasts(30), test=growing))
    )
    assert near is not None
    assert far is not None
    assert not near.short
    assert 2 <= near.block < 80
    assert far.short
    assert far.block == 6  # a fifth of the windows


def test_nothing_is_said_of_few_windows_or_of_forecasts_that_are_not_finite() -> None:
    assert judge(forecasts(10), 1, 0) is not None
    assert judge(forecasts(9), 1, 0) is None  # fewer than five that share no targets
    assert judge(forecasts(9), 2, 0) is not None  # with this stride none do
    stored = forecasts()
    assert judge(replace(stored, naive_validation={}), 1, 0) is None
    stored.naive["ridge"][3, 0, 0] = np.nan
    assert judge(stored, 1, 0) is None
