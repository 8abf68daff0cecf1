"""Conformal intervals: ranks by hand, and the coverage that theory promises."""

import numpy as np
import pytest

from objectives.judging.conformal import LEAST_WINDOWS, LEVELS, half_widths


def test_the_half_width_is_the_error_of_the_rank_that_the_level_asks_for():
    sizes = np.random.default_rng(0).permutation(np.arange(1.0, 20.0))  # 1 to 19 in any order
    signs = np.where(np.arange(19) % 2, 1.0, -1.0)
    errors = np.stack([sizes * signs, 10 * sizes], axis=1)[:, :, None]  # 19 windows, 2 steps
    assert half_widths(errors, "0.90").tolist() == [[18.0], [180.0]]  # 20 · 0.9 exactly
    assert half_widths(errors, "0.91").tolist() == [[19.0], [190.0]]  # 18.2, rounded up
    assert half_widths(errors, "0.50").tolist() == [[10.0], [100.0]]


def test_ranks_are_exact_where_floating_point_is_not():
    errors = np.arange(1.0, 100.0)[:, None, None]
    assert 100 * 0.55 > 55  # in floating point, so that 56 would be the rank
    assert half_widths(errors, "0.55") == 55


def test_too_few_windows_for_a_level_are_refused():
    with pytest.raises(ValueError, match=r"98 windows .* level 0\.99"):
        half_widths(np.ones((98, 1, 1)), "0.99")
    for level in LEVELS:
        half_widths(np.ones((LEAST_WINDOWS, 1, 1)), level)


@pytest.mark.parametrize("level", LEVELS)
def test_independent_errors_are_held_as_often_as_the_level_says(level):
    generator = np.random.default_rng(1)
    known = generator.standard_t(4, size=(500, 400, 1))  # each step is a repeat of its own
    new = generator.standard_t(4, size=(400, 400, 1))
    held = (np.abs(new) <= half_widths(known, level)).mean()
    assert held == pytest.approx(float(level), abs=0.004)
