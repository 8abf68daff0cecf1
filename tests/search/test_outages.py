"""Searches whose database, disk or clock fails while trials are running."""

import multiprocessing
import shutil
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import make_url

from objectives.settings import DataSettings, SplitSettings, TrainingSettings
from objectives.split import cut
from objectives.trials.messages import ForecastTask
from objectives.trials.scaled_rows import scaled_rows
from search.study import STORAGE_VARIABLE
from storage.database import open_storage
from storage.ledger import openings_of
from storage.records import StudyRecord
from storage.studies import read_study
from tests.runs import (
    PATIENCE,
    Finished,
    outcomes,
    stored,
    training_in,
    wait_for,
)
from tests.servers import Server

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]
AWAY = 20  # seconds, many times as long as the longest wait between two tries
DATA = DataSettings(targets=("first",), horizon=3)


def record_of(url: str) -> StudyRecord:
    storage = open_storage(url)
    try:
        return read_study(storage, "wave")
    finally:
        storage.engine.dispose()


def begun_on(server: Server, start: Start, path: Path) -> "tuple[str, subprocess.Popen[str]]":
    """A run on an empty database of the server, once its second trial is training."""
    url = server.emptied()
    out = path.parent / "runs"
    process = start("run", path, "--out", out, "--workers", 1, env={STORAGE_VARIABLE: url})
    wait_for(lambda: training_in(url), process)
    return url, process


def test_a_database_that_restarts_in_mid_trial_is_outlasted(
    mariadb: Server, finished: Finished, tmp_path: Path, write_study: Write, start: Start
) -> None:
    url, process = begun_on(mariadb, start, write_study(tmp_path, trials=6))
    mariadb.stop()
    mariadb.start()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = record_of(url)
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert len(record.trials) == 6


def test_a_database_that_restarts_and_then_stays_away_is_outlasted(
    postgresql: Server, finished: Finished, tmp_path: Path, write_study: Write, start: Start
) -> None:
    url, process = begun_on(postgresql, start, write_study(tmp_path, trials=6))
    postgresql.stop()
    postgresql.start()
    wait_for(lambda: record_of(url).trials[2:] or None, process)
    postgresql.stop()
    back = threading.Timer(AWAY, postgresql.start)
    back.start()
    try:
        with pytest.raises(subprocess.TimeoutExpired):  # it is still at it
            process.wait(timeout=AWAY)
    finally:
        back.join()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = record_of(url)
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert len(record.trials) == 6
    password = make_url(url).password
    assert password is not None
    assert password not in errors
    for log in (tmp_path / "runs" / "wave" / "logs").iterdir():
        assert password not in log.read_text()


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path / "disk", "8k") as folder:
        yield folder


def test_rows_are_scaled_in_memory_where_the_disk_is_full(tmp_path: Path) -> None:
    split = cut(2000, SplitSettings(), DATA, 12, None)
    with disk(tmp_path / "disk", "40k") as folder:  # room for the rows and half of what is scaled
        path = folder / "rows.npy"
        np.save(path, np.random.default_rng(0).normal(size=(2000, 2)))
        task = ForecastTask(path, 1, split, TrainingSettings())
        context = multiprocessing.get_context("fork")  # what is written unchecked kills a process
        process = context.Process(target=scaled_rows, args=(task, "standard", split.train))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert list(folder.iterdir()) == [path]


def test_a_search_that_a_full_disk_ended_loses_no_trial(
    finished: Finished, tmp_path: Path, write_study: Write, start: Start
) -> None:
    path = write_study(tmp_path, trials=6)
    with disk(tmp_path / "runs", "20m") as folder:
        process = start("run", path, "--out", folder, "--workers", 1)
        wait_for(lambda: (folder / "studies.db").exists() or None, process)
        wait_for(lambda: training_in(f"sqlite:///{folder}/studies.db"), process)
        filling = folder / "filling"
        with suppress(OSError):
            filling.write_bytes(bytes(2**25))
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1, errors
        last = errors.splitlines()[-1]
        assert last.startswith("lstm-search: no room is left (database or disk is full)"), errors
        filling.unlink()
        again = start("run", path, "--out", folder, "--workers", 1)
        _, errors = again.communicate(timeout=PATIENCE)
        assert again.returncode == 0, errors
        record = stored(tmp_path)
        assert outcomes(record) == outcomes(stored(finished[0]))


def test_a_full_disk_costs_the_artifact_and_not_the_trial(
    small_disk: Path, finished: Finished, tmp_path: Path, write_study: Write, start: Start
) -> None:
    path = write_study(tmp_path, trials=6)
    full = ("--artifacts", small_disk, "--workers", 1, "--json")
    process = start("run", path, "--out", tmp_path / "runs", *full)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = stored(tmp_path)
    assert outcomes(record) == outcomes(stored(finished[0]))
    failures = [
        t.attributes["artifact_failure"]
        for t in record.trials
        if "artifact_failure" in t.attributes
    ]
    assert failures
    assert all("No space left" in failure for failure in failures)
    assert not [file for file in small_disk.rglob("*") if "unfinished" in file.name]
    # The winner is trained again from its seed, and so is the same.
    assert (tmp_path / "runs" / "wave" / "model.keras").exists()
    assert printed


@dataclass(frozen=True)
class Clock:
    """A wall clock of our own; processes started with `environment` go by it."""

    environment: dict[str, str]
    file: Path

    def jump(self, seconds: int) -> None:
        with self.file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (Debian: apt-get install gcc libc6-dev)")
    library, file = tmp_path / "clock.so", tmp_path / "clock"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    file.write_bytes(bytes(8))
    return Clock({"LD_PRELOAD": str(library), "CLOCK_FILE": str(file)}, file)


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_jumps_in_mid_trial_does_no_harm(
    hours: int,
    clock: Clock,
    finished: Finished,
    tmp_path: Path,
    write_study: Write,
    start: Start,
) -> None:
    path = write_study(tmp_path, trials=6)
    out = ("--out", tmp_path / "runs")
    process = start("run", path, *out, "--workers", 1, env=clock.environment)
    database = tmp_path / "runs" / "studies.db"
    wait_for(lambda: database.exists() or None, process)
    wait_for(lambda: training_in(f"sqlite:///{database}"), process)
    clock.jump(3600 * hours)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = stored(tmp_path)
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert record.count("running") == record.count("waiting") == 0
    (opening,) = openings_of(record.attributes)
    began = record.trials[0].started
    assert began is not None
    passed = datetime.fromisoformat(opening.when) - began.astimezone()
    assert abs(passed) > timedelta(hours=1.9)  # they did go by that clock
