"""Real database servers for tests and benchmarks, each in a temporary folder on a free port."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import OperationalError

USER = "tester"


class NoServerError(RuntimeError):
    """This machine cannot run such a server; the message says what it lacks."""


@dataclass(frozen=True)
class Server:
    """A running server; `stop` ends it at once, as a crash would, and `start` brings it back."""

    url: URL
    stop: Callable[[], None]
    start: Callable[[], None]

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


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """Run a PostgreSQL until the block ends; what it commits is not safe from a power cut.

    Raises:
        NoServerError: there is none on this machine, or no account to run it as.
        RuntimeError: it does not start.
    """
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        raise NoServerError("no PostgreSQL below /usr/lib/postgresql")
    port, account = free_port(), _account("postgres")
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
            raise RuntimeError(f"{' '.join(command)} gave {done.returncode}")

    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c shared_buffers=32MB"
    account_options = ("-U", USER, "-A", "scram-sha-256", f"--pwfile={folder}/password")
    run("initdb", "-E", "UTF8", "--no-sync", *account_options)

    def start() -> None:
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")

    def stop() -> None:
        run("pg_ctl", "-w", "-m", "immediate", "stop")

    start()
    try:
        url = URL.create("postgresql+psycopg", USER, password, "127.0.0.1", port, "postgres")
        yield Server(url, stop, start)
    finally:
        stop()
        shutil.rmtree(folder)


@contextmanager
def mariadb_server() -> Iterator[Server]:
    """Run a MariaDB until the block ends.

    Raises:
        NoServerError: there is none on this machine, or no account to run it as.
        RuntimeError: it does not start.
    """
    installer, server = shutil.which("mariadb-install-db"), shutil.which("mariadbd")
    server = server or shutil.which("mariadbd", path="/usr/sbin")
    if installer is None or server is None:
        raise NoServerError("no MariaDB server (Debian: apt-get install mariadb-server)")
    port, account = free_port(), _account("mysql")
    folder = Path(tempfile.mkdtemp(prefix="lstm-search-mariadb-"))
    password = secrets.token_hex(8)
    (folder / "first.sql").write_text(
        "CREATE DATABASE IF NOT EXISTS studies;\n"
        f"CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO {USER}@'127.0.0.1';\n"
    )
    for path in (folder, folder / "first.sql"):
        os.chown(path, account.pw_uid, account.pw_gid)
    common = ["--no-defaults", f"--datadir={folder}/data"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **_running_as(account)}
    subprocess.run([installer, *common, "--skip-test-db"], cwd=folder, check=True, **quiet)
    place = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket"]
    more = [f"--init-file={folder}/first.sql", f"--pid-file={folder}/pid", "--skip-name-resolve"]
    url = URL.create("mariadb+pymysql", USER, password, "127.0.0.1", port, "studies")
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        running.append(subprocess.Popen([server, *common, *place, *more], cwd=folder, **quiet))
        _wait_for(url, running[-1])

    def stop() -> None:
        running[-1].kill()
        running[-1].wait()

    try:
        start()
        yield Server(url, stop, start)
    finally:
        stop()
        shutil.rmtree(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        f" WHERE id <> connection_id() AND user = '{USER}'"
    )
    for (number,) in connection.execute(text(others)).all():
        with suppress(OperationalError):  # it has just gone by itself
            connection.execute(text(f"KILL {number}"))
    for statement in ("DROP DATABASE studies", "CREATE DATABASE studies"):
        connection.execute(text(statement))


def _wait_for(url: URL, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            create_engine(url).connect().close()
            return
        except OperationalError:
            time.sleep(0.05)
    raise RuntimeError("MariaDB did not start")


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
    raise NoServerError("database servers do not run as root and there is no other account")
