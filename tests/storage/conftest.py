"""A SQLite file, a real PostgreSQL and a real MariaDB for every test, and workers in real processes."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import RDBStorage
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from storage.database import Heartbeat, open_storage

ROOT = Path(__file__).parents[2]
WORKERS = Path(__file__).parent / "workers"


@dataclass(frozen=True)
class Server:
    url: URL

    def emptied(self) -> str:
        """Give the URL of the one database, without tables or other people's connections."""
        engine = create_engine(self.url)
        empty = (
            _empty_postgresql if self.url.drivername.startswith("postgresql") else _empty_mariadb
        )
        with engine.begin() as connection:
            empty(connection)
        engine.dispose()
        return self.url.set(drivername=self.url.get_backend_name()).render_as_string(False)


def _empty_postgresql(connection: Connection) -> None:
    for statement in (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()",
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
    ):
        connection.execute(text(statement))


def _empty_mariadb(connection: Connection) -> None:
    others = (
        "SELECT id FROM information_schema.processlist"
        " WHERE id <> connection_id() AND user = 'tester'"
    )
    for (number,) in connection.execute(text(others)).all():
        with suppress(OperationalError):  # it has just gone by itself
            connection.execute(text(f"KILL {number}"))
    for statement in ("DROP DATABASE studies", "CREATE DATABASE studies"):
        connection.execute(text(statement))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    port = free_port()
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("no PostgreSQL below /usr/lib/postgresql")
    account = _account("postgres")
    folder = Path(tempfile.mkdtemp(prefix="lstm-search-postgresql-"))
    password = secrets.token_hex(8)
    (folder / "password").write_text(password)
    for path in (folder, folder / "password"):
        os.chown(path, account.pw_uid, account.pw_gid)

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries[-1].parent / program), "-D", str(folder / "data"), *arguments]
        done = subprocess.run(
            command,
            **_running_as(account),
            cwd=folder,
            stdout=subprocess.DEVNULL,  # the server inherits it: a pipe would never end
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{' '.join(command)} gave {done.returncode}")

    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c shared_buffers=32MB"
    account_options = ("-U", "tester", "-A", "scram-sha-256", f"--pwfile={folder}/password")
    run("initdb", "-E", "UTF8", "--no-sync", *account_options)
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield Server(
            URL.create("postgresql+psycopg", "tester", password, "127.0.0.1", port, "postgres")
        )
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    pytest.importorskip("pymysql")
    installer, server = shutil.which("mariadb-install-db"), shutil.which("mariadbd")
    server = server or shutil.which("mariadbd", path="/usr/sbin")
    if installer is None or server is None:
        pytest.skip("no MariaDB server (Debian: apt-get install mariadb-server)")
    port, account = free_port(), _account("mysql")
    folder = Path(tempfile.mkdtemp(prefix="lstm-search-mariadb-"))
    password = secrets.token_hex(8)
    (folder / "first.sql").write_text(
        "CREATE DATABASE studies;\n"
        f"CREATE USER tester@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO tester@'127.0.0.1';\n"
    )
    for path in (folder, folder / "first.sql"):
        os.chown(path, account.pw_uid, account.pw_gid)
    common = ["--no-defaults", f"--datadir={folder}/data"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **_running_as(account)}
    subprocess.run([installer, *common, "--skip-test-db"], cwd=folder, check=True, **quiet)
    place = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket"]
    more = [f"--init-file={folder}/first.sql", f"--pid-file={folder}/pid", "--skip-name-resolve"]
    process = subprocess.Popen([server, *common, *place, *more], cwd=folder, **quiet)
    found = Server(URL.create("mariadb+pymysql", "tester", password, "127.0.0.1", port, "studies"))
    try:
        _wait_for(found, process)
        yield found
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _wait_for(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            create_engine(server.url).connect().close()
            return
        except OperationalError:
            time.sleep(0.05)
    pytest.fail("MariaDB did not start")


def _running_as(account: pwd.struct_passwd) -> dict[str, Any]:
    """What makes `subprocess` run a server as another user where we are root."""
    if os.geteuid() != 0:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _account(wanted: str) -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in (wanted, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("database servers do not run as root and there is no other account")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/studies.db"


@pytest.fixture
def postgresql_url(postgresql: Server) -> str:
    return postgresql.emptied()


@pytest.fixture
def mariadb_url(mariadb: Server) -> str:
    return mariadb.emptied()


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
