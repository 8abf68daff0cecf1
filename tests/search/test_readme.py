"""The README's files for clusters, as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from storage.database import open_storage
from storage.studies import read_study
from tests.runs import PATIENCE, Finished, outcomes, stored

ROOT = Path(__file__).parents[2]
Write = Callable[..., Path]


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(found)


@pytest.fixture
def folder(tmp_path: Path, write_study: Write) -> Path:
    """A folder with the files that the README's call power.toml and power.csv."""
    path = write_study(tmp_path, trials=6)
    text = path.read_text().replace("wave.csv", "power.csv")
    (tmp_path / "power.toml").write_text(text)
    shutil.move(tmp_path / "wave.csv", tmp_path / "power.csv")
    return tmp_path


def run_together(
    scripts: list[str], folder: Path, environments: list[dict[str, str]]
) -> list[tuple[int, str]]:
    """Run shell scripts at the same time; gives their exit codes and what they printed as errors."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    running = [
        subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": path, **environment},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for script, environment in zip(scripts, environments, strict=True)
    ]
    try:
        errors = [process.communicate(timeout=PATIENCE)[1] for process in running]
    finally:
        for process in running:
            process.terminate()
    return [(process.returncode, said) for process, said in zip(running, errors, strict=True)]


def test_the_tasks_of_the_slurm_job_share_one_search(
    folder: Path, finished: Finished, postgresql_url: str
) -> None:
    (folder / "storage.url").write_text(postgresql_url + "\n")
    tasks = [{"SLURM_ARRAY_TASK_ID": str(number)} for number in (1, 0)]
    ended = run_together([block("bash")] * 2, folder, tasks)
    assert [code for code, _ in ended] == [0, 0], ended
    record = read_study(open_storage(postgresql_url), "power")
    assert len(outcomes(record)) == 6
    assert {trial.state for trial in record.trials} <= {"complete", "pruned"}
    assert [trial.params for trial in record.trials] == [
        trial.params for trial in stored(finished[0]).trials
    ]
    assert (folder / "runs" / "power" / "model.keras").exists()


def test_the_pods_of_the_kubernetes_job_do_the_same(folder: Path, postgresql_url: str) -> None:
    job: dict[str, Any] = yaml.safe_load(block("yaml"))
    assert job["kind"] == "Job"
    assert job["spec"]["completions"] == job["spec"]["parallelism"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["sh", "-c"]
    (script,) = container["args"]
    script = script.replace("s3://bucket/power", "artifacts")  # no bucket here
    pods = [
        {"JOB_COMPLETION_INDEX": str(number), container["env"][0]["name"]: postgresql_url}
        for number in (1, 0)
    ]
    ended = run_together([script] * 2, folder, pods)
    assert [code for code, _ in ended] == [0, 0], ended
    assert len(outcomes(read_study(open_storage(postgresql_url), "power"))) == 6
