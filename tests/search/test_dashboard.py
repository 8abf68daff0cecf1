"""The dashboard in a real browser, and points queued from the command line."""

import shutil
import signal
import subprocess

import pytest

from storage.database import open_storage
from storage.records import find_study, read_study


def test_the_dashboard_shows_a_study_and_its_best_value(finished, start, chromium):
    folder, _ = finished
    runs = folder / "runs"
    server = start("dashboard", "wave", "--out", runs, "--port", "0", "--no-browse")
    said = server.stdout.readline()
    address = said.split()[0]
    assert address.startswith("http://127.0.0.1:")
    page = chromium.new_page()
    page.goto(address)
    best = read_study(open_storage(f"sqlite:///{runs / 'studies.db'}"), "wave").best
    page.wait_for_selector("text=/wave/")
    page.wait_for_selector("text=/Best Trial/")
    page.wait_for_selector(f"text={str(best.value)[:6]}")
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=60)
    assert server.returncode == 130


def test_a_password_is_not_printed_where_the_database_does_not_answer(command):
    url = "postgresql://someone:very-secret@127.0.0.1:1/none"
    done = subprocess.run(
        [*command, "dashboard", "--storage", url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "very-secret" not in done.stdout + done.stderr


@pytest.fixture
def runs(finished, tmp_path):
    """A copy, since other tests count the trials of the finished study."""
    folder, _ = finished
    return shutil.copytree(folder / "runs", tmp_path / "runs")


@pytest.fixture
def enqueue(runs, command):
    def run(point: str) -> subprocess.CompletedProcess[str]:
        arguments = ["enqueue", "wave", point, "--out", str(runs)]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_a_queued_point_waits_for_the_next_worker(runs, enqueue):
    done = enqueue('{"units": 8}')
    assert done.returncode == 0, done.stderr
    study = find_study(open_storage(f"sqlite:///{runs / 'studies.db'}"), "wave")
    waiting = study.trials[-1]
    assert waiting.state.name == "WAITING"
    assert waiting.system_attrs["fixed_params"] == {"units": 8}


@pytest.mark.parametrize(
    ("point", "said"),
    [('{"units": 5}', "outside"), ('{"unit": 8}', "does not vary"), ("units=8", "not JSON")],
)
def test_a_point_that_cannot_be_is_refused_in_one_line(enqueue, point, said):
    done = enqueue(point)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
