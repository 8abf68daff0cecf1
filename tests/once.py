"""Studies that are run once for all processes of a test run."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs import Finished


def run_once(
    factory: pytest.TempPathFactory,
    name: str,
    prepare: Callable[[Path], object],
    *arguments: str,
) -> Finished:
    """Give this process a copy of a study's folder, and what the command line printed there.

    The first process that asks has `prepare` fill a folder and runs the command in it with these
    arguments; the others wait. Nobody works in that folder afterwards.
    """
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # that of all processes
    original, said = place / f"{name}_once", place / f"{name}_once.json"
    with (place / f"{name}_once.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            original.mkdir(exist_ok=True)
            prepare(original)
            said.write_text(json.dumps(_printed(original, arguments)))
    folder = factory.mktemp(name)
    shutil.copytree(original, folder, dirs_exist_ok=True)
    return folder, subprocess.CompletedProcess(arguments, 0, *json.loads(said.read_text()))


def _printed(folder: Path, arguments: tuple[str, ...]) -> tuple[str, str]:
    command = [str(Path(sys.executable).with_name("lstm-search")), *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr
