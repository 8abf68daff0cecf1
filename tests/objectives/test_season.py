"""The season is found in training rows, and judged by what its forecast is worth."""

import numpy as np
import pandas as pd
import pytest

from objectives.data.season import find_season, natural_periods
from objectives.errors import InputError

HOUR = pd.Timedelta(hours=1)


def wave(rows: int, period: int, noise: float = 0.1, slope: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(7)
    time = np.arange(rows)
    series = np.sin(2 * np.pi * time / period) + noise * generator.normal(size=rows)
    return (series + slope * time)[:, None]


@pytest.mark.parametrize(
    ("step", "periods"),
    [
        (HOUR, (24, 168, 8760)),
        (pd.Timedelta(minutes=15), (96, 672, 35040)),
        (pd.Timedelta(days=1), (7, 365)),
        (pd.Timedelta(days=7), (52,)),
        (pd.Timedelta(hours=7), (24, 1251)),
        (pd.Timedelta(days=365), ()),
        (None, ()),
    ],
)
def test_natural_periods_are_whole_numbers_of_rows(step, periods):
    assert natural_periods(step) == periods


@pytest.mark.parametrize(
    ("frequency", "periods"),
    [("MS", (12,)), ("ME", (12,)), ("QE-DEC", (4,)), ("B", (5, 261)), ("D", (7, 365)), ("YS", ())],
)
def test_calendars_have_periods_too(frequency, periods):
    assert natural_periods(None, frequency) == periods


def test_a_given_season_is_returned_as_it_is():
    assert find_season(wave(500, 24), HOUR, given=17) == 17


def test_a_given_season_must_be_shorter_than_the_training_rows():
    assert find_season(wave(500, 24), HOUR, given=499) == 499
    with pytest.raises(InputError, match="season = 500: the training part has 500 rows"):
        find_season(wave(500, 24), HOUR, given=500)


def test_the_better_natural_period_wins():
    weekly = np.tile(np.random.default_rng(0).normal(size=168), 12)[:, None]
    assert find_season(weekly, HOUR, None) == 168
    assert find_season(wave(2000, 24), HOUR, None) == 24


def test_the_autocorrelation_finds_a_period_without_a_step():
    assert find_season(wave(2000, 37, noise=0.01), None, None) == 37
    assert abs(find_season(wave(2000, 37), None, None) - 37) <= 1


def test_a_period_hidden_in_noisy_differences_is_found_after_detrending():
    assert abs(find_season(wave(3000, 200, noise=0.3, slope=0.01), None, None) - 200) <= 6


def test_the_autocorrelation_beats_a_natural_period_that_forecasts_worse():
    assert find_season(wave(2000, 50, noise=0.01), HOUR, None) == 50


def test_a_neighbour_of_a_natural_period_does_not_displace_it():
    generator = np.random.default_rng(1)
    walk = np.cumsum(generator.normal(size=6000))
    series = walk + 6 * np.sin(2 * np.pi * np.arange(6000) / 23)
    assert find_season(series[:, None], HOUR, None) == 24


def test_every_target_counts_the_same_whatever_its_unit():
    daily, other = wave(2000, 24, noise=0.0), wave(2000, 5, noise=0.0)
    assert find_season(np.hstack([daily, 1e-6 * daily, 1e-6 * daily, other]), HOUR, None) == 24
    assert find_season(np.hstack([other, 1e-6 * daily, 1e-6 * daily]), HOUR, None) == 24


def test_a_year_needs_two_years_of_rows():
    yearly = wave(600, 365, noise=0.01)
    assert find_season(yearly, pd.Timedelta(days=1), None) != 365
    assert find_season(wave(1500, 365, noise=0.5), pd.Timedelta(days=1), None) == 365


def test_no_period_means_repeating_the_last_value():
    noise = np.random.default_rng(3).normal(size=(4000, 1))
    assert find_season(noise, None, None) == 1
    assert find_season(np.arange(4.0)[:, None], None, None) == 1


def test_a_target_that_is_constant_in_training_is_no_obstacle():
    values = np.hstack([np.full((2000, 1), 3.0), wave(2000, 168)])
    assert find_season(values, HOUR, None) == 168
