"""A SQLite file and a real PostgreSQL database for every test, and workers in real processes."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from sqlalchemy import URL, create_engine, make_url, text

from storage.database import Heartbeat, open_storage

ROOT = Path(__file__).parents[2]
WORKERS = Path(__file__).parent / "workers"


@dataclass(frozen=True)
class Server:
    url: URL

    def emptied(self) -> str:
        """Give the URL of the one database, without tables or other people's connections."""
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for statement in (
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()",
                "DROP SCHEMA public CASCADE",
                "CREATE SCHEMA public",
            ):
                connection.execute(text(statement))
        engine.dispose()
        return self.url.set(drivername="postgresql").render_as_string(False)


@pytest.fixture(scope="session")
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql(free_port: int) -> Iterator[Server]:
    pytest.importorskip("psycopg")
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("no PostgreSQL below /usr/lib/postgresql")
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="lstm-search-postgresql-"))
    password = secrets.token_hex(8)
    (folder / "password").write_text(password)
    for path in (folder, folder / "password"):
        os.chown(path, account.pw_uid, account.pw_gid)

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries[-1].parent / program), "-D", str(folder / "data"), *arguments]
        done = subprocess.run(
            command,
            user=account.pw_uid if os.geteuid() == 0 else None,
            group=account.pw_gid if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
            cwd=folder,
            stdout=subprocess.DEVNULL,  # the server inherits it: a pipe would never end
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{' '.join(command)} gave {done.returncode}")

    options = f"-h 127.0.0.1 -p {free_port} -k {folder} -c fsync=off -c shared_buffers=32MB"
    account_options = ("-U", "tester", "-A", "scram-sha-256", f"--pwfile={folder}/password")
    run("initdb", "-E", "UTF8", "--no-sync", *account_options)
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield Server(
            URL.create("postgresql+psycopg", "tester", password, "127.0.0.1", free_port, "postgres")
        )
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root and there is no other account")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/studies.db"


@pytest.fixture
def postgresql_url(postgresql: Server) -> str:
    return postgresql.emptied()


@pytest.fixture(params=["sqlite", "postgresql"])
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
