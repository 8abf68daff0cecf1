import math
from dataclasses import replace
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import event, text

from storage.errors import StorageError
from storage.records import record_of
from storage.studies import delete_study, find_study, list_studies, read_study
from storage.turn import take_turn

RATE = optuna.distributions.FloatDistribution(0.0, 1.0)


def fill(study: optuna.Study) -> None:
    """One trial of each state, and one complete trial worth infinity."""
    study.set_user_attr("task", "forecast")
    study.add_trial(
        create_trial(
            value=0.5,
            params={"rate": 0.25},
            distributions={"rate": RATE},
            user_attrs={"updates": 7},
            intermediate_values={2: 0.5, 1: 0.75},
        )
    )
    study.add_trial(create_trial(value=0.125))
    study.add_trial(create_trial(value=-math.inf))
    study.add_trial(
        create_trial(state=TrialState.PRUNED, value=0.01, intermediate_values={1: math.nan})
    )
    study.add_trial(create_trial(state=TrialState.FAIL))
    study.enqueue_trial({"rate": 0.5})
    study.add_trial(create_trial(state=TrialState.RUNNING))


def test_a_study_is_read_as_it_was_written(storage) -> None:
    fill(optuna.create_study(study_name="etth1", storage=storage))
    record = read_study(storage, "etth1")
    assert (record.name, record.minimize) == ("etth1", True)
    assert record.attributes == {"task": "forecast"}
    states = ["complete", "complete", "complete", "pruned", "failed", "waiting", "running"]
    assert [trial.state for trial in record.trials] == states
    assert [trial.number for trial in record.trials] == list(range(7))
    first = record.trials[0]
    assert (first.value, first.params, first.attributes) == (0.5, {"rate": 0.25}, {"updates": 7})
    assert list(first.intermediate_values.items()) == [(1, 0.75), (2, 0.5)]
    assert record.best is record.trials[1]


def test_curves_of_thousands_of_epochs_are_kept(storage) -> None:
    curves = {"loss": [round(epoch / 7, 6) for epoch in range(20_000)]}
    trial = optuna.create_study(study_name="etth1", storage=storage).ask()
    trial.set_user_attr("curves", curves)
    assert read_study(storage, "etth1").trials[0].attributes == {"curves": curves}


def test_a_value_that_is_not_finite_is_none(storage) -> None:
    fill(optuna.create_study(study_name="etth1", storage=storage))
    trials = read_study(storage, "etth1").trials
    assert [trial.value for trial in trials] == [0.5, 0.125, None, 0.01, None, None, None]
    assert math.isnan(trials[3].intermediate_values[1])


def test_a_record_does_not_change_with_its_trial() -> None:
    trial = create_trial(value=1.0, user_attrs={"updates": 7})
    record = record_of(trial)
    trial.user_attrs["updates"] = 8
    assert record.attributes == {"updates": 7}
    assert record.seconds is not None


def test_an_absent_study_names_those_with_a_similar_name(storage) -> None:
    for name in ("etth1", "etth2", "weather"):
        optuna.create_study(study_name=name, storage=storage)
    for action in (read_study, delete_study):
        with pytest.raises(StorageError) as caught:
            action(storage, "eth1")
        assert "no study 'eth1'" in str(caught.value)
        assert "'etth1'" in str(caught.value)
        assert "weather" not in str(caught.value)
    with pytest.raises(StorageError, match="it has: 3, none with a similar name"):
        read_study(storage, "zzz")


@pytest.mark.parametrize("other", ["power", "Pówer"])
def test_a_study_is_not_handed_out_under_another_name(storage, other: str) -> None:
    for name in ("Power", other):  # as `run` makes a study or finds it
        optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
    if len(storage.get_all_studies()) == 2:
        assert find_study(storage, other).study_name == other
        return
    for action in (find_study, read_study, delete_study):
        with pytest.raises(StorageError, match=f"does not tell '{other}' from its study 'Power'"):
            action(storage, other)
    assert find_study(storage, "Power").study_name == "Power"


def test_a_study_with_several_objectives_is_refused_but_listed(storage) -> None:
    study = optuna.create_study(
        study_name="two", storage=storage, directions=["minimize", "maximize"]
    )
    study.add_trial(create_trial(values=[1.0, 2.0]))
    with pytest.raises(StorageError, match="2 objectives"):
        read_study(storage, "two")
    (summary,) = list_studies(storage)
    assert (summary.minimize, summary.best, summary.counts["complete"]) == (None, None, 1)


@pytest.mark.parametrize(("direction", "best"), [("minimize", 0.125), ("maximize", 0.5)])
def test_summaries_agree_with_the_studies(storage, direction: str, best: float) -> None:
    before = datetime.now()
    fill(optuna.create_study(study_name="full", storage=storage, direction=direction))
    optuna.create_study(study_name="empty", storage=storage)
    full, empty = list_studies(storage)
    assert (full.name, full.best, full.total) == ("full", best, 7)
    assert full.minimize is (direction == "minimize")
    record = read_study(storage, "full")
    assert full.counts == {state: record.count(state) for state in full.counts}
    assert list(full.counts.values()) == [1, 1, 3, 1, 1]
    assert full.attributes == {"task": "forecast"}
    assert full.started == min(trial.started for trial in record.trials if trial.started)
    assert before - timedelta(seconds=1) < full.started < datetime.now() + timedelta(seconds=1)
    assert (empty.best, empty.total, empty.started) == (None, 0, None)


def test_listing_takes_as_many_queries_for_many_trials_as_for_few(storage) -> None:
    statements: list[str] = []
    study = optuna.create_study(study_name="etth1", storage=storage)
    event.listen(storage.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def queries() -> int:
        statements.clear()
        list_studies(storage)
        return len(statements)

    study.add_trial(create_trial(value=1.0))
    few = queries()
    for _ in range(30):
        study.add_trial(create_trial(value=1.0, params={"rate": 0.5}, distributions={"rate": RATE}))
    assert list_studies(storage)[0].total == 31
    assert queries() == few


def test_deleting_a_study_deletes_its_turn_and_no_other_study(storage) -> None:
    for name in ("kept", "gone"):
        fill(optuna.create_study(study_name=name, storage=storage))
        take_turn(storage, name, "worker", 3600.0)
    delete_study(storage, "gone")
    assert [summary.name for summary in list_studies(storage)] == ["kept"]
    assert list_studies(storage)[0].total == 7
    with storage.engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM lstm_search_turn")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM trials")).scalar() == 7


def test_a_study_is_never_seen_without_the_confirmation_that_is_deleted_with_it(
    url: str, storage, opened
) -> None:
    for name in ("wave", "wave/confirmation"):
        fill(optuna.create_study(study_name=name, storage=storage))
    elsewhere, seen = opened(url), []

    def look(connection: object) -> None:
        del connection
        seen.append(len(elsewhere.get_all_studies()))

    event.listen(storage.engine, "commit", look)
    delete_study(storage, "wave")
    event.remove(storage.engine, "commit", look)
    assert elsewhere.get_all_studies() == []
    assert 2 in seen
    assert 1 not in seen


def test_a_study_without_a_turn_can_be_deleted(storage) -> None:
    optuna.create_study(study_name="gone", storage=storage)
    delete_study(storage, "gone")
    assert list_studies(storage) == ()


def test_a_database_that_lost_its_tables_is_one_line(sqlite_url: str, storage) -> None:
    with storage.engine.begin() as connection:
        connection.execute(text("ALTER TABLE studies RENAME TO hidden"))
    for action in (list_studies, lambda it: read_study(it, "a"), lambda it: delete_study(it, "a")):
        with pytest.raises(StorageError, match=r"^cannot .*studies[^\n]*$"):
            action(storage)


def test_a_study_read_without_epochs_lacks_them_and_nothing_else(storage) -> None:
    study = optuna.create_study(study_name="curves", storage=storage)
    trial = study.ask({"units": optuna.distributions.IntDistribution(1, 8)})
    trial.report(0.5, 1)
    trial.set_user_attr("curves", {"loss": [0.5]})
    trial.set_user_attr("epochs", 1)
    study.tell(trial, 0.5)
    (whole,) = read_study(storage, "curves").trials
    (found,) = read_study(storage, "curves", epochs=False).trials
    assert (whole.intermediate_values, whole.attributes["curves"]) == ({1: 0.5}, {"loss": [0.5]})
    assert found == replace(whole, intermediate_values={}, attributes={"epochs": 1})
