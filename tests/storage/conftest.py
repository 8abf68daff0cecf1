"""A SQLite file, a real PostgreSQL and a real MariaDB for every test, and workers in real processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from sqlalchemy import make_url

from storage.database import Heartbeat, open_storage

ROOT = Path(__file__).parents[2]
WORKERS = Path(__file__).parent / "workers"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/studies.db"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


Open = Callable[..., RDBStorage]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open a database as `open_storage` does; its connections are closed after the test."""
    storages: list[RDBStorage] = []

    def open_here(url: str, heartbeat: Heartbeat | None = None) -> RDBStorage:
        storages.append(open_storage(url, heartbeat=heartbeat))
        return storages[-1]

    yield open_here
    for storage in storages:
        storage.engine.dispose()


@pytest.fixture
def storage(url: str, opened: Open) -> RDBStorage:
    return opened(url)


@pytest.fixture
def secret(postgresql_url: str) -> str:
    return str(make_url(postgresql_url).password)


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_worker() -> Iterator[Start]:
    """Start a file of workers/ with arguments; it has said its first line when this returns."""
    running: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(WORKERS / script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def run_together(start_worker: Start) -> Callable[..., list[str]]:
    """Run a file of workers/ in several processes that begin at once; gives what they print."""

    def run(script: str, processes: int, *arguments: object) -> list[str]:
        workers = [start_worker(script, *arguments, name) for name in range(processes)]
        for worker in workers:
            if worker.stdout is None or worker.stdout.readline() != "ready\n":
                pytest.fail(worker.communicate()[1])
        for worker in workers:
            if worker.stdin is not None:
                worker.stdin.write("go\n")
                worker.stdin.flush()
        printed = []
        for worker in workers:
            output, errors = worker.communicate(timeout=120)
            if worker.returncode:
                pytest.fail(errors)
            printed.append(output)
        return printed

    return run
