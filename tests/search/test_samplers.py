"""Samplers: a study that is interrupted draws what one in one go draws, and never the same twice."""

import importlib.util
from itertools import pairwise

import optuna
import pytest
from optuna import samplers
from optuna.trial import TrialState

from objectives.errors import InputError
from objectives.search_space.pruning import make_pruner
from objectives.search_space.space import SearchSpace, draw
from search.workers.samplers import SlotSampler, check_sampler, make_sampler
from search.workers.slots import seed_of, try_again
from storage.database import open_storage
from storage.retries import slot_of

SEED = 5
SPACE = SearchSpace(units_per_layer=False)
CONDITIONAL = SearchSpace(units_per_layer=True)
GRID = SearchSpace(
    timesteps=[24, 48],
    units={"low": 16, "high": 64, "step": 16},
    depth=1,
    dropout={"low": 0.0, "high": 0.2, "step": 0.1},
    batch_size=32,
    learning_rate=1e-3,
)


def cheap(space):
    """An objective on a space that is computed from the drawn values alone."""

    def objective(trial) -> float:
        drawn = draw(trial, space, "adam")
        rate = 100 * drawn.learning_rate
        return abs(drawn.timesteps - 60) / 60 + drawn.dropout + rate + sum(drawn.units) / 500

    return objective


def find(study, trial) -> int:
    return slot_of(trial, study.get_trials(deepcopy=False))


def sampler_of(name, space, seed=SEED, began=lambda: None) -> SlotSampler:
    build = lambda drawn: make_sampler(name, space, 1, seed, drawn)  # noqa: E731
    return SlotSampler(seed, build, find, began)


def run(name, space, trials, folder=None, seed=SEED):
    """Run a study, continuing the one in the folder's database, as a new process would."""
    storage = None if folder is None else open_storage(f"sqlite:///{folder}/studies.db")
    study = optuna.create_study(
        study_name="study",
        storage=storage,
        sampler=sampler_of(name, space, seed),
        load_if_exists=True,
    )
    study.optimize(cheap(space), n_trials=trials)
    found = study.trials
    if storage is not None:
        storage.engine.dispose()
    return found


def params(trials):
    return [trial.params for trial in trials]


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("random", SPACE),
        ("tpe", SPACE),
        ("tpe", CONDITIONAL),
        ("qmc", SPACE),
        ("cmaes", SPACE),
        ("grid", GRID),
    ],
    ids=["random", "tpe", "tpe-conditional", "qmc", "cmaes", "grid"],
)
def test_an_interrupted_study_draws_what_one_in_one_go_draws(name, space, tmp_path):
    whole = params(run(name, space, 14))
    for trials in (4, 8, 2):  # the model behind tpe and cmaes begins after ten
        resumed = params(run(name, space, trials, tmp_path))
    assert resumed == whole
    assert all(first != second for first, second in pairwise(whole))


@pytest.mark.parametrize("name", ["tpe", "cmaes"])
def test_the_model_is_used_after_its_random_start(name):
    modelled, random = params(run(name, SPACE, 14)), params(run("random", SPACE, 14))
    assert modelled[10:] != random[10:]
    assert len({str(drawn) for drawn in modelled}) == 14


def test_another_study_seed_draws_otherwise():
    for name in ("random", "qmc"):
        assert params(run(name, SPACE, 3)) != params(run(name, SPACE, 3, seed=SEED + 1))


def test_a_grid_visits_every_point_once():
    trials = run("grid", GRID, GRID.size())
    assert GRID.size() == 2 * 4 * 3
    points = {tuple(sorted(trial.params.items())) for trial in trials}
    assert len(points) == len(trials) == GRID.size()


@pytest.mark.parametrize("space", [SPACE, GRID], ids=["default", "grid"])
def test_qmc_gives_distinct_points(space):
    trials = run("qmc", SPACE, 16)
    assert len({str(trial.params) for trial in trials}) == 16
    for name in trials[0].params:  # no parameter stands still
        assert len({trial.params[name] for trial in trials}) > 1


def test_qmc_varies_what_exists_for_some_trials_only():
    # Such parameters are drawn beside the sequence; with one seed for all they never move.
    trials = run("qmc", CONDITIONAL, 16)
    widths = [trial.params["units_2"] for trial in trials if "units_2" in trial.params]
    assert len(widths) > 3
    assert len(set(widths)) > 1


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
def test_a_lost_trial_does_not_change_what_the_others_draw(pruner):
    def begin():
        return optuna.create_study(
            study_name="study",
            sampler=sampler_of("random", SPACE),
            pruner=make_pruner(pruner, 20),
        )

    undisturbed = begin()
    undisturbed.optimize(cheap(SPACE), n_trials=8)
    study = begin()
    study.optimize(cheap(SPACE), n_trials=3)
    lost = study.ask()
    cheap(SPACE)(lost)
    study.tell(lost, state=TrialState.FAIL)
    try_again(study, study.trials[lost.number])
    study.optimize(cheap(SPACE), n_trials=5)
    drawn = params(study.trials)
    assert drawn[3] == drawn[4]  # the retry
    assert [*drawn[:3], *drawn[4:]] == params(undisturbed.trials)


def test_a_grid_point_that_was_lost_is_visited_by_its_retry_alone():
    study = optuna.create_study(sampler=sampler_of("grid", GRID))
    lost = study.ask()
    cheap(GRID)(lost)
    study.tell(lost, state=TrialState.FAIL)
    try_again(study, study.trials[lost.number])
    study.optimize(cheap(GRID), n_trials=GRID.size())
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    points = {str(sorted(trial.params.items())) for trial in complete}
    assert len(points) == len(complete) == GRID.size()


@pytest.mark.parametrize(("name", "space"), [("random", SPACE), ("grid", GRID)])
def test_a_trial_that_is_lost_while_it_is_drawn_is_drawn_as_it_would_have_been(name, space):
    undisturbed = optuna.create_study(sampler=sampler_of(name, space))
    undisturbed.optimize(cheap(space), n_trials=3)
    study = optuna.create_study(sampler=sampler_of(name, space))
    study.optimize(cheap(space), n_trials=2)
    lost = study.ask()
    lost._suggest(*next(iter(space.distributions().items())))
    study.tell(lost, state=TrialState.FAIL)
    try_again(study, study.trials[lost.number])
    study.optimize(cheap(space), n_trials=1)
    assert params(study.trials)[-1] == params(undisturbed.trials)[-1]


def test_each_trial_has_a_sampler_of_its_own_seed():
    seeds = []

    def build(seed):
        seeds.append(seed)
        return samplers.RandomSampler(seed=seed)

    study = optuna.create_study(sampler=SlotSampler(SEED, build, find, lambda: None))
    study.optimize(cheap(SPACE), n_trials=4)
    assert seeds[1:] == [seed_of(SEED, slot, "sampling") for slot in range(4)]


def test_it_tells_that_a_trial_began_once_it_exists_and_before_it_is_sampled():
    seen = []
    study = optuna.create_study(
        sampler=sampler_of("random", SPACE, began=lambda: seen.append(params(study.trials)))
    )
    study.optimize(cheap(SPACE), n_trials=2)
    assert [len(found) for found in seen] == [1, 2]
    assert [found[-1] for found in seen] == [{}, {}]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tpe", samplers.TPESampler),
        ("random", samplers.RandomSampler),
        ("grid", samplers.GridSampler),
        ("qmc", samplers.QMCSampler),
        ("cmaes", samplers.CmaEsSampler),
    ],
)
def test_every_name_gives_its_own_sampler(name, kind):
    check_sampler(name)
    assert type(make_sampler(name, GRID, 1, SEED, SEED)) is kind


def test_a_sampler_whose_package_is_missing_is_refused_with_what_to_install():
    if importlib.util.find_spec("torch") is not None:
        check_sampler("gp")
        pytest.skip("torch is installed")
    with pytest.raises(InputError, match=r"'gp' needs the package torch: pip install torch"):
        check_sampler("gp")


def test_more_workers_begin_with_more_random_trials():
    trials = 30
    few = run("tpe", SPACE, trials)
    study = optuna.create_study(
        sampler=SlotSampler(
            SEED, lambda seed: make_sampler("tpe", SPACE, 20, SEED, seed), find, int
        )
    )
    study.optimize(cheap(SPACE), n_trials=trials)
    random = params(run("random", SPACE, trials))
    assert params(study.trials) == random  # forty would be random
    assert params(few)[:10] == random[:10]
    assert params(few)[10:] != random[10:]
