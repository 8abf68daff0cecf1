"""The search space: what it accepts, what Optuna is told of it, and what a trial draws from it."""

import math
import warnings

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError

from objectives.errors import InputError
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.search_space.space import SearchSpace, check_point, described, draw, grid_values

FIXED = {
    "timesteps": 24,
    "units": 8,
    "depth": 2,
    "dropout": 0.1,
    "batch_size": 32,
    "learning_rate": 1e-3,
}


def fixed_but(**entries: object) -> SearchSpace:
    """A space in which only the entries given may vary."""
    return SearchSpace(**{**FIXED, **entries})


@pytest.mark.parametrize(
    ("name", "entry", "distribution"),
    [
        ("timesteps", {"low": 24, "high": 96}, IntDistribution(24, 96)),
        ("timesteps", {"low": 24, "high": 96, "step": 12}, IntDistribution(24, 96, step=12)),
        ("units", {"low": 4, "high": 64, "log": True}, IntDistribution(4, 64, log=True)),
        ("units", [8, 32, 16], CategoricalDistribution((8, 32, 16))),
        ("dropout", {"low": 0.0, "high": 0.4}, FloatDistribution(0.0, 0.4)),
        ("dropout", {"low": 0, "high": 0.5, "step": 0.25}, FloatDistribution(0, 0.5, step=0.25)),
        (
            "learning_rate",
            {"low": 1e-4, "high": 1e-2, "log": True},
            FloatDistribution(1e-4, 1e-2, log=True),
        ),
        ("l2", [0.0, 1e-4], CategoricalDistribution((0.0, 1e-4))),
        ("optimizer", ["adam", "sgd"], CategoricalDistribution(("adam", "sgd"))),
        ("bidirectional", [False, True], CategoricalDistribution((False, True))),
        ("scaling", ["standard", "none"], CategoricalDistribution(("standard", "none"))),
    ],
)
def test_ranges_and_choices_become_distributions_and_nothing_else_varies(name, entry, distribution):
    assert fixed_but(**{name: entry}).distributions() == {name: distribution}


def test_the_six_headline_hyperparameters_vary_by_default():
    assert set(SearchSpace().distributions()) == set(FIXED)


@pytest.mark.parametrize(
    ("name", "entry", "largest"),
    [
        ("timesteps", {"low": 10, "high": 20, "step": 7}, 17),
        ("dropout", {"low": 0.0, "high": 0.35, "step": 0.1}, 0.3),
        # 0.4 / 0.1 is 4.000000000000001 or 3.9999999999999996 with some ends: no step may be lost
        ("dropout", {"low": 0.1, "high": 0.7, "step": 0.1}, 0.7),
    ],
)
def test_a_range_ends_at_its_last_whole_step(name, entry, largest):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Optuna's, that it had to mend the range
        values = grid_values(fixed_but(**{name: entry}).distributions()[name])
    assert values[-1] == pytest.approx(largest, rel=1e-12)


def test_fixed_values_are_those_that_do_not_vary():
    fixed = fixed_but(units=[8, 16]).fixed()
    assert "units" not in fixed
    assert fixed["timesteps"] == 24
    assert fixed["output"] == "change"
    assert "optimizer" not in fixed  # not set: the training settings' is used
    assert "units_per_layer" not in fixed


@pytest.mark.parametrize(
    ("entry", "largest"), [(48, 48), ([12, 96, 24], 96), ({"low": 10, "high": 60, "step": 10}, 60)]
)
def test_largest_timesteps_is_the_longest_window_of_the_space(entry, largest):
    assert SearchSpace(timesteps=entry).largest_timesteps == largest


def test_size_counts_the_points():
    space = fixed_but(timesteps=[24, 48], units={"low": 16, "high": 64, "step": 16})
    assert space.size() == 2 * 4
    assert fixed_but().size() == 1
    assert fixed_but(dropout={"low": 0.0, "high": 0.4, "step": 0.1}).size() == 5


def test_size_is_none_where_a_range_is_continuous():
    assert fixed_but(dropout={"low": 0.0, "high": 0.4}).size() is None
    assert SearchSpace().size() is None


def test_grid_values_are_all_values_in_order():
    assert grid_values(CategoricalDistribution(("b", "a"))) == ["b", "a"]
    assert grid_values(IntDistribution(3, 9, step=3)) == [3, 6, 9]
    steps = grid_values(FloatDistribution(0.0, 0.3, step=0.1))
    assert steps == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert grid_values(FloatDistribution(0.0, 0.3)) is None


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("timesteps", {"low": 12, "high": 100, "step": 12}, "12 to 96, step 12"),
        ("learning_rate", {"low": 3e-4, "high": 1e-2, "log": True}, "0.0003 to 0.01, log"),
        ("dropout", {"low": 0.0, "high": 0.5}, "0 to 0.5"),
        ("bidirectional", [False, True], "False or True"),
        ("units", [8, 32, 16], "8, 32 or 16"),
        ("units", [8], "8"),
    ],
)
def test_what_is_varied_is_told_in_words(name: str, entry: object, words: str):
    assert described(fixed_but(**{name: entry}).distributions()[name]) == words


def test_a_width_for_each_layer_has_a_name_for_each():
    space = fixed_but(
        depth={"low": 1, "high": 3}, units={"low": 4, "high": 8}, units_per_layer=True
    )
    assert set(space.distributions()) == {"depth", "units_1", "units_2", "units_3"}
    assert set(fixed_but(depth=2, units=[4, 8], units_per_layer=True).distributions()) == {
        "units_1",
        "units_2",
    }


@pytest.mark.parametrize(
    ("depth", "units_per_layer", "conditional"),
    [
        ({"low": 1, "high": 2}, True, True),
        ([1, 2], True, True),
        ({"low": 1, "high": 2}, False, False),
        (2, True, False),
    ],
)
def test_a_space_is_conditional_if_some_layers_exist_for_some_depths(
    depth, units_per_layer, conditional
):
    assert SearchSpace(depth=depth, units_per_layer=units_per_layer).conditional is conditional


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"timesteps": []}, "at least 1 item"),
        ({"timesteps": {"low": 5, "high": 4}}, "Received: 5 and 4"),
        ({"dropout": {"low": 0.4, "high": 0.2}}, "low must not be above high"),
        ({"timesteps": "24"}, "'24'"),
        ({"timesteps": True}, "valid integer"),
        ({"timesteps": 24.5}, "24.5"),
        ({"timesteps": {"low": True, "high": 4}}, "valid integer"),
        ({"timesteps": {"low": 1, "high": 4, "step": 0}}, "greater than or equal to 1"),
        ({"units": [8, True]}, "valid integer"),
        ({"dropout": True}, "valid number"),
        ({"dropout": "0.1"}, "valid number"),
        ({"dropout": {"low": 0.0, "high": 0.4, "step": 0.0}}, "greater than 0"),
        ({"bidirectional": 1}, "valid boolean"),
        ({"units": 0}, "at least 1. Received: 0"),
        ({"depth": 9}, "at most 8. Received: 9"),
        ({"depth": {"low": 1, "high": 9}}, "at most 8. Received: 9"),
        ({"dropout": 0.99}, "at most 0.95. Received: 0.99"),
        ({"dropout": -0.1}, "at least 0"),
        ({"recurrent_dropout": [0.0, 1.0]}, "at most 0.95. Received: 1.0"),
        ({"learning_rate": 0}, "above 0"),
        ({"learning_rate": {"low": 0.0, "high": 0.1}}, "above 0"),
        ({"learning_rate": 1.5}, "at most 1. Received: 1.5"),
        ({"l2": -1.0}, "at least 0"),
        ({"units": {"low": 4, "high": 8, "step": 2, "log": True}}, "log range takes no step"),
        ({"dropout": {"low": 0.0, "high": 0.5, "log": True}}, "starts above 0"),
        ({"batch_size": [32, 32]}, "listed twice. Received: [32, 32]"),
        ({"output": ["change", "change"]}, "listed twice"),
        ({"optimizer": "lion"}, "'lion'"),
        ({"activation": ["tanh", "sigmoid"]}, "'sigmoid'"),
        ({"layers": 2}, "Extra inputs"),
        ({"units": {"low": 4, "high": 8, "setp": 2}}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused_with_what_was_received(entries, words):
    with pytest.raises(ValidationError) as caught:
        SearchSpace(**entries)
    assert words in str(caught.value)


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize(
    "entries",
    [
        lambda number: {"l2": number},
        lambda number: {"dropout": number},
        lambda number: {"learning_rate": [0.1, number]},
        lambda number: {"l2": {"low": 0.0, "high": number}},
        lambda number: {"learning_rate": {"low": 0.1, "high": 0.2, "step": number}},
    ],
)
def test_numbers_that_are_not_finite_are_refused(entries, number):
    # TOML has nan and inf
    with pytest.raises(ValidationError):
        SearchSpace(**entries(number))


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"widths": 3}, "the space does not vary 'widths'; it varies batch_size, depth"),
        ({"l2": 0.1}, "the space does not vary 'l2'"),
        ({"timesteps": 25}, "timesteps = 25 lies outside the space"),
        ({"timesteps": 108}, "timesteps = 108"),
        ({"timesteps": "many"}, "timesteps = 'many'"),
        ({"timesteps": [24]}, "timesteps = [24]"),
        ({"batch_size": 48}, "batch_size = 48"),
        ({"timesteps": "24"}, "timesteps = '24'"),
        ({"depth": True}, "depth = True"),
        ({"dropout": "0.1"}, "dropout = '0.1'"),
        ({"dropout": 0.15}, "dropout = 0.15"),
        ({"learning_rate": 0.5}, "learning_rate = 0.5"),
    ],
)
def test_a_point_outside_the_space_is_refused(point, words):
    with pytest.raises(InputError) as caught:
        check_point(point, SearchSpace())
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_point_inside_the_space_passes_even_if_it_names_few():
    check_point({"timesteps": 36, "batch_size": 64, "dropout": 0.3}, SearchSpace())
    check_point({}, SearchSpace())


def test_drawing_gives_every_hyperparameter():
    point = {
        "timesteps": 48,
        "units": 32,
        "depth": 2,
        "dropout": 0.2,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "bidirectional": True,
    }
    trial = optuna.trial.FixedTrial(point)
    space = SearchSpace(bidirectional=[False, True], l2=1e-4, optimizer="rmsprop", skip="none")
    assert draw(trial, space, "adam") == Hyperparameters(
        timesteps=48,
        units=(32, 32),
        dropout=0.2,
        batch_size=64,
        learning_rate=1e-3,
        recurrent_dropout=0.0,
        l2=1e-4,
        optimizer="rmsprop",
        activation="tanh",
        bidirectional=True,
        output="change",
        skip="none",
        scaling="standard",
    )
    assert trial.params == point


def test_drawing_asks_for_no_more_widths_than_there_are_layers():
    space = fixed_but(depth={"low": 1, "high": 3}, units=[4, 8], units_per_layer=True)
    widths = {"units_1": 8, "units_2": 4, "units_3": 8}
    for depth in (1, 2, 3):
        trial = optuna.trial.FixedTrial({"depth": depth, **widths})
        assert draw(trial, space, "adam").units == (8, 4, 8)[:depth]
        assert set(trial.params) == {"depth", *list(widths)[:depth]}


@pytest.mark.parametrize(("entry", "expected"), [(None, "sgd"), ("adamw", "adamw")])
def test_the_training_settings_optimizer_is_used_where_the_space_names_none(entry, expected):
    drawn = draw(optuna.trial.FixedTrial({}), fixed_but(optimizer=entry), "sgd")
    assert drawn.optimizer == expected


def test_what_is_drawn_at_random_lies_in_the_declared_distributions():
    space = SearchSpace(
        units={"low": 4, "high": 32, "log": True}, dropout={"low": 0.0, "high": 0.4}
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: float(draw(trial, space, "adam").timesteps), n_trials=10)
    for trial in study.trials:
        assert trial.distributions == space.distributions()
