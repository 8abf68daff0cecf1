import math

import pytest

from reports.wording import duration, listed, number, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.13456, "2.135"),
        (0.00073421, "0.0007342"),
        (17420.4, "17420"),
        (0.0, "0"),
        (-1.5, "-1.500"),
        (1e-9, "1.000e-09"),
        (123456789.0, "1.235e+08"),
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "-"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.234, "23 %"), (-0.012, "1.2 %"), (0.0001, "less than 0.1 %"), (0.0999, "10 %")],
)
def test_percent_is_finer_for_small_shares(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(21.44, "21.4 s"), (59.96, "1 min 0 s"), (3599.7, "1 h 0 min"), (None, "-")],
)
def test_durations_are_in_two_units(seconds, text):
    assert duration(seconds) == text


def test_names_are_joined_as_in_a_sentence():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
