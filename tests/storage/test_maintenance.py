"""Looking after databases: what `examine` finds, and studies that arrive whole somewhere else."""

import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from storage.errors import StorageError, is_full
from storage.maintenance import back_up, copy_studies, examine, restore, upgrade
from storage.records import StudyRecord
from storage.studies import confirmation_name, read_study

STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.WAITING)


def fill(storage: RDBStorage, name: str = "one") -> StudyRecord:
    """A study with a trial of every state that stays, with attributes and intermediate values."""
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize")
    study.set_user_attr("identity", {"data": [1, 2]})
    for number, state in enumerate(STATES):
        study.add_trial(
            create_trial(
                state=state,
                value=0.5 if state == TrialState.COMPLETE else None,
                params={"rate": 0.1 * (number + 1)},
                distributions={"rate": FloatDistribution(0.0, 1.0)},
                intermediate_values={1: 0.3, 2: 0.4},
                user_attrs={"seed": number},
            )
        )
    return read_study(storage, name)


def contents(record: StudyRecord) -> list[object]:
    facts = [
        (t.number, t.state, t.value, t.params, t.intermediate_values, t.attributes)
        for t in record.trials
    ]
    return [record.name, record.minimize, record.attributes, facts]


def test_a_new_database_is_well(url: str) -> None:
    health = examine(url)
    assert health.up_to_date
    assert health.studies == 0
    assert 0 < health.write_seconds < 10
    assert health.server.startswith(url.split(":", maxsplit=1)[0])


def test_a_server_tells_for_how_many_workers_its_connections_suffice(postgresql_url: str) -> None:
    health = examine(postgresql_url)
    assert health.connections_allowed == 100
    assert health.connections_used >= 1
    assert health.most_workers == (100 - health.connections_used) // 2


def test_a_file_has_no_limit_of_connections(sqlite_url: str) -> None:
    assert examine(sqlite_url).most_workers is None


def test_examining_leaves_no_table_of_its_own(url: str, storage: RDBStorage) -> None:
    before = inspect(storage.engine).get_table_names()
    examine(url)
    assert inspect(storage.engine).get_table_names() == before


def test_an_older_schema_is_found_and_upgraded(url: str, storage: RDBStorage) -> None:
    older = next(v for v in storage.get_all_versions() if v != storage.get_head_version())
    with storage.engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{older}'"))
    assert not examine(url).up_to_date
    assert upgrade(url) == (older, storage.get_head_version())
    assert examine(url).up_to_date


def test_a_copy_has_everything(storage: RDBStorage, tmp_path, opened) -> None:
    original = fill(storage)
    confirmation = fill(storage, confirmation_name("one"))
    target = opened(f"sqlite:///{tmp_path}/target.db")
    assert copy_studies(storage, target, ("one",)) == len(STATES)  # as many as `list` counts
    assert contents(read_study(target, "one")) == contents(original)
    assert contents(read_study(target, confirmation_name("one"))) == contents(confirmation)


def test_a_running_trial_keeps_its_number_in_a_copy_and_is_queued_again(
    storage: RDBStorage, tmp_path, opened
) -> None:
    study = optuna.create_study(study_name="one", storage=storage)
    rates = {"rate": FloatDistribution(0.0, 1.0)}
    running = study.ask(rates)
    running.set_user_attr("hyperparameters", dict(running.params))
    running.set_user_attr("seed", 7)
    running.report(0.5, 1)
    lost, retried = study.ask(rates), {"slot": 1, "retry_of": 1, "tries": 2}
    study.tell(lost, state=TrialState.FAIL)
    study.add_trial(create_trial(state=TrialState.WAITING, user_attrs=retried))
    study.ask(rates)  # the retry, which somebody has queued again and not yet ended
    again = {"slot": 1, "retry_of": 2, "tries": 2}
    study.add_trial(create_trial(state=TrialState.WAITING, user_attrs=again))
    target = opened(f"sqlite:///{tmp_path}/target.db")
    assert copy_studies(storage, target, ("one",)) == 4
    copied = optuna.load_study(study_name="one", storage=target)
    first, second, third, waiting, retry = copied.trials
    assert [trial.state.name for trial in copied.trials] == [*["FAIL"] * 3, *["WAITING"] * 2]
    assert first.user_attrs["failure"] == "was running when it was copied"
    assert (first.params, first.intermediate_values) == (running.params, {1: 0.5})
    assert "failure" not in second.user_attrs
    assert {name: third.user_attrs[name] for name in retried} == retried
    assert waiting.user_attrs == again
    assert retry.user_attrs == {"seed": 7, "slot": 0, "retry_of": 0, "tries": 1}
    assert retry.system_attrs == {"fixed_params": running.params}


@pytest.mark.parametrize(
    ("names", "words"), [(("one", "two"), "exists|already"), (("one", "none"), "no study 'none'")]
)
def test_nothing_is_copied_where_one_study_cannot_be(
    storage: RDBStorage, tmp_path: Path, opened, names: tuple[str, ...], words: str
) -> None:
    for name in ("one", "two"):
        fill(storage, name)
    target = opened(f"sqlite:///{tmp_path}/target.db")
    fill(target, "two")
    with pytest.raises(StorageError, match=words):
        copy_studies(storage, target, names)
    assert [study.study_name for study in target.get_all_studies()] == ["two"]


def test_names_that_the_other_database_does_not_tell_apart_are_one_line(
    mariadb_url: str, sqlite_url: str, opened
) -> None:
    source, target = opened(sqlite_url), opened(mariadb_url)
    for name in ("jfk", "JFK"):
        fill(source, name)
    with pytest.raises(StorageError, match="does not tell 'JFK' from another study"):
        copy_studies(source, target, ("jfk", "JFK"))
    assert [study.study_name for study in target.get_all_studies()] == ["jfk"]


def test_a_backup_is_one_file_from_which_everything_comes_back(
    url: str, storage: RDBStorage, tmp_path: Path, opened
) -> None:
    originals = [contents(fill(storage, name)) for name in ("one", "two")]
    file = tmp_path / "folder" / "backup.db"
    file.parent.mkdir()
    assert back_up(url, file) == 2
    assert list(file.parent.iterdir()) == [file]
    again = f"sqlite:///{tmp_path}/again.db"
    assert restore(file, again) == 2
    assert [contents(read_study(opened(again), name)) for name in ("one", "two")] == originals


def test_a_backup_never_replaces_a_file(url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    file.write_text("precious")
    with pytest.raises(StorageError, match="exists already"):
        back_up(url, file)
    assert file.read_text() == "precious"


def test_a_backup_that_fails_leaves_nothing(url: str, storage: RDBStorage, tmp_path: Path) -> None:
    fill(storage)
    optuna.create_study(study_name="two", storage=storage)
    with storage.engine.begin() as connection:  # a table that cannot be read breaks the copying
        connection.execute(text("ALTER TABLE trial_params RENAME COLUMN param_value TO gone"))
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(StorageError):
        back_up(url, folder / "backup.db")
    assert not list(folder.iterdir())


def test_a_database_without_room_is_known(sqlite_url: str, opened) -> None:
    storage = opened(sqlite_url)
    with storage.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(OperationalError) as refused:
            connection.execute(text("CREATE TABLE more AS SELECT randomblob(100000)"))
    assert is_full(refused.value)
    assert not is_full(StorageError("full"))


def test_a_missing_backup_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no backup"):
        restore(tmp_path / "none.db", f"sqlite:///{tmp_path}/target.db")


def test_a_backup_is_a_database_that_any_program_reads(url: str, storage, tmp_path: Path) -> None:
    fill(storage)
    back_up(url, tmp_path / "backup.db")
    with sqlite3.connect(tmp_path / "backup.db") as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (len(STATES),)
