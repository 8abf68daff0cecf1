import time
from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
from sqlalchemy import Executable, event, insert, text
from sqlalchemy.schema import CreateTable

from storage.errors import StorageError
from storage.turn import _turns, give_back, take_turn, wait_for_turn

LONG = 3600.0  # seconds; a lease that ends in no test


@pytest.fixture
def study(storage) -> optuna.Study:
    return optuna.create_study(study_name="shared", storage=storage)


@pytest.mark.usefixtures("study")
def test_one_holder_at_a_time(storage) -> None:
    assert take_turn(storage, "shared", "first", LONG)
    assert not take_turn(storage, "shared", "second", LONG)
    assert take_turn(storage, "shared", "first", LONG)
    give_back(storage, "shared", "first")
    assert take_turn(storage, "shared", "second", LONG)


@pytest.mark.usefixtures("study")
def test_giving_back_again_or_anothers_turn_does_nothing(storage) -> None:
    give_back(storage, "shared", "first")
    take_turn(storage, "shared", "first", LONG)
    give_back(storage, "shared", "first")
    take_turn(storage, "shared", "second", LONG)
    give_back(storage, "shared", "first")
    assert not take_turn(storage, "shared", "third", LONG)


@pytest.mark.usefixtures("study")
def test_every_study_has_its_own_turn(storage) -> None:
    optuna.create_study(study_name="other", storage=storage)
    assert take_turn(storage, "shared", "first", LONG)
    assert take_turn(storage, "other", "second", LONG)
    give_back(storage, "other", "second")
    assert not take_turn(storage, "shared", "second", LONG)


@pytest.mark.usefixtures("study")
def test_a_block_gives_its_turn_back_even_when_it_fails(storage) -> None:
    def fail() -> None:
        with wait_for_turn(storage, "shared", "first", LONG):
            assert not take_turn(storage, "shared", "second", LONG)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert take_turn(storage, "shared", "second", LONG)


@pytest.mark.usefixtures("study")
def test_the_turn_may_be_given_back_within_its_block(storage) -> None:
    with wait_for_turn(storage, "shared", "first", LONG):
        give_back(storage, "shared", "first")
        assert take_turn(storage, "shared", "second", LONG)
    assert not take_turn(storage, "shared", "first", LONG)


def test_a_study_that_is_not_there_has_no_turn(storage) -> None:
    with pytest.raises(StorageError, match="no study 'absent'"):
        take_turn(storage, "absent", "first")


@pytest.mark.usefixtures("study")
def test_a_turn_costs_two_transactions_of_one_statement(storage) -> None:
    take_turn(storage, "shared", "first")
    give_back(storage, "shared", "first")
    statements: list[str] = []
    commits: list[object] = []
    event.listen(storage.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    event.listen(storage.engine, "commit", commits.append)
    take_turn(storage, "shared", "first")
    give_back(storage, "shared", "first")
    work = [line for line in statements if not line.startswith("BEGIN")]
    assert (len(work), len(commits)) == (2, 2)


def test_workers_that_count_in_turns_never_overshoot(
    storage, study: optuna.Study, url: str, run_together
) -> None:
    asked = run_together("count_then_ask.py", 4, url, "shared", 40)
    assert sorted(int(number) for printed in asked for number in printed.split()) == [*range(40)]
    assert len(study.get_trials(deepcopy=False)) == 40


@pytest.mark.usefixtures("study")
def test_a_turn_is_free_when_its_lease_has_ended(storage) -> None:
    take_turn(storage, "shared", "first", LONG)
    assert not take_turn(storage, "shared", "next", LONG)
    with storage.engine.begin() as connection:
        # Two hours are over: after one, a coarse clock could still read the very end of the lease.
        connection.execute(text(f"UPDATE lstm_search_turn SET until = until - {2 * LONG}"))
    assert take_turn(storage, "shared", "next", LONG)


@pytest.mark.usefixtures("study")
def test_the_lease_of_a_killed_holder_ends(storage, url: str, start_worker) -> None:
    holder = start_worker("hold_turn.py", url, "shared", 1.0)
    assert holder.stdout.readline() == "True\n"
    holder.kill()
    holder.wait()
    deadline = time.monotonic() + 60
    while not take_turn(storage, "shared", "next", LONG):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not take_turn(storage, "shared", "holder", LONG)


def someone_waits(storage) -> bool:
    """Whether a statement waits for another transaction to end (PostgreSQL)."""
    with storage.engine.begin() as connection:
        query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.execute(query).scalar())


@pytest.mark.parametrize(
    ("statement", "got"),
    [
        (CreateTable(_turns), True),
        (insert(_turns).values(study_id=1, holder="first", until=1e12), False),
    ],
    ids=["table", "row"],
)
def test_a_table_or_first_row_that_another_worker_is_making(
    postgresql_url: str, opened, statement: Executable, got: bool
) -> None:
    other, storage = opened(postgresql_url), opened(postgresql_url)
    optuna.create_study(study_name="shared", storage=storage)
    if not got:
        give_back(storage, "shared", "second")  # makes the table
    with ThreadPoolExecutor() as pool:
        with other.engine.begin() as connection:
            connection.execute(statement)
            taking = pool.submit(take_turn, storage, "shared", "second", LONG)
            deadline = time.monotonic() + 30
            while not someone_waits(other):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert taking.result() is got
