"""What the refit starts from: the weights kept of the winner, or else the winner trained again."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from storage.artifacts import LOCATION, linked_artifacts
from storage.database import open_storage
from tests.runs import Finished


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Path:
    """A finished study that has lost the outcome of its refit; its study file."""
    folder = tmp_path / "copied"
    shutil.copytree(finished[0], folder)
    forget_refit(folder)
    return folder / "wave.toml"


def forget_refit(folder: Path) -> None:
    for name in ("forecasts.npz", "refit.json"):
        (folder / "runs" / "wave" / name).unlink()


def refitted(command: list[str], path: Path) -> tuple[dict[str, Any], str]:
    """The report of a run that only refits, and what it says on the way."""
    arguments = [*command, "run", str(path), "--out", str(path.parent / "runs"), "--workers", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads((path.parent / "runs" / "wave" / "report.json").read_text()), done.stderr


def weights_of_the_winner(path: Path) -> Path:
    storage = open_storage(f"sqlite:///{path.parent / 'runs' / 'studies.db'}")
    study = optuna.load_study(study_name="wave", storage=storage)
    (linked,) = linked_artifacts(study.best_trial.system_attrs)
    assert linked.filename == "weights.npz"
    assert Path(study.user_attrs[LOCATION]).name == "artifacts"
    return path.parent / "runs" / "artifacts" / linked.artifact_id


def test_the_weights_kept_of_the_winner_are_those_before_the_refit(
    finished: Finished, copied: Path, command: list[str]
) -> None:
    report = json.loads((finished[0] / "runs" / "wave" / "report.json").read_text())
    again, _ = refitted(command, copied)
    assert again["train_only"] == report["train_only"]
    forget_refit(copied.parent)
    kept = weights_of_the_winner(copied)
    with np.load(kept) as arrays:
        halved = [arrays[f"arr_{index}"] / 2 for index in range(len(arrays.files))]
    with kept.open("wb") as file:
        np.savez(file, *halved)
    spoilt, _ = refitted(command, copied)
    assert spoilt["train_only"] != report["train_only"]
    assert spoilt["test"] == report["test"]


def test_the_winner_is_trained_again_where_its_weights_are_gone(
    finished: Finished, copied: Path, command: list[str]
) -> None:
    report = json.loads((finished[0] / "runs" / "wave" / "report.json").read_text())
    weights_of_the_winner(copied).unlink()
    again, said = refitted(command, copied)
    assert again["train_only"] == report["train_only"]
    assert again["test"] == report["test"]
    assert "the weights of trial" in said
