"""Searches on a cluster: a real Dask cluster and a real Ray one, through joblib."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from search.cli import app
from search.study import STORAGE_VARIABLE
from storage.database import open_storage
from storage.studies import read_study
from tests.runs import PATIENCE, Finished, outcomes, stored, training_in, wait_for

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def dask_scheduler() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[str]:
    ray = pytest.importorskip("ray")
    context: Any = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(params=["dask", "ray"])
def engine(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The options that name an engine and its address."""
    name = request.param
    address = request.getfixturevalue({"dask": "dask_scheduler", "ray": "ray_cluster"}[name])
    return ("--backend", name, "--scheduler", address, "--workers", "1")


def test_a_search_on_a_cluster_is_the_one_on_this_machine(
    engine: tuple[str, ...],
    finished: Finished,
    tmp_path: Path,
    write_study: Write,
    postgresql_url: str,
    start: Start,
) -> None:
    path = write_study(tmp_path, trials=6)
    environment = {STORAGE_VARIABLE: postgresql_url}
    process = start("run", path, "--out", tmp_path / "runs", *engine, env=environment)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    record = read_study(open_storage(postgresql_url), "wave")
    assert outcomes(record) == outcomes(stored(finished[0]))
    assert (tmp_path / "runs" / "wave" / "model.keras").exists()


def test_ctrl_c_ends_the_workers_on_the_nodes(
    dask_scheduler: str,
    tmp_path: Path,
    write_study: Write,
    postgresql_url: str,
    start: Start,
) -> None:
    path = write_study(tmp_path, trials=6, epochs=500, pruner="none")  # not soon over
    options = ("--out", tmp_path / "runs", "--workers", "1")
    engine = ("--backend", "dask", "--scheduler", dask_scheduler)
    environment = {STORAGE_VARIABLE: postgresql_url}
    process = start("run", path, *options, *engine, env=environment)
    wait_for(lambda: training_in(postgresql_url), process)
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    record = read_study(open_storage(postgresql_url), "wave")
    assert (record.count("running"), record.count("waiting")) == (0, 1)  # to be gone on with


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backend", "dask"), "--backend dask needs the address of its scheduler"),
        (("--backend", "dask", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
        (("--backend", "spark"), "backend"),
    ],
)
def test_an_engine_that_is_not_there_is_one_line(
    options: tuple[str, ...], said: str, tmp_path: Path, write_study: Write
) -> None:
    run = ("run", str(write_study(tmp_path)), "--out", str(tmp_path / "runs"))
    done = CliRunner().invoke(app, [*run, *options])
    assert done.exit_code == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
