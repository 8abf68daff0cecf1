"""Workers known by name: which are dead, and what becomes of the trials of those that are or seem so."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.storages import fail_stale_trials
from optuna.trial import TrialState, create_trial
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from search.workers.orphans import WORKER_DIED, experimental, requeue_orphans
from search.workers.slots import try_again
from search.workers.worker import heartbeat
from search.workers.worker_name import WorkerName
from storage.database import open_storage
from storage.studies import find_study
from tests.runs import PATIENCE, Finished, outcomes, stored, training_in, wait_for

LOOK = """
import sys
from search.workers.worker_name import WorkerName
print(WorkerName(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])).dead)
"""
MINE = WorkerName.mine()
NAME, *PLACE = MINE.host.split("/")


@pytest.fixture
def ended() -> WorkerName:
    """A process of this machine that is no more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return WorkerName(MINE.host, process.pid, psutil.Process(process.pid).create_time())


def test_a_worker_is_dead_once_its_process_has_ended(ended: WorkerName) -> None:
    assert ended.dead
    assert MINE._replace(born=MINE.born - 60).dead  # the number is another process's now
    assert not MINE.dead


@pytest.mark.parametrize(
    "host",
    [
        NAME,  # as a former version called it
        "/".join([NAME, "00000000", *PLACE[1:]]),  # a machine of the same name, or this one before
        "/".join([NAME, *PLACE[:1], "1"]),  # another container of the same name
        "other",
    ],
)
def test_who_may_be_elsewhere_is_not_known_to_be_dead(host: str, ended: WorkerName) -> None:
    assert not ended._replace(host=host).dead


def test_another_container_of_the_same_name_does_not_take_a_worker_for_dead() -> None:
    namespace = ("unshare", "--pid", "--fork", "--mount-proc")
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace can be made here")
    looking = [*namespace, sys.executable, "-c", LOOK, *map(str, MINE)]
    seen = subprocess.run(looking, capture_output=True, text=True, check=True)
    assert seen.stdout == "False\n"
    assert len(WorkerName.mine().text) < 255 - 64  # a host's name has 64 characters at most


def test_a_trial_from_before_the_machine_started_is_known_by_its_silence(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/studies.db", heartbeat=heartbeat(60))
    optuna.create_study(study_name="wave", storage=storage)
    study = find_study(storage, "wave")
    before = MINE._replace(host="/".join([NAME, "00000000", *PLACE[1:]]), pid=2**22 + 1)
    for _ in range(2):
        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"worker": list(before)}))
    storage.record_heartbeat(study.trials[0]._trial_id)
    requeue_orphans(study)
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING] * 2
    with storage.engine.begin() as connection:  # an hour passes
        hour = "strftime('%Y-%m-%d %H:%M:%f', {}, '-1 hour')"
        for table, column in (("trials", "datetime_start"), ("trial_heartbeats", "heartbeat")):
            connection.execute(text(f"UPDATE {table} SET {column} = {hour.format(column)}"))
    with experimental():
        fail_stale_trials(study)
    assert [trial.state.name for trial in study.trials] == [*["FAIL"] * 2, *["WAITING"] * 2]
    storage.engine.dispose()


def test_a_trial_that_cannot_be_queued_again_is_not_failed_either(
    tmp_path: Path, ended: WorkerName
) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/studies.db")
    optuna.create_study(study_name="wave", storage=storage)
    study = find_study(storage, "wave")
    study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"worker": list(ended)}))
    with storage.engine.begin() as connection:
        refusal = "WHEN NEW.state = 'WAITING' BEGIN SELECT RAISE(ABORT, 'not now'); END"
        connection.execute(text(f"CREATE TRIGGER refusal BEFORE UPDATE ON trials {refusal}"))
    with pytest.raises(IntegrityError, match="not now"):
        requeue_orphans(study)
    with storage.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER refusal"))
    requeue_orphans(study)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "WAITING"]
    storage.engine.dispose()


def test_a_worker_whose_trial_somebody_has_failed_and_queued_again_goes_on(
    finished: Finished, tmp_path: Path, write_study: Callable[..., Path], start
) -> None:
    url = f"sqlite:///{tmp_path}/runs/studies.db"
    path = write_study(tmp_path, trials=6)
    process = start("run", path, "--out", tmp_path / "runs", "--workers", 1)
    wait_for(lambda: os.path.exists(url.removeprefix("sqlite:///")) or None, process)
    trial = wait_for(lambda: training_in(url), process)
    study = find_study(open_storage(url), "wave")
    study._storage.set_trial_user_attr(study.trials[trial.number]._trial_id, "failure", WORKER_DIED)
    study.tell(trial.number, state=TrialState.FAIL)
    assert try_again(study, study.trials[trial.number])
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert outcomes(stored(tmp_path)) == outcomes(stored(finished[0]))
