"""What killed processes have left half written is removed, and what is being written is not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search.abandoned import remove_abandoned

KILLED = """
import os, signal, sys
from pathlib import Path
from reports.files import atomically
with atomically(Path(sys.argv[1])) as path:
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study's folder with a report, another of which a killed process has written the half."""
    folder = tmp_path / "runs" / "wave"
    (folder / "figures").mkdir(parents=True)
    (folder.parent / "artifacts").mkdir()
    report = folder / "report.json"
    report.write_text("whole")
    subprocess.run([sys.executable, "-c", KILLED, report], check=False)
    return folder


def remove(study: Path) -> list[str]:
    runs = study.parent
    remove_abandoned(study, str(runs / "artifacts"))
    return sorted(path.name for path in runs.rglob("*") if path.is_file())


def test_a_file_that_may_still_be_written_stays(study: Path) -> None:
    assert len(remove(study)) == 2


def test_what_was_abandoned_is_removed_and_nothing_else(study: Path) -> None:
    artifacts = study.parent / "artifacts"
    (artifacts / "unfinished_5c6198d5").touch()
    (artifacts / "5c6198d5-65c7-4ec8-87dd-b029f8b5b9d9").touch()
    (study / "stop_4711").touch()
    (study / "figures" / ".forecasts.0123456789ab.png").touch()
    (study / ".refitting").touch()
    yesterday = time.time() - 86_400
    for path in study.parent.rglob("*"):
        os.utime(path, (yesterday, yesterday))
    assert remove(study) == [".refitting", "5c6198d5-65c7-4ec8-87dd-b029f8b5b9d9", "report.json"]
