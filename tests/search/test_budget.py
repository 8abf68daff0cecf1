"""Ends of a search other than its number of trials."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import text
from typer.testing import CliRunner

from search.cli import app
from search.sections import StudySettings
from search.workers.budget import seconds_of_search, seconds_searched, trials_left
from storage.database import open_storage
from storage.maintenance import copy_studies
from storage.studies import find_study, read_study


def complete(*values: float) -> list[FrozenTrial]:
    trials = [create_trial(value=value) for value in values]
    return [*trials, create_trial(state=TrialState.PRUNED), create_trial(state=TrialState.FAIL)]


def test_without_such_a_budget_a_search_goes_on() -> None:
    assert trials_left(complete(0.5, 0.6, 0.7), StudySettings(trials=9)) == 4
    assert trials_left(complete(), StudySettings(until=1.0, no_improvement=1)) > 0


@pytest.mark.parametrize(("best", "ended"), [(0.31, False), (0.3, True), (0.2, True)])
def test_it_ends_once_the_value_wanted_is_reached(best: float, ended: bool) -> None:
    assert (trials_left(complete(0.5, best, 0.6), StudySettings(until=0.3)) == 0) is ended


@pytest.mark.parametrize(
    ("values", "ended"),
    [
        ((0.5, 0.6, 0.7), True),
        ((0.5, 0.6, 0.4), False),
        ((0.5, 0.6), False),
        ((0.5, 0.5, 0.5), True),
    ],
)
def test_it_ends_after_complete_trials_without_a_better_one(
    values: tuple[float, ...], ended: bool
) -> None:
    assert (trials_left(complete(*values), StudySettings(no_improvement=2)) == 0) is ended


def test_time_is_counted_once_however_many_trials_ran_and_lost_ones_not_at_all() -> None:
    def span(start: int, end: int, **attributes: int) -> FrozenTrial:
        trial = create_trial(value=1.0, user_attrs=attributes)
        noon = datetime(2026, 1, 1, 12)
        trial.datetime_start = noon + timedelta(seconds=start)
        trial.datetime_complete = noon + timedelta(seconds=end)
        return trial

    trials = [span(0, 10), span(5, 12), span(6, 8), span(100, 103), span(103, 500), span(600, 610)]
    trials.append(span(700, 705, retry_of=4))
    for number, trial in enumerate(trials):
        trial.number = number
    assert seconds_searched(trials) == 12 + 3 + 10 + 5
    assert trials_left(trials, StudySettings(trials=9, timeout=30.5)) == 3
    assert trials_left(trials, StudySettings(trials=9, timeout=30.0)) == 0


@pytest.mark.parametrize(
    ("started", "seconds"),
    [
        ("2026-03-29 00:50:00", 1200),  # 01:50 to 03:10
        ("2026-10-25 00:50:00", 1200),  # 02:50 to 02:10, the second of that name
        ("2026-10-25 00:10:00", 3600),  # 02:10 to 02:10
        ("2026-10-25 01:10:00", 1200),  # 02:10 to 02:30, both the second
    ],
)
def test_seconds_are_exact_where_summer_time_begins_or_ends(
    started: str, seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/studies.db")
    optuna.create_study(study_name="wave", storage=storage)
    find_study(storage, "wave").add_trial(create_trial(value=1.0))
    times = {"start": f"{started}.000000", "by": f"+{seconds} seconds"}
    with storage.engine.begin() as connection:
        end = "strftime('%Y-%m-%d %H:%M:%f000', :start, :by)"
        changed = f"UPDATE trials SET datetime_start = :start, datetime_complete = {end}"
        connection.execute(text(changed), times)
    copied = open_storage(f"sqlite:///{tmp_path}/copied.db")
    try:
        with monkeypatch.context() as patched:
            patched.setenv("TZ", "Europe/Berlin")
            time.tzset()
            copy_studies(storage, copied, ("wave",))
            for database in (storage, copied):
                record = read_study(database, "wave")
                assert record.trials[0].seconds == seconds
                assert seconds_of_search(record) == seconds
                assert seconds_searched(find_study(database, "wave").trials) == seconds
    finally:
        time.tzset()
        for database in (storage, copied):
            database.engine.dispose()


def test_a_real_search_ends_there_and_goes_on_where_the_bar_is_raised(
    tmp_path: Path, write_study: Callable[..., Path]
) -> None:
    path = write_study(tmp_path, trials=4, pruner="none")
    out = ["--out", str(tmp_path / "runs"), "--workers", "1", "--json"]
    first = CliRunner().invoke(app, ["run", str(path), *out, "--until", "1000"])
    assert json.loads(first.stdout)["trials"]["total"] == 1
    again = CliRunner().invoke(app, ["run", str(path), *out, "--no-improvement", "100"])
    assert json.loads(again.stdout)["trials"]["total"] == 4
    record = read_study(open_storage(f"sqlite:///{tmp_path / 'runs' / 'studies.db'}"), "wave")
    assert len(record.trials) == 4
