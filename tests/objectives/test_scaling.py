"""Scaling: what it is fitted on, and that it can be undone."""

import numpy as np
import pytest

from objectives.errors import InputError
from objectives.scaling import fit_scaling

KINDS = ("standard", "min-max", "none")


def test_standard_is_the_mean_and_the_population_deviation():
    scaling = fit_scaling("standard", np.array([[1.0, 10.0], [3.0, 30.0]]))
    np.testing.assert_array_equal(scaling.center, [2.0, 20.0])
    np.testing.assert_array_equal(scaling.scale, [1.0, 10.0])


def test_min_max_is_the_least_value_and_the_range():
    rows = np.array([[1.0, 10.0], [3.0, 50.0], [2.0, 30.0]])
    scaled = fit_scaling("min-max", rows).apply(rows)
    np.testing.assert_array_equal(scaled, [[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])


def test_none_leaves_values_as_they_are():
    rows = np.array([[1.5, -2.0], [1e6, 0.25]])
    np.testing.assert_array_equal(fit_scaling("none", rows).apply(rows), rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1, -1e8 / 3])
def test_a_constant_column_keeps_the_scale_one(kind, constant):
    # The mean of many 0.1 is not 0.1: their deviation comes out as 1e-15 instead of 0.
    rows = np.stack([np.full(1000, constant), np.arange(1000.0)], axis=1)
    scaling = fit_scaling(kind, rows)
    assert scaling.scale[0] == 1.0
    np.testing.assert_allclose(
        scaling.apply(rows + 1.0)[:, 0] - scaling.apply(rows)[:, 0], 1.0, atol=1e-6 * abs(constant)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_undone_for_the_target_columns(kind, series):
    scaling = fit_scaling(kind, series)
    forecast = series[:12].reshape(4, 3, 2)  # (windows, horizon, targets)
    scaled = scaling.apply(series[:12]).reshape(4, 3, 2)
    np.testing.assert_allclose(scaling.invert(scaled), forecast, rtol=1e-6)
    first = scaling.invert(scaled[:, :, :1])  # fewer targets than columns: the first of them
    np.testing.assert_allclose(first, forecast[:, :, :1], rtol=1e-6)
    assert first.dtype == np.float64


def test_scaled_rows_are_float32_but_subtracted_in_float64():
    rows = 1e9 + np.array([[0.0], [1.0], [2.0], [3.0]])  # neighbours are one number in float32
    scaled = fit_scaling("min-max", rows).apply(rows)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[:, 0], [0, 1 / 3, 2 / 3, 1], rtol=1e-6)


def test_an_unknown_kind_is_refused_with_what_was_received():
    with pytest.raises(InputError, match=r"standard, min-max or none. Received: 'robust'"):
        fit_scaling("robust", np.ones((2, 1)))
