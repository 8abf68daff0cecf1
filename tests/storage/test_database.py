import logging
import pickle
import socket
import sqlite3
import threading
import time
import warnings
from collections import Counter
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import event, make_url, text

from storage.database import Heartbeat, open_storage
from storage.errors import StorageError
from storage.sqlite import put_back
from storage.studies import delete_study, list_studies

DEADLINE = 30  # seconds until a test that waits for an event gives up


def wait_until(happened) -> None:
    deadline = time.monotonic() + DEADLINE
    while not happened():
        if time.monotonic() > deadline:
            pytest.fail("what the test waits for never happened")
        time.sleep(0.02)


def failure_of(url: str) -> str:
    with pytest.raises(StorageError) as caught:
        open_storage(url)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__
    return str(caught.value)


@pytest.mark.parametrize("copy", [False, True], ids=["opened", "pickled"])
def test_sqlite_settings_hold_on_connections_of_the_pool(
    sqlite_url: str, copy: bool, opened
) -> None:
    storage = opened(sqlite_url)
    if copy:
        storage = pickle.loads(pickle.dumps(storage))
    with storage.engine.connect() as first, storage.engine.connect() as second:
        # Closed at once: every transaction takes the only write lock.
        for connection in (first, second):
            for pragma, value in {
                "journal_mode": "wal",
                "synchronous": 1,
                "busy_timeout": 60_000,
            }.items():
                assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
            connection.rollback()


def test_a_sqlite_transaction_takes_the_write_lock_when_it_begins(sqlite_url: str, opened) -> None:
    storage = opened(sqlite_url)
    other = sqlite3.connect(make_url(sqlite_url).database or "", timeout=0, isolation_level=None)
    with storage.engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


@pytest.mark.parametrize("deleted", [("",), ("", "-wal", "-shm")])
def test_a_file_that_is_deleted_in_use_is_told_and_put_back(
    sqlite_url: str, opened, deleted: tuple[str, ...]
) -> None:
    storage = opened(sqlite_url)
    path = make_url(sqlite_url).database or ""
    study = optuna.create_study(study_name="one", storage=storage)
    late = sqlite3.connect(path)
    late.execute("SELECT * FROM trials").fetchall()  # has the file open from now on
    with put_back(storage.engine):
        for value in range(3):
            study.add_trial(optuna.create_trial(value=value))
        for beside in deleted:
            Path(path + beside).unlink()
        for _ in range(2):  # the second time on a new connection, which must not make a new file
            with pytest.raises(StorageError, match="was deleted or replaced while it was in use"):
                study.set_user_attr("late", 3)
    with closing(late), late:
        late.execute("DELETE FROM trials")  # of the deleted file
    found = optuna.load_study(study_name="one", storage=opened(sqlite_url))
    assert [trial.value for trial in found.trials] == [0, 1, 2]
    assert [each.name for each in Path(path).parent.glob("*unfinished*")] == []


def test_another_file_in_the_place_of_ours_is_told_and_left_alone(sqlite_url: str, opened) -> None:
    storage = opened(sqlite_url)
    path = Path(make_url(sqlite_url).database or "")
    with put_back(storage.engine):
        path.unlink()
        path.write_text("another")
    with pytest.raises(StorageError, match="was deleted or replaced"):
        optuna.create_study(study_name="one", storage=storage)
    assert path.read_text() == "another"


def test_a_server_gets_a_small_pool_and_a_time_limit(postgresql_url: str, opened) -> None:
    storage = opened(postgresql_url)
    assert storage.engine.pool.size() == 2
    with storage.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver.info.get_parameters()["connect_timeout"] == "8"


def test_a_connection_that_the_server_dropped_is_replaced(postgresql_url: str, opened) -> None:
    storage = opened(postgresql_url)
    drop = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    with storage.engine.connect() as kept, storage.engine.connect() as dropping:
        kept.execute(text("SELECT 1"))
        kept.close()
        dropping.execute(drop)
    assert storage.get_all_studies() == []


def test_a_connection_that_drops_before_its_first_statement_is_replaced(
    mariadb_url: str, opened
) -> None:
    storage, other = opened(mariadb_url), opened(mariadb_url)
    study = optuna.create_study(study_name="kept", storage=storage)
    dropped: list[int] = []

    def drop(connection, *_) -> None:  # after the pool has found it alive
        if not dropped:
            dropped.append(connection.thread_id())
            with other.engine.connect() as killer:
                killer.execute(text(f"KILL {dropped[0]}"))

    event.listen(storage.engine, "checkout", drop)
    assert storage.count_trials(study._study_id, "retry_of").created == 0
    assert dropped


def test_waiting_trials_are_claimed_once(sqlite_url: str, opened, run_together) -> None:
    study = optuna.create_study(study_name="queue", storage=opened(sqlite_url))
    for _ in range(60):
        study.enqueue_trial({}, user_attrs={"waited": True})
    claims = Counter(
        int(number)
        for printed in run_together("claim.py", 4, sqlite_url, "queue")
        for number in printed.split()
    )
    assert claims == Counter(range(60))


def test_a_new_database_can_be_opened_by_several_at_once(url: str, run_together) -> None:
    assert run_together("open_at_once.py", 3, url) == ["opened\n"] * 3


def test_opening_is_silent(url: str, capfd: pytest.CaptureFixture[str], opened) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)  # Optuna's default
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        storage = opened(url, Heartbeat())
        optuna.create_study(storage=storage)
    assert capfd.readouterr() == ("", "")


def test_a_chosen_verbosity_of_optuna_is_kept(sqlite_url: str, opened) -> None:
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        opened(sqlite_url)
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_is_one_line(scheme: str) -> None:
    pytest.importorskip({"postgresql": "psycopg", "mysql": "pymysql"}[scheme])
    with socket.socket() as closed:  # bound but not listening: nobody else gets the port
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        said = failure_of(f"{scheme}://me:s3cr3t@127.0.0.1:{port}/name?password=s3cr3t")
    assert f"{scheme}://me:***@127.0.0.1:{port}/name?password=***" in said
    assert "refused" in said
    assert "s3cr3t" not in said


def test_a_server_that_does_not_answer_is_given_up() -> None:
    pytest.importorskip("psycopg")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        said = failure_of(f"postgresql://127.0.0.1:{port}/name?connect_timeout=2")
    assert "timeout" in said


def test_a_refused_password_is_not_repeated(postgresql_url: str, secret: str) -> None:
    refused = make_url(postgresql_url).set(password=f"not-{secret}").render_as_string(False)
    said = failure_of(refused)
    assert "password authentication failed" in said
    assert secret not in said


def test_no_representation_shows_a_password(postgresql_url: str, secret: str, opened) -> None:
    in_query = make_url(postgresql_url).set(password=None).update_query_dict({"password": secret})
    for url in (postgresql_url, in_query.render_as_string(False)):
        storage = opened(url)
        assert storage.get_all_studies() == []
        assert secret not in repr(storage) + repr(storage.engine) + repr(storage.engine.pool)


def test_a_missing_driver_names_what_installs_it(start_worker) -> None:
    printed, errors = start_worker("no_driver.py").communicate()
    assert "pip install 'lstm-search[mysql]'" in printed, errors
    assert "wr0ng-secret" not in printed


def test_an_option_that_the_driver_does_not_know_is_one_line() -> None:
    pytest.importorskip("pymysql")
    assert "shoe_size" in failure_of("mysql://me@127.0.0.1:1/name?shoe_size=44")


def test_a_file_that_is_no_database_is_one_line(tmp_path) -> None:
    (tmp_path / "notes.db").write_text(
        "not a database, but quite long enough to look like one\n" * 20
    )
    assert "not a database" in failure_of(f"sqlite:///{tmp_path}/notes.db")


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path) -> None:
    assert "unable to open database file" in failure_of(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_written_is_one_line() -> None:
    # Even the superuser can make no file there.
    assert "unable to open database file" in failure_of("sqlite:////proc/studies.db")


def test_a_file_that_cannot_be_written_can_be_read(sqlite_url: str, opened) -> None:
    optuna.create_study(study_name="kept", storage=opened(sqlite_url))
    # Read-only by SQLite's own means, since the superuser may write every file.
    url = sqlite_url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
    storage = opened(url)
    assert [summary.name for summary in list_studies(storage)] == ["kept"]
    with pytest.raises(StorageError, match="readonly"):
        delete_study(storage, "kept")


def test_braces_in_a_url_are_meant_literally(tmp_path, opened) -> None:
    opened(f"sqlite:///{tmp_path}/a{{b}}.db")
    assert (tmp_path / "a{b}.db").is_file()


def rows_of_heartbeats(storage) -> int:
    with storage.engine.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM trial_heartbeats")).scalar_one())


def rename_table(storage, old: str, new: str) -> None:
    with storage.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


class Noticed(logging.Handler):
    """Sets an event at the first message."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def emit(self, _record: logging.LogRecord) -> None:
        self.event.set()


def test_heartbeats_survive_a_database_error(url: str, opened) -> None:
    storage = opened(url, Heartbeat(interval_seconds=1))
    noticed = Noticed()
    logging.getLogger("storage.database").addHandler(noticed)

    def objective(_trial: optuna.Trial) -> float:
        wait_until(lambda: rows_of_heartbeats(storage) == 1)
        rename_table(storage, "trial_heartbeats", "hidden")
        assert noticed.event.wait(DEADLINE)
        rename_table(storage, "hidden", "trial_heartbeats")
        with storage.engine.begin() as connection:
            connection.execute(text("DELETE FROM trial_heartbeats"))
        wait_until(lambda: rows_of_heartbeats(storage) == 1)
        return 0.0

    study = optuna.create_study(storage=storage)
    try:
        study.optimize(objective, n_trials=1)
    finally:
        logging.getLogger("storage.database").removeHandler(noticed)
    assert study.best_value == 0.0


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_trial_killed_before_its_first_heartbeat_becomes_stale(url: str, opened) -> None:
    stale: list[int] = []
    storage = opened(url, Heartbeat(1, 1, lambda _study, trial: stale.append(trial.number)))
    study = optuna.create_study(storage=storage)
    study.ask()  # without `optimize`, so that no heartbeat ever comes

    def failed() -> bool:
        optuna.storages.fail_stale_trials(study)
        return bool(stale)

    wait_until(failed)
    assert stale == [0]
    assert study.trials[0].state == optuna.trial.TrialState.FAIL


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_trial_without_heartbeat_is_left_alone_within_the_grace_period(url: str, opened) -> None:
    study = optuna.create_study(storage=opened(url, Heartbeat(1, 3600)))
    study.ask()
    optuna.storages.fail_stale_trials(study)
    assert study.trials[0].state == optuna.trial.TrialState.RUNNING


def test_writers_that_are_killed_lose_nothing_that_was_told(
    sqlite_url: str, opened, start_worker
) -> None:
    optuna.create_study(study_name="killed", storage=opened(sqlite_url))
    told: list[int] = []
    for attempt in range(20):
        writers = [start_worker("finish_trials.py", sqlite_url, "killed") for _ in range(2)]
        for writer in writers:
            # The kill comes anywhere in the trial after the last one that was told.
            told += [int(writer.stdout.readline()) for _ in range(1 + attempt % 3)]
        for writer in writers:
            writer.kill()
        for writer in writers:
            told += [
                int(line) for line in writer.stdout.read().splitlines(True) if line[-1] == "\n"
            ]
    storage = opened(sqlite_url)
    with storage.engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    trials = optuna.load_study(study_name="killed", storage=storage).get_trials(deepcopy=False)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    complete = {trial.number for trial in trials if trial.state == TrialState.COMPLETE}
    assert len(told) == len(set(told)) >= 40
    assert set(told) <= complete
    for trial in trials:
        if trial.number in complete:
            assert trial.value == trial.params["x"]
            assert len(trial.user_attrs["curve"]) == 20
            assert len(trial.intermediate_values) == 3
