"""The best trials trained again with fresh seeds: who is chosen, what is kept, and what decides."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from objectives.objective import history
from objectives.split import cut
from objectives.trials.messages import Epoch, ForecastTask
from search.doctor.trial_speed import TYPICAL
from search.selection.candidates import choose_candidates, distance
from search.selection.confirmation import choose_winner, confirm, fresh_seed
from search.selection.confirmed import confirmation_from, ended_runs
from search.selection.members import plan_members
from search.study import Study, make_study
from search.workers.budget import shared_settings, trials_left
from storage.artifacts import LOCATION
from storage.database import Database, open_storage
from storage.errors import StorageError
from storage.ledger import openings_of
from storage.records import StudyRecord, TrialRecord
from storage.studies import find_study, has_study, list_studies
from tests.runs import PATIENCE, Finished, Start, outcomes, stored, training_trial, tree, wait_for

RUNS = "wave/confirmation"
SPACE = {
    "units": IntDistribution(16, 96, step=16),
    "rate": FloatDistribution(1e-4, 1e-2, log=True),
    "output": CategoricalDistribution(("change", "level")),
}
POINT = {"units": 32, "rate": 1e-3, "output": "change"}


def trial(
    number: int,
    value: float | None,
    params: Mapping[str, Any] = POINT,
    state: str = "complete",
    **attributes: Any,
) -> TrialRecord:
    return TrialRecord(number, state, value, params, {}, attributes, None, None)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({}, 0.0),
        ({"units": 48}, 0.2),
        ({"rate": 1e-2}, 0.5),  # a decade of two
        ({"rate": 1e-2, "units": 48}, 0.5),
        ({"output": "level"}, 1.0),
    ],
)
def test_points_are_as_far_apart_as_their_most_different_parameter(other, expected) -> None:
    assert distance(POINT, POINT | other, SPACE) == pytest.approx(expected)


def test_a_parameter_that_only_one_point_has_sets_them_apart() -> None:
    space = {**SPACE, "units_2": IntDistribution(16, 96)}
    assert distance(POINT, POINT | {"units_2": 20}, space) == 1.0


def test_near_duplicates_of_better_trials_and_trials_without_an_end_are_passed_over() -> None:
    trials = [
        trial(0, 0.3, POINT | {"output": "level"}),
        trial(1, 0.1),
        trial(2, 0.11, POINT | {"rate": 1.2e-3}),  # nearly the leader
        trial(3, 0.05, POINT | {"units": 96}, state="pruned"),
        trial(4, 0.2, POINT | {"rate": 5e-3}),
        trial(5, 0.4, POINT | {"units": 96}),
    ]
    chosen = choose_candidates(trials, SPACE, 3)
    assert [each.number for each in chosen] == [1, 4, 0]


def runs_of(scores: Mapping[int, list[float | None]]) -> StudyRecord:
    trials = [
        trial(0, value, state="failed" if value is None else "complete", confirms=number, run=run)
        for number, values in scores.items()
        for run, value in enumerate(values)
    ]
    return StudyRecord(RUNS, True, {}, tuple(trials))


SEARCH = StudyRecord("wave", True, {}, (trial(0, 0.10), trial(1, 0.12), trial(2, 0.11)))


@pytest.mark.parametrize(
    ("scores", "winner"),
    [
        ({0: [0.2, 0.1, 0.3], 1: [0.15, 0.14, 0.16], 2: [0.3, 0.3, 0.3]}, 1),  # 0 had luck once
        ({0: [0.1, 0.1, 0.1], 1: [0.2, 0.2, 0.2]}, 0),
        ({0: [0.1, 0.1], 1: [0.2, 0.2, 0.2]}, None),  # a run is missing
        ({0: [0.1, None, 0.1], 1: [0.2, 0.2, 0.2]}, 1),  # one diverged
    ],
)
def test_the_mean_over_fresh_seeds_decides(scores, winner) -> None:
    confirmation = confirmation_from(SEARCH, runs_of(scores), 3)
    assert confirmation is not None
    assert confirmation.winner == winner
    assert confirmation.candidates[0].trial == 0


def test_the_tie_breaker_decides_between_equals_everywhere() -> None:
    far = POINT | {"output": "level"}
    equals = (trial(0, 0.1, tie_breaker=0.3), trial(1, 0.1, far, tie_breaker=0.2))
    search = StudyRecord("wave", True, {}, equals)
    assert search.best is equals[1]
    assert [each.number for each in choose_candidates(equals, SPACE, 2)] == [1, 0]
    runs = [
        trial(0, 0.2, confirms=number, run=run, tie_breaker=broken)
        for number, broken in ((0, 0.4), (1, 0.5))
        for run in range(2)
    ]
    confirmation = confirmation_from(search, StudyRecord(RUNS, True, {}, tuple(runs)), 2)
    assert confirmation is not None
    assert [each.trial for each in confirmation.candidates] == [1, 0]
    assert confirmation.winner == 0, "by the runs, not by the search"


@pytest.mark.parametrize(
    ("metric", "expected"), [("log_loss", 0.25), ("error_rate", 0.6), ("mse", None)]
)
def test_classifiers_of_equal_worth_are_told_apart_by_another_metric(metric, expected) -> None:
    figures = ({"log_loss": 0.5, "error_rate": 0.2}, {"log_loss": 0.7, "error_rate": 0.3})
    epochs = [
        Epoch(1, 0.1, {**each, "mse": 1.0}, 0.01, 5, fold) for fold, each in enumerate(figures, 1)
    ]
    assert history(epochs, metric).get("tie_breaker") == pytest.approx(expected)


def test_a_run_that_was_lost_counts_by_its_retry() -> None:
    lost = trial(0, None, state="failed", confirms=0, run=0)
    again = trial(1, 0.2, confirms=0, run=0, retry_of=0)
    waiting = trial(2, None, state="waiting", confirms=0, run=1, retry_of=3)
    failed = trial(3, None, state="failed", confirms=0, run=1)
    runs = StudyRecord(RUNS, True, {}, (lost, again, waiting, failed))
    assert ended_runs(runs) == {(0, 0): again}


@pytest.fixture
def searched(tmp_path: Path) -> tuple[Database, Study, optuna.Study]:
    """A database with a search of three trials, of which nothing is confirmed."""
    study = make_study(
        {
            "data": {"targets": ["x"]},
            "space": {"timesteps": 8, "units": [8, 16, 32, 64], "dropout": 0.0, "depth": 1,
                      "batch_size": 32, "learning_rate": 1e-3},
            "study": {"name": "wave"},
            "confirm": {"candidates": 2, "seeds": 3},
            "output": {"directory": str(tmp_path)},
        },
        "test",
    )  # fmt: skip
    storage = open_storage(f"sqlite:///{tmp_path / 'studies.db'}")
    found = optuna.create_study(study_name="wave", storage=storage)
    found.set_user_attr("confirm", study.confirm.model_dump())
    for units, value in ((8, 0.3), (16, 0.1), (32, 0.2)):
        add_trial(study, found, units, value)
    return storage, study, found


def add_trial(study: Study, found: optuna.Study, units: int, value: float) -> None:
    distribution = study.space.distributions()["units"]
    found.add_trial(
        optuna.trial.create_trial(
            params={"units": units},
            distributions={"units": distribution},
            value=value,
            user_attrs={"seed": units},
        )
    )


def carry_out(study: Study, runs: optuna.Study) -> None:
    """End every queued run, with a value that its seed and its point decide."""
    while any(not t.state.is_finished() for t in runs.get_trials(deepcopy=False)):
        run = runs.ask()
        value = {0: 0.5, 1: 0.1, 2: 0.2}[run.user_attrs["run"]]
        runs.tell(run, value * (1 if run.user_attrs["confirms"] == 1 else 2))


def test_runs_are_queued_once_and_those_of_earlier_candidates_count_on(searched) -> None:
    storage, study, found = searched
    confirm(storage, study, found, carry_out)
    runs = find_study(storage, RUNS)
    marks = [(t.user_attrs["confirms"], t.user_attrs["run"]) for t in runs.get_trials()]
    assert sorted(marks) == [(trial, run) for trial in (1, 2) for run in range(3)]
    assert len({t.user_attrs["seed"] for t in runs.get_trials()} | {16, 32}) == 8
    add_trial(study, found, 64, 0.05)
    study = study.model_copy(update={"confirm": study.confirm.model_copy(update={"seeds": 4})})
    found.set_user_attr("confirm", study.confirm.model_dump())
    queued = []
    confirm(storage, study, found, lambda _, runs: queued.extend(runs.get_trials()[6:]))
    new = [(t.user_attrs["confirms"], t.user_attrs["run"]) for t in queued]
    assert sorted(new) == [(1, 3), (2, 3), (3, 0), (3, 1), (3, 2), (3, 3)]


def test_runs_keep_their_artifacts_where_the_search_does_whoever_confirms(
    searched, tmp_path: Path
) -> None:
    storage, study, found = searched
    found.set_user_attr(LOCATION, study.artifacts)
    elsewhere = study.output.model_copy(update={"directory": str(tmp_path / "worker")})
    confirm(storage, study.model_copy(update={"output": elsewhere}), found, lambda *_: None)
    assert find_study(storage, RUNS).user_attrs[LOCATION] == study.artifacts


def test_the_winner_is_replayed_from_its_median_run_under_its_own_number(searched) -> None:
    storage, study, found = searched
    confirm(storage, study, found, carry_out)
    chosen = choose_winner(storage, found)
    assert chosen is not None
    assert (chosen.trial.number, chosen.trial.value) == (1, 0.2)
    run = chosen.study.get_trials()[chosen.run]
    assert (run.user_attrs["confirms"], run.user_attrs["run"], run.value) == (1, 2, 0.2)
    assert chosen.trial.attributes["seed"] == run.user_attrs["seed"]
    assert [(each.number, each.value) for each in chosen.candidates] == [(1, 0.2), (2, 0.4)]


def test_candidates_take_turns_as_members_and_much_worse_or_otherwise_scaled_ones_do_not() -> None:
    study = make_study({"data": {"targets": ["x"]}, "final": {"members": 5}}, "study.toml")
    split = cut(300, study.split, study.data, 96, None)
    task = ForecastTask(Path("rows.npy"), 1, split, study.training)
    others = [member(1, 0.109, timesteps=24), member(2, scaling="min-max"), member(4, 0.111)]
    candidates = [member(3), *others]
    planned = plan_members(study, task, candidates)
    assert [(each.trial, each.timesteps) for each in planned] == [
        (3, 96),
        (1, 24),
        (3, 96),
        (1, 24),
        (3, 96),
    ]
    assert [each.seed for each in planned][:2] == [30, 10]
    assert len({each.seed for each in planned}) == 5
    assert [each.path[0] for each in planned.values()][:2] == [(0.3, 7), (0.1, 7)]


def member(
    number: int, value: float = 0.1, timesteps: int = 96, scaling: str = "standard"
) -> TrialRecord:
    values = replace(TYPICAL, timesteps=timesteps, scaling=scaling).as_dict()
    return trial(
        number,
        value,
        seed=10 * number,
        hyperparameters=values,
        best_epoch=1,
        updates_per_epoch=7,
        curves={"learning_rate": [number / 10], "loss": [0.1]},
    )


def test_without_confirmation_the_searchs_best_wins(searched) -> None:
    storage, study, found = searched
    found.set_user_attr("confirm", {"candidates": 3, "seeds": 0})
    confirm(storage, study, found, carry_out)
    chosen = choose_winner(storage, found)
    assert chosen is not None
    assert (chosen.trial.number, chosen.run, chosen.study) == (1, 1, found)


def test_a_timeout_leaves_as_many_seconds_for_confirmation_and_then_the_searchs_best_wins(
    searched,
) -> None:
    storage, study, found = searched
    study = study.model_copy(update={"study": study.study.model_copy(update={"timeout": 5.0})})
    confirm(storage, study, found, lambda study, runs: runs.tell(runs.ask(), 0.5))
    runs = find_study(storage, RUNS)
    settings = shared_settings(runs, study.study)
    assert trials_left(runs.get_trials(), settings) == 5
    ended = runs.get_trials()[0]
    ended.datetime_start = ended.datetime_complete - timedelta(seconds=5)
    assert trials_left([ended, *runs.get_trials()[1:]], settings) == 0
    chosen = choose_winner(storage, found)
    assert chosen is not None
    assert (chosen.trial.number, chosen.study) == (1, found)


def test_fresh_seeds_are_neither_the_searchs_nor_each_others() -> None:
    seeds = {fresh_seed(trial_seed, run) for trial_seed in (1, 2) for run in range(3)}
    assert len(seeds | {1, 2}) == 8


def test_the_winner_by_mean_is_refitted_from_its_median_run(confirmed: Finished) -> None:
    folder, done = confirmed
    record, runs = stored(folder), stored(folder, RUNS)
    report = json.loads((folder / "runs" / "wave" / "report.json").read_text())
    found = report["confirmation"]
    means = {each["trial"]: each["mean"] for each in found["candidates"]}
    assert len(means) == 3
    assert report["best"]["trial"] == found["first_after"] == min(means, key=means.__getitem__)
    assert found["first_before"] == record.best.number
    mine = [t for t in runs.trials if t.attributes["confirms"] == found["first_after"]]
    median = min(mine, key=lambda trial: trial.value)  # the lower of two
    about = json.loads((folder / "runs" / "wave" / "model.json").read_text())
    assert about["seed"] == median.attributes["seed"]
    assert openings_of(record.attributes)[0].seeds == (median.attributes["seed"],)
    assert report["optimism"]["confirmed"] == pytest.approx(means[found["first_after"]])
    assert report["optimism"]["test"] == report["test_standardised"]["mse"]
    assert report["validation_standardised"]["mse"] == pytest.approx(median.value, rel=1e-3)
    assert "fresh seed" in done.stdout
    assert "Optimism" in done.stdout


def test_runs_are_judged_on_the_searchs_targets_and_are_no_trials_of_the_search(
    confirmed: Finished, command: list[str]
) -> None:
    folder = confirmed[0]
    record, runs = stored(folder), stored(folder, RUNS)
    assert len(record.trials) == 4
    assert len(runs.trials) == 6
    hashes = {t.attributes["target_hash"] for t in (*record.trials, *runs.trials)}
    assert len(hashes) == 1
    storage = open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}")
    assert [study.name for study in list_studies(storage)] == ["wave"]
    best = subprocess.run(
        [*command, "best", "wave", "--out", str(folder / "runs"), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    winner = json.loads(best.stdout)
    assert winner["trial"] == winner["confirmation"]["first_after"]
    shown = subprocess.run(
        [*command, "show", "wave", "--out", str(folder / "runs")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "fresh seeds" in shown.stdout


def test_a_run_killed_while_it_confirms_goes_on_with_what_is_missing(
    confirmed: Finished, tmp_path: Path, write_study: Callable[..., Path], start: Start
) -> None:
    path = write_study(tmp_path, trials=4, epochs=2, pruner="none", seeds=2)
    arguments = ("run", path, "--out", tmp_path / "runs", "--workers", 1)
    process = start(*arguments)
    database = tmp_path / "runs" / "studies.db"
    wait_for(lambda: database.exists() or None, process)

    def confirming() -> TrialRecord | None:
        try:
            return training_trial(stored(tmp_path, RUNS), first=2)
        except StorageError:
            return None  # the search goes on

    wait_for(confirming, process)
    for member in tree(process.pid):
        member.kill()
    process.communicate()
    before = [t for t in stored(tmp_path, RUNS).trials if t.state == "complete"]
    assert 2 <= len(before) < 6
    both = [start(*arguments), start(*arguments)]  # two at once do nothing twice
    for again in both:
        _, errors = again.communicate(timeout=PATIENCE)
        assert again.returncode == 0, errors
    runs = stored(tmp_path, RUNS)
    assert outcomes(runs) == outcomes(stored(confirmed[0], RUNS))
    for earlier in before:
        assert runs.trials[earlier.number] == earlier
    assert len(openings_of(stored(tmp_path).attributes)) == 1


def test_confirmation_is_copied_backed_up_and_deleted_with_its_study(
    confirmed: Finished, tmp_path: Path, command: list[str]
) -> None:
    url = f"sqlite:///{confirmed[0] / 'runs' / 'studies.db'}"
    backup = tmp_path / "backup.db"

    def call(*arguments: str) -> None:
        subprocess.run([*command, *arguments], check=True, capture_output=True)

    call("storage", "backup", str(backup), "--storage", url)
    copy = open_storage(f"sqlite:///{backup}")
    assert has_study(copy, RUNS)
    out = ("--out", str(tmp_path / "none"))
    call("delete", "wave", "--yes", "--keep-files", "--storage", f"sqlite:///{backup}", *out)
    assert copy.get_all_studies() == []
