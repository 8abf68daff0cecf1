"""`lstm-search doctor`: on a machine that is well, and on ones that lack something."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import psutil
import pytest
from sqlalchemy import make_url, text

from objectives.trials.trial_process import TrialFailedError
from search.doctor.diagnose import _connections, _database
from search.doctor.machine import _gpu, _memory
from search.doctor.memory import Memory, memory_here
from search.doctor.software import import_for_trials
from search.doctor.trial_findings import _steps
from search.doctor.trial_speed import TYPICAL, TrialSpeed, measure_trial
from storage.database import open_storage

GIGABYTE = 10**9
PATIENCE = 180  # seconds
CLOSED = "postgresql://someone:hidden-word@127.0.0.1:1/none"
BROKEN_TENSORFLOW = """
try:
    raise ImportError("no libfirst.so.1")
except ImportError as error:  # as TensorFlow does, with the cause first and a long way below
    raise ImportError("Failed to load the runtime.\\nIf you need help, create an issue.") from error
"""
NAMES = {
    "software": ["packages", "extras", "import"],
    "machine": ["cores", "load", "memory", "processor", "GPU"],
    "database": ["access", "writes"],
    "results": ["folder"],
    "trial": ["start", "preparation", "steps", "search"],
}


def doctor(
    command: list[str], *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, "doctor", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**_environment(), **environment},
    )


def _environment() -> dict[str, str]:
    ours = ("LSTM_SEARCH_STORAGE", "COLUMNS")
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory, command: list[str]) -> tuple[Path, Any]:
    """The current folder, below which results would go, and what the doctor finds on this machine."""
    folder = tmp_path_factory.mktemp("well")
    with contextlib.chdir(folder):
        done = doctor(command, "--json", "--out", "results/runs")
    assert (done.returncode, done.stderr) == (0, "")
    return folder, json.loads(done.stdout)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that come before the real ones: TensorFlow that fails, others too old."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text(BROKEN_TENSORFLOW)
    for name in ("optuna", "cmaes"):
        about = folder / f"{name}-0.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    return folder


@pytest.fixture(scope="module")
def ill(
    tmp_path_factory: pytest.TempPathFactory, command: list[str], broken: Path
) -> subprocess.CompletedProcess[str]:
    """What the doctor says where nothing works."""
    file = tmp_path_factory.mktemp("ill") / "file"
    file.write_text("not a folder")
    return doctor(
        command,
        "--out",
        file / "runs",
        PYTHONPATH=str(broken),
        LSTM_SEARCH_STORAGE=CLOSED,
        LOKY_MAX_CPU_COUNT="1",
    )


def found(well: tuple[Path, Any], name: str) -> Any:
    return next(finding for finding in well[1]["findings"] if finding["name"] == name)


def line(output: str, name: str) -> str:
    """A finding of the printed report, with its advice."""
    match = re.search(rf"^  \w+ +{name} .*(\n +→ .*)?$", output, re.MULTILINE)
    assert match, output
    return re.sub(r"\s+", " ", match[0]).strip()


def test_the_command_explains_itself(command: list[str]) -> None:
    assert "Example" in doctor(command, "--help").stdout


def test_a_machine_that_is_well_has_every_finding_and_its_figures(well: tuple[Path, Any]) -> None:
    assert well[1]["searches_can_run"] is True
    sections: dict[str, list[str]] = {}
    for finding in well[1]["findings"]:
        sections.setdefault(finding["section"], []).append(finding["name"])
        assert set(finding) == {"section", "name", "mark", "text", "advice", "stops", "figures"}
        assert finding["mark"] in ("fine", "slow", "missing")
        assert bool(finding["advice"]) == (finding["mark"] != "fine")
        assert not finding["stops"]
    assert sections == NAMES
    assert found(well, "cores")["figures"]["usable"] == joblib.cpu_count()
    assert found(well, "memory")["figures"]["total_bytes"] <= psutil.virtual_memory().total
    assert found(well, "folder")["figures"]["bytes_a_second"] > 0
    assert "sqlite" in found(well, "access")["figures"]["server"]


def test_a_real_trial_is_timed(well: tuple[Path, Any]) -> None:
    start, steps = found(well, "start")["figures"], found(well, "steps")["figures"]
    assert start["start_seconds"] > 0
    assert start["first_start_seconds"] > 0
    updates_a_second = 1000 / steps["update_milliseconds"]
    # All batches are full but the last of an epoch.
    assert 0.9 * 64 < steps["windows_a_second"] / updates_a_second <= 64.1
    forward = 2 * 4 * 64 * (7 + 64) * 48  # of a window: 64 units, 7 columns, 48 rows
    assert steps["gflops"] == pytest.approx(3e-9 * forward * steps["windows_a_second"], rel=0.02)
    assert found(well, "preparation")["figures"]["trace_seconds"] > 0
    example = found(well, "search")["figures"]["example_trial_seconds"]
    assert example > 300_000 / steps["windows_a_second"]


def test_looking_leaves_nothing_behind(well: tuple[Path, Any]) -> None:
    assert not list(well[0].iterdir())


def test_everything_that_stops_a_search_is_said_with_what_to_do(
    ill: subprocess.CompletedProcess[str],
) -> None:
    assert (ill.returncode, ill.stderr) == (1, "")
    imported = line(ill.stdout, "import")
    assert "missing" in imported
    assert "ImportError: no libfirst.so.1" in imported
    assert "pip install --force-reinstall tensorflow" in imported
    access = line(ill.stdout, "access")
    assert "127.0.0.1" in access
    assert "--storage (this one is from $LSTM_SEARCH_STORAGE)" in access
    folder = line(ill.stdout, "folder")
    assert "cannot write to" in folder
    assert "--out" in folder
    assert "TensorFlow cannot be imported" in line(ill.stdout, "trial")
    assert ill.stdout.splitlines()[-1] == (
        "A search would fail here (software: import, database: access, results: folder, trial: trial)."
    )
    assert "Traceback" not in ill.stdout


def test_no_password_is_printed(ill: subprocess.CompletedProcess[str]) -> None:
    assert "hidden-word" not in ill.stdout + ill.stderr
    assert "hidden-word" not in str(list(_database(CLOSED, "given", workers=1)))


def test_packages_that_are_too_old_are_named_with_the_line_that_gets_them(
    ill: subprocess.CompletedProcess[str],
) -> None:
    packages = line(ill.stdout, "packages")
    assert "missing" in packages
    assert "optuna 0.1" in packages
    assert re.search(r"→ pip install 'optuna>=[\d.]+'$", packages)
    extras = line(ill.stdout, "extras")
    assert "without cmaes" in extras
    assert re.search(r"pip install 'lstm-search\[cmaes", extras)


def test_fewer_cores_are_noticed(ill: subprocess.CompletedProcess[str]) -> None:
    cores = line(ill.stdout, "cores")
    assert f"1 of {os.cpu_count()} usable" in cores
    assert "slow" in cores


def test_every_line_fits_into_a_terminal(command: list[str], broken: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    with subprocess.Popen(
        [*command, "doctor", "--out", str(tmp_path / "runs"), "--storage", CLOSED],
        stdout=theirs,
        stderr=theirs,
        env={**_environment(), "PYTHONPATH": str(broken), "TERM": "xterm"},
    ):
        os.close(theirs)
        output = b"".join(_read(ours)).decode()
    os.close(ours)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output).replace("\r", "\n")
    assert "→" in plain
    assert "Software\n" in plain
    assert max(len(each) for each in plain.splitlines()) <= 80


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            return
        if not piece:
            return
        yield piece


def test_tables_of_another_optuna_are_found_without_importing_tensorflow(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    storage = open_storage(url)
    older = next(v for v in storage.get_all_versions() if v != storage.get_head_version())
    with storage.engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{older}'"))
    storage.engine.dispose()
    program = (
        "import sys, atexit; from search.cli import main; "
        "atexit.register(lambda: print('tensorflow' in sys.modules, file=sys.stderr)); main()"
    )
    done = doctor([sys.executable, "-c", program], "--out", tmp_path, "--storage", url)
    assert (done.returncode, done.stderr) == (1, "False\n")
    assert "storage upgrade" in line(done.stdout, "tables")
    assert "GFLOP/s" in line(done.stdout, "steps")
    assert done.stdout.endswith("A search would fail here (database: tables).\n")


def test_a_processor_that_tensorflow_was_not_built_for_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    illegal = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    (tmp_path / "tensorflow.py").write_text(illegal)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "SIGILL: the processor lacks" in str(import_for_trials().failure)


def test_a_trial_that_fails_gives_its_reason() -> None:
    with pytest.raises(TrialFailedError, match=r"^diverged: "):
        measure_trial(replace(TYPICAL, learning_rate=1e38), gpus=0)


def test_a_slow_machine_is_told_so() -> None:
    fast = TrialSpeed(3.0, 0.02, 0.5, 0.3, 2.0, 64 * 500, 500, 500.0)
    assert _steps(fast).mark == "fine"
    assert "16,000 windows a second" in _steps(fast).text
    assert "4.0 ms" in _steps(fast).text
    assert _steps(replace(fast, steps=20.0)).mark == "slow"


@pytest.mark.parametrize(
    ("limit", "usage", "cache", "place"),
    [
        ("memory.max", "memory.current", "inactive_file", "0::/slice/here"),
        (
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
            "4:memory:/slice/here",
        ),
    ],
)
def test_memory_is_what_a_container_allows(
    tmp_path: Path, limit: str, usage: str, cache: str, place: str
) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text(f"9:pids:/elsewhere\n{place}\n")
    machine = memory_here(membership, tmp_path)
    assert machine.total == psutil.virtual_memory().total
    group = tmp_path / ("memory" if "memory:" in place else "") / "slice"
    (group / "here").mkdir(parents=True)
    for folder, most in ((group, str(64 * 2**20)), (group / "here", "max")):
        (folder / limit).write_text(f"{most}\n")
        (folder / usage).write_text(f"{50 * 2**20}\n")
        (folder / "memory.stat").write_text(f"anon 1\n{cache} {6 * 2**20}\n")
    assert memory_here(membership, tmp_path) == Memory(64 * 2**20, 20 * 2**20)


@pytest.mark.parametrize(
    ("free", "mark", "words"),
    [
        (1.0, "missing", "not enough for one worker"),
        (2.0, "slow", "--workers 2"),
        (4.0, "fine", "enough for 5 workers"),
    ],
)
def test_memory_says_for_how_many_workers_it_suffices(free: float, mark: str, words: str) -> None:
    finding = _memory(Memory(8 * GIGABYTE, int(free * GIGABYTE)), wanted=4)
    assert finding.mark == mark
    assert words in finding.text + finding.advice


def test_a_gpu_that_tensorflow_does_not_see_is_told() -> None:
    assert _gpu(0, driver=False).mark == "fine"
    assert _gpu(2, driver=True).mark == "fine"
    unseen = _gpu(0, driver=True)
    assert unseen.mark == "slow"
    assert "tensorflow[and-cuda]" in unseen.advice


def test_a_server_s_connections_are_counted(postgresql_url: str) -> None:
    findings = {each.name: each for each in _database(postgresql_url, "given", workers=2)}
    assert str(make_url(postgresql_url).password) not in str(findings)
    assert findings["access"].mark == "fine"
    assert findings["connections"].figures["most_workers"] in range(40, 51)
    assert _connections(1, wanted=2).mark == "slow"
    assert _connections(0, wanted=2).stops
