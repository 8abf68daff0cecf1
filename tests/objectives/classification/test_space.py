"""The search space of classification: what differs from that of forecasts."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from pydantic import ValidationError

from objectives.classification.messages import SequenceHyperparameters
from objectives.classification.space import SequenceSpace, TextSpace
from objectives.errors import InputError
from objectives.search_space.space import check_point, draw

POINT = {
    "units": 16,
    "depth": 2,
    "dropout": 0.1,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "skip": "linear",
    "noise": 0.3,
    "mixup": 0.2,
}


def test_skip_path_noise_and_mixup_vary_too_by_default():
    assert set(SequenceSpace().for_longest(24).distributions()) == set(POINT)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("all", 24),
        (24, 24),
        ([6, "all"], CategoricalDistribution((6, 24))),
        ([24, "all"], CategoricalDistribution((24,))),
        ({"low": 6, "high": 24, "step": 6}, IntDistribution(6, 24, step=6)),
    ],
)
def test_all_rows_are_as_many_as_the_longest_sequence_has(entry, expected):
    space = SequenceSpace(timesteps=entry).for_longest(24)
    assert {**space.fixed(), **space.distributions()}["timesteps"] == expected


@pytest.mark.parametrize("entry", [25, [6, 25], {"low": 6, "high": 25}])
def test_more_rows_than_any_sequence_has_are_refused(entry):
    with pytest.raises(InputError, match=r"at most 24, or \"all\"\. Received: 25"):
        SequenceSpace(timesteps=entry).for_longest(24)


@pytest.mark.parametrize(
    "entry", [0, [0, "all"], "some", {"low": 0, "high": 3}, [], ["all", "all"]]
)
def test_no_rows_and_other_words_are_refused(entry):
    with pytest.raises(ValidationError):
        SequenceSpace(timesteps=entry)


@pytest.mark.parametrize("entry", [-0.1, 1.5, [0.1, 1.5], {"low": 0.1, "high": 2.0}])
@pytest.mark.parametrize("space", [SequenceSpace, TextSpace])
def test_noise_that_no_layer_adds_is_refused(space, entry):
    with pytest.raises(ValidationError, match="at least 0 and at most 1"):
        space(noise=entry)


def test_drawing_gives_the_hyperparameters_of_a_trial():
    space = SequenceSpace().for_longest(24)
    check_point(POINT, space)
    drawn = draw(optuna.trial.FixedTrial(POINT), space, "adamw")
    others = {name: POINT[name] for name in POINT if name not in ("units", "depth")}
    assert drawn == SequenceHyperparameters(
        timesteps=24,
        units=(16, 16),
        recurrent_dropout=0.0,
        l2=0.0,
        optimizer="adamw",
        bidirectional=True,
        scaling="standard",
        **others,
    )
