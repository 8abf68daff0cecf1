"""Prediction intervals from stored forecasts: where they come from and what they are judged on."""

from dataclasses import replace

import numpy as np
import pytest

from objectives.judging.metrics import Yardstick
from search.reporting.intervals import interval_metadata, judge_intervals
from search.reporting.stored_forecasts import StoredForecasts

DEVIATION = np.array([2.0, 0.5])


@pytest.fixture
def stored() -> StoredForecasts:
    """Validation errs by up to 1 to 600 sixtieths of (step + 1) units, the test by exactly 8 of them."""
    steps = np.array([1.0, 2.0, 3.0])[None, :, None] * np.array([1.0, 10.0])  # (1, 3, 2)
    errors = (np.arange(1, 601) / 60)[:, None, None] * steps
    truth = np.zeros((50, 3, 2))
    return StoredForecasts(
        trial=0,
        seed=1,
        model="",
        times=tuple(map(str, range(50))),
        targets=("a", "b"),
        validation_truth=np.zeros_like(errors),
        validation=-errors,
        truth=truth,
        test=truth + 8 * steps,
        train_only=truth + 100,
        naive={},
        measure=Yardstick(DEVIATION, np.ones(2)),
    )


def test_model_json_holds_a_half_width_for_each_level_step_and_target(stored) -> None:
    found = interval_metadata(stored)
    assert found is not None
    assert found["windows"] == 600
    assert set(found["half_widths"]) == {"0.50", "0.80", "0.90", "0.95", "0.99"}
    reach = 541 / 60  # of 600 windows the ⌈601 · 0.9⌉-th error
    expected = [[reach, 10 * reach], [2 * reach, 20 * reach], [3 * reach, 30 * reach]]
    np.testing.assert_allclose(found["half_widths"]["0.90"], expected, rtol=1e-6)


def test_coverage_and_width_are_those_of_the_refitted_model_on_the_test_set(stored) -> None:
    stored.test[:5] = 0  # no error at all in a tenth of the windows
    stored.test[:, 2] = 1000  # and never near in the last step
    found = {each.level: each for each in judge_intervals(stored).levels}
    assert found[0.9].coverage_per_step == (1.0, 1.0, 0.0)
    assert found[0.5].coverage_per_step == (0.1, 0.1, 0.0)
    assert found[0.5].coverage == pytest.approx(0.2 / 3)
    reach = 541 / 60
    assert found[0.9].mean_width_per_step == pytest.approx([11 * reach, 22 * reach, 33 * reach])
    assert found[0.9].mean_width == pytest.approx(22 * reach)
    standardised = (1 / 2.0 + 10 / 0.5) * reach
    assert found[0.9].mean_width_standardised == pytest.approx(2 * standardised)
    assert found[0.9].mean_width_standardised_per_step[2] == pytest.approx(3 * standardised)


def test_too_few_validation_windows_give_none_and_say_so(stored) -> None:
    short = replace(
        stored, validation=stored.validation[:499], validation_truth=stored.validation_truth[:499]
    )
    assert interval_metadata(short) is None
    assert judge_intervals(short).levels == ()
    assert judge_intervals(short).absent == "validation has 499 windows, and intervals need 500"


def test_forecasts_that_are_not_finite_give_none(stored) -> None:
    stored.validation[3, 1, 0] = np.nan
    assert interval_metadata(stored) is None
    assert "not finite" in judge_intervals(stored).absent
