"""Windows: exactly the rows before and from an origin on."""

import numpy as np
import pytest

from objectives.windows import input_windows, target_windows

VALUES = np.arange(20.0).reshape(10, 2)  # row r holds 2r and 2r + 1


def test_inputs_are_the_rows_before_each_origin():
    windows = input_windows(VALUES, np.array([3, 7]), 3)
    np.testing.assert_array_equal(windows, [[[0, 1], [2, 3], [4, 5]], [[8, 9], [10, 11], [12, 13]]])


def test_targets_are_the_target_columns_from_each_origin_on():
    windows = target_windows(VALUES, np.array([3, 7]), 2, 1)
    np.testing.assert_array_equal(windows, [[[6], [8]], [[14], [16]]])
    both = target_windows(VALUES, np.array([8]), 2, 2)
    np.testing.assert_array_equal(both, [[[16, 17], [18, 19]]])


def test_the_first_possible_and_the_last_possible_window():
    np.testing.assert_array_equal(input_windows(VALUES, np.array([10]), 1), [[[18, 19]]])
    np.testing.assert_array_equal(input_windows(VALUES, np.array([10]), 10), [VALUES])


def test_an_origin_with_too_few_rows_before_it_is_refused():
    with pytest.raises(IndexError, match=r"window of 4 rows cannot end before row 3"):
        input_windows(VALUES, np.array([5, 3]), 4)


def test_targets_beyond_the_last_row_are_refused():
    with pytest.raises(IndexError):
        target_windows(VALUES, np.array([9]), 2, 1)


@pytest.mark.parametrize("timesteps", [1, 2, 5])
def test_no_input_comes_from_its_origin_or_later(timesteps):
    for origin in range(timesteps, 11):
        hidden = VALUES.copy()
        hidden[origin:] = np.nan
        assert np.isfinite(input_windows(hidden, np.array([origin]), timesteps)).all()


def test_the_last_input_and_the_first_target_are_neighbours_whatever_the_timesteps():
    origins = np.arange(5, 9)
    for timesteps in (1, 3, 5):
        last = input_windows(VALUES, origins, timesteps)[:, -1, 0]
        first = target_windows(VALUES, origins, 2, 1)[:, 0, 0]
        np.testing.assert_array_equal(first - last, 2.0)


def test_windows_are_copies():
    values = VALUES.copy()
    input_windows(values, np.array([5]), 2)[:] = -1
    np.testing.assert_array_equal(values, VALUES)
