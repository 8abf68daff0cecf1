"""The dashboard in a real browser, and points queued from the command line."""

import shutil
import signal
import subprocess

import pytest

from storage.database import open_storage
from storage.errors import StorageError
from storage.studies import find_study, read_study
from tests.runs import wait_for


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


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_dashboard_and_watch_show_a_search_while_it_runs(
    database, request, tmp_path, write_study, start, chromium
):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    if database == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    path = write_study(tmp_path, trials=50, epochs=500, pruner="none")
    patient = path.read_text().replace("[training]", "[training]\npatience = 500")
    path.write_text(patient)  # so long that trials have pictures
    where = ("--storage", url, "--out", tmp_path / "runs")
    search = start("run", path, "--workers", "1", *where)
    best = wait_for(lambda: best_in(url), search)
    server = start("dashboard", "wave", "--port", "0", "--no-browse", *where)
    address = server.stdout.readline().split()[0]
    page = chromium.new_page()
    page.goto(address)
    page.wait_for_selector("text=/wave/")
    page.wait_for_selector(f"text={str(best.value)[:6]}")
    page.wait_for_selector("text=seasonal naive", state="attached")  # the figure of our own
    page.goto(f"{address}/note")
    page.wait_for_selector("text=Forecast the next 3 rows of level.")
    page.wait_for_selector("text=the test set is closed")
    page.wait_for_selector("text=/persistence 0/")
    page.goto(f"{address}/trials?numbers={best.number}")
    page.wait_for_selector("text=/Complete, ran all 500 epochs/")
    picture = page.wait_for_selector("img[src*='/artifacts/']")
    page.wait_for_function("picture => picture.naturalWidth > 300", arg=picture)
    page.close()
    watching = start("watch", "wave", *where)
    assert "of 50 trials are done already" in watching.stdout.readline()
    assert search.poll() is None


def best_in(url):
    """The best trial of a study that has one."""
    try:
        return read_study(open_storage(url), "wave").best
    except StorageError:
        return None  # the study has not begun


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
