"""What a database refuses is one line in its own words, and no bug."""

import pickle
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from optuna.exceptions import StorageInternalError
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import InternalError

from search.command_line.exit_codes import exit_with
from search.study import STORAGE_VARIABLE
from search.workers.worker import _give_up
from storage import outage
from storage.database import open_storage
from storage.errors import reason
from tests.runs import PATIENCE, training_in, wait_for
from tests.servers import Server

SECRET = "s3cr3t"
Administer = Callable[[str], None]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def administer(postgresql: Server) -> Iterator[Administer]:
    """Carry out a statement as the owner of a PostgreSQL that has an account "writer" too."""
    engine = create_engine(make_url(postgresql.emptied()).set(drivername="postgresql+psycopg"))

    def carry_out(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    carry_out(f"CREATE ROLE writer LOGIN PASSWORD '{SECRET}'")
    carry_out("GRANT ALL ON SCHEMA public TO writer")
    yield carry_out
    engine.dispose()
    postgresql.emptied()
    carry_out("DROP OWNED BY writer")
    carry_out("DROP ROLE writer")
    engine.dispose()


def test_a_database_that_begins_to_refuse_ends_a_search_with_one_line(
    postgresql: Server, administer: Administer, tmp_path: Path, write_study, start: Start
) -> None:
    url = postgresql.url.set(drivername="postgresql", username="writer", password=SECRET)
    environment = {STORAGE_VARIABLE: url.render_as_string(hide_password=False)}
    path = write_study(tmp_path, trials=6)
    run = ("run", path, "--out", tmp_path / "runs", "--workers", 1)
    process = start(*run, env=environment)
    wait_for(lambda: training_in(environment[STORAGE_VARIABLE]), process)
    administer("ALTER ROLE writer SET default_transaction_read_only = on")
    administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'writer'")
    for ended in (process, start(*run, env=environment)):
        _, errors = ended.communicate(timeout=PATIENCE)
        last = errors.splitlines()[-1]
        assert last.startswith("lstm-search: "), errors
        assert "in a read-only transaction" in last
        assert "Traceback" not in errors
        assert SECRET not in errors
        assert ended.returncode == 1


def test_a_database_that_stays_away_is_one_line(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = open_storage(postgresql.emptied())
    monkeypatch.setattr(outage, "PATIENCE", 0.0)
    postgresql.stop()
    try:
        with pytest.raises(typer.Exit) as ended:
            exit_with(lambda: len(storage.get_all_studies()))
    finally:
        postgresql.start()
        storage.engine.dispose()
    said = capsys.readouterr().err
    assert ended.value.exit_code == 1
    assert said.startswith("lstm-search: the database: connection failed"), said
    assert said.endswith("; what is finished is kept: run it again to go on\n")
    assert said.count("\n") == 1
    assert str(postgresql.url.password) not in said


def test_what_a_worker_dies_of_still_has_its_reason_in_another_process() -> None:
    error = StorageInternalError("something general")
    error.__cause__ = InternalError("INSERT", {}, RuntimeError("cannot execute INSERT"))
    with pytest.raises(InternalError) as died:
        _give_up(SimpleNamespace(begun=[]), error)
    assert reason(pickle.loads(pickle.dumps(died.value))) == "cannot execute INSERT"


def test_an_error_of_our_own_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        exit_with(lambda: 1 // 0)
    assert ended.value.exit_code == 3
    assert "this is a bug" in capsys.readouterr().err
