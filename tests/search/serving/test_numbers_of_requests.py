"""From nested lists to arrays: what comes out, what is refused, and that a refusal costs nothing."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from search.serving.errors import RequestError
from search.serving.windows import as_numbers

DEEP: Any = 1
for _ in range(100):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "data", [5, [], [[]], [[], []], [1, 2.5], [True, 2], [[[1, 2]], [[3, 4]]], [2**63, -1]]
)
def test_lists_become_the_array_that_numpy_makes_of_them(data: Any) -> None:
    found, right = as_numbers(data, "inputs"), np.asarray(data, np.float64)
    assert (found.dtype, found.shape) == (right.dtype, right.shape)
    np.testing.assert_array_equal(found, right)
    assert as_numbers(found, "inputs") is found


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("x", 'inputs: expected a number. Received: "x"'),
        ([[1, 2], [3, "x"]], 'inputs[1][1]: expected a number. Received: "x"'),
        ([1, None], "inputs[1]: expected a number. Received: null"),
        ([{"x": 1}], 'inputs[0]: expected a number. Received: an object with the keys "x"'),
        ([[1, 2], [3]], "inputs: lists side by side differ in length or depth"),
        ([[1, 2], "ab"], "inputs: lists side by side differ in length or depth"),
        ([[1, 2], 3], "inputs: lists side by side differ in length or depth"),
        ([1, [2]], "inputs: lists side by side differ in length or depth"),
        (DEEP, "inputs: lists side by side differ in length or depth"),
    ],
)
def test_other_lists_are_refused_with_the_place(data: Any, reason: str) -> None:
    with pytest.raises(RequestError) as caught:
        as_numbers(data, "inputs")
    assert str(caught.value) == reason


@pytest.mark.parametrize("place", [0, -1])
def test_a_long_text_among_many_numbers_takes_no_memory_for_each_of_them(place: int) -> None:
    numbers: list[Any] = [1] * 3000
    numbers[place] = "1" * 3000
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match=r"expected a number. Received: \"1{79}…"):
            as_numbers([[numbers]], "instances")
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
