"""Inputs that the single precision of a network cannot hold."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from objectives.errors import InputError
from search.classification.preparation import prepare_sequences
from search.study import ClassificationStudy, make_study

COUNT, STEPS = 40, 5


def study(**data: Any) -> ClassificationStudy:
    made = make_study({"data": {"task": "classification", **data}}, "here")
    assert isinstance(made, ClassificationStudy)
    return made


def table(offset: float) -> pd.DataFrame:
    """Sequences whose column x has a deviation of 1 around the offset; `still` never changes."""
    numbers = np.random.default_rng(2).normal(size=COUNT * STEPS)
    ids = np.repeat(np.arange(COUNT), STEPS)
    return pd.DataFrame({"id": ids, "label": ids % 2, "x": offset + numbers, "still": offset})


@pytest.mark.parametrize("given", [{}, {"timesteps": STEPS, "stride": 2, "features": ["x"]}])
def test_a_feature_that_single_precision_cannot_hold_is_refused(given: dict[str, Any]) -> None:
    message = r"column 'x' reaches 2e\+09 with a deviation of .* subtract a constant from it"
    with pytest.raises(InputError, match=message):
        prepare_sequences(study(**given), table(2e9))


def test_a_large_offset_that_it_can_hold_is_not() -> None:
    assert prepare_sequences(study(), table(1e6)).sequences.features == ("x", "still")


def test_only_training_rows_count() -> None:
    frame = table(0.0).assign(split=np.repeat(["train", "test"], [150, 50]))
    frame.loc[frame["split"] == "test", "x"] += 2e9
    assert len(prepare_sequences(study(), frame).split.test) == 10
