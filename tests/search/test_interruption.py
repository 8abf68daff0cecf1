"""Ctrl-C and SIGTERM, heeded only where nothing is half done."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import psutil
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import Connection, event

from objectives.split import cut
from objectives.trials.messages import Compute, ForecastTask
from objectives.trials.trial_process import LostTrialError
from search.preparation import prepare
from search.searching import open_study
from search.study import Study
from search.workers.budget import share_settings
from search.workers.interruption import interruptions_noted
from search.workers.local_workers import run_here
from search.workers.processes import outcome_of
from search.workers.worker import WorkOrder, heartbeat
from storage.database import open_storage
from storage.turn import take_turn
from tests.runs import PATIENCE

BOTH = (signal.SIGINT, signal.SIGTERM)
STAYS = "import os, signal; os.kill({}, signal.SIGINT); signal.pause()"


def order_for(folder: Path) -> WorkOrder:
    """What workers would need to know of a study of one trial."""
    study = Study(
        data={"targets": ["level"], "horizon": 3},
        study={"name": "wave", "trials": 1},
        output={"directory": str(folder)},
    )
    study.directory.mkdir(parents=True)
    split = cut(400, study.split, study.data, study.space.largest_timesteps, None)
    task = ForecastTask(folder / "rows.npy", 1, split, study.training)
    stop = study.directory / "stop"
    return WorkOrder(study, study.storage_url, task, "", (Compute(),), study.artifacts, stop)


def test_an_interruption_lets_a_transaction_end_first(tmp_path: Path) -> None:
    order = order_for(tmp_path)
    storage = open_storage(order.storage_url, heartbeat=heartbeat(300))
    found = optuna.create_study(study_name="wave", storage=storage)
    share_settings(found, order.study)
    found.add_trial(create_trial(state=TrialState.RUNNING))  # its one trial runs elsewhere
    sent: list[str] = []

    @event.listens_for(storage.engine, "after_cursor_execute")
    def interrupt(connection: Connection, cursor: object, statement: str, *more: object) -> None:
        if not sent and statement.startswith(
            "SELECT CURRENT_TIMESTAMP"
        ):  # has locked, and not read
            sent.append(statement)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as interrupted:
        run_here(order, found, lambda: None)
    assert sent
    other = sqlite3.connect(str(storage.engine.url.database), timeout=0)
    other.execute("BEGIN IMMEDIATE")  # while the exception keeps alive what it has come through
    other.close()
    assert interrupted.traceback
    assert not order.stop.exists()


def test_an_interruption_lets_a_turn_end_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.outage.PATIENCE", 0)
    study = order_for(tmp_path).study
    storage = open_storage(f"{study.storage_url}?timeout=0")
    sent: list[str] = []
    before = ""

    @event.listens_for(storage.engine, "after_cursor_execute")
    def interrupt(connection: Connection, cursor: object, statement: str, *more: object) -> None:
        nonlocal before
        if not sent and before == "BEGIN IMMEDIATE" and statement.startswith("SELECT"):
            sent.append(statement)  # has locked, and not read
            signal.raise_signal(signal.SIGINT)
        before = statement

    frame = pd.DataFrame({"level": np.arange(400.0)})
    with pytest.raises(KeyboardInterrupt):
        open_study(storage, study, prepare(study, frame))
    assert sent
    assert take_turn(storage, "wave", "another")


def test_an_interruption_ends_a_worker_and_what_it_has_started() -> None:
    task = partial(subprocess.run, [sys.executable, "-c", STAYS.format(os.getpid())], check=False)
    with pytest.raises(KeyboardInterrupt):
        outcome_of(task, workers=1)
    left = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    assert not [words for words in left if words[-1:] == task.args[0][-1:]]


def test_what_a_killed_worker_was_to_do_is_done_by_the_next(tmp_path: Path) -> None:
    kill_at_first = f"mkdir {tmp_path}/begun && kill -9 $PPID; echo done"
    shell = ["/bin/sh", "-c", kill_at_first]
    task = partial(subprocess.run, shell, capture_output=True, text=True, check=False)
    assert outcome_of(task, workers=1).stdout == "done\n"


def test_a_worker_that_is_killed_each_time_is_told_in_one_line(tmp_path: Path) -> None:
    shell = ["/bin/sh", "-c", f"echo begun >> {tmp_path}/tries; kill -9 $PPID"]
    with pytest.raises(
        LostTrialError, match="a worker was killed, as happens when memory runs out"
    ):
        outcome_of(partial(subprocess.run, shell, check=False), workers=1)
    assert (tmp_path / "tries").read_text() == "begun\n" * 3


def test_workers_that_die_again_and_again_are_told_in_one_line(tmp_path: Path) -> None:
    order = order_for(tmp_path)
    order.task.rows.touch()
    storage = open_storage(order.storage_url, heartbeat=heartbeat(300))
    found = optuna.create_study(study_name="wave", storage=storage)
    share_settings(found, order.study)
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(0.05):
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    words = " ".join(child.cmdline())
                    if "loky" in words and "resource_tracker" not in words:
                        child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(LostTrialError, match="workers died 6 times, as happens when memory"):
            run_here(order, found, lambda: None)
    finally:
        ended.set()
        killer.join()


def test_killed_workers_leave_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from search.workers.processes import worker_pool, workers_ended\n"
        "from multiprocessing.util import get_temp_dir\n"
        "with workers_ended():\n"
        "    worker_pool(1).submit(get_temp_dir).result()\n"  # as a trial's process needs one
        "    victim = worker_pool().submit(os.getpid).result()\n"
        "    os.kill(os.getpid() if sys.argv[1] == 'main' else victim, signal.SIGKILL)"
    )
    for killed in ("worker", "main"):
        command = [sys.executable, "-c", code, killed]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        subprocess.run(
            command, stdout=subprocess.PIPE, check=False, env=environment, timeout=PATIENCE
        )
        assert not list(tmp_path.glob("pymp-*"))


def test_an_idle_worker_ends_when_its_parent_was_killed() -> None:
    code = (
        "import os, signal; from search.workers.processes import worker_pool\n"
        "print(worker_pool(1).submit(os.getpid).result(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    # It ends once nobody can write to its output any more.
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=PATIENCE)
    assert int(done.stdout)
    assert done.returncode == -signal.SIGKILL


def test_each_interruption_is_raised_once_where_it_is_heeded() -> None:
    with interruptions_noted() as heed:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                heed()
        heed()


def test_one_that_nobody_heeds_is_raised_at_the_end() -> None:
    done: list[int] = []

    def work() -> None:
        with interruptions_noted():
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done


def test_one_that_came_before_an_error_is_raised_and_not_the_error() -> None:
    def work() -> None:
        with interruptions_noted():
            signal.raise_signal(signal.SIGINT)
            raise RuntimeError("what another process died of, of the same Ctrl-C")

    with pytest.raises(KeyboardInterrupt):
        work()


def test_who_interrupts_three_times_is_not_kept_waiting() -> None:
    done: list[int] = []

    def work() -> None:
        with interruptions_noted():
            for number in range(3):
                signal.raise_signal(signal.SIGINT)
                done.append(number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0, 1]


def test_signals_that_mean_something_else_are_left_alone_and_ours_given_back() -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(number) for number in BOTH]

    # A command that another test ran in this process may have left its own.
    found = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        before = handlers()
        assert before == [signal.default_int_handler, signal.SIG_DFL]
        with interruptions_noted():
            within = handlers()
        assert within[0] != before[0]
        assert within[1] == signal.SIG_DFL
        assert handlers() == before
    finally:
        signal.signal(signal.SIGTERM, found)


def test_another_thread_than_the_main_one_is_never_interrupted() -> None:
    ended: list[bool] = []

    def work() -> None:
        with interruptions_noted() as heed:
            heed()
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended


def test_a_worker_that_still_imports_is_deaf_to_ctrl_c() -> None:
    code = (
        "import os, psutil, signal\n"
        "from search.workers.processes import submit, workers_ended\n"
        "with workers_ended():\n"
        "    asked = submit(os.getpid, workers=1)\n"
        "    for child in psutil.Process().children():\n"
        "        child.send_signal(signal.SIGINT)\n"
        "    print(psutil.Process(asked.result()).ppid() == os.getpid())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
