"""Trials trained again: the same curves to the last bit, or what differs and why."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from objectives.errors import InputError
from search.commands.reproduce import Sought, execute
from search.joining import Place
from storage.database import open_storage
from storage.studies import find_study
from tests.runs import stored

pytestmark = pytest.mark.usefixtures("processes")

RUNS = "wave/confirmation"


@pytest.fixture(scope="module")
def searched(confirmed: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a study whose winner was confirmed, in which the database may be changed."""
    folder = tmp_path_factory.mktemp("reproduced")
    shutil.copytree(confirmed[0], folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def reproduce(searched: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Call the command in this process: its exit code and what it prints."""

    def call(trial: int, run: int | None = None) -> tuple[int, str]:
        data, out = searched / "wave.csv", searched / "runs"
        code = execute(Sought("wave", trial, run), Place(data, out), None, as_json=False)
        return code, capsys.readouterr().out

    return call


def add_trial(folder: Path, like: int, **changes: Any) -> int:
    """Store a trial that differs in attributes from another one, as if it had been trained."""
    study = find_study(open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}"), "wave")
    trial = study.get_trials()[like]
    epochs = changes.get("epochs", trial.user_attrs["epochs"])
    kept = {step: value for step, value in trial.intermediate_values.items() if step <= epochs}
    pruned = epochs < len(trial.intermediate_values)
    study.add_trial(
        optuna.trial.create_trial(
            state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
            value=trial.value,
            params=trial.params,
            distributions=trial.distributions,
            intermediate_values=kept,
            user_attrs={**trial.user_attrs, **changes},
        )
    )
    return len(study.get_trials()) - 1


def test_a_pruned_trial_and_a_confirmation_run_come_out_the_same(searched, reproduce) -> None:
    curves = stored(searched).trials[0].attributes["curves"]
    first = {name: curve[:1] for name, curve in curves.items()}
    code, said = reproduce(add_trial(searched, 0, epochs=1, curves=first))
    assert (code, said.split("trained again: ")[1]) == (0, "all 1 epoch equal\n")
    run = stored(searched, RUNS).trials[-1].attributes
    code, said = reproduce(run["confirms"], run["run"] + 1)
    assert (code, said.split("trained again: ")[1]) == (0, "all 2 epochs equal\n")
    assert said.startswith(f"confirmation run {run['run'] + 1} of trial {run['confirms']} of study")


def test_the_command_gives_json_to_scripts(searched: Path, command: list[str]) -> None:
    arguments = ["reproduce", "wave", "--trial", "2", "--out", str(searched / "runs"), "--json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "study": "wave", "trial": 2, "run": None, "epochs": 2, "equal": 2, "difference": 0.0,
        "changed": {}, "same": True,
    }  # fmt: skip


def test_a_difference_is_an_error_unless_versions_explain_it(searched, reproduce) -> None:
    attributes = stored(searched).trials[1].attributes
    curves = attributes["curves"]
    loss = [curves["loss"][0], curves["loss"][1] * 1.0001]
    code, said = reproduce(add_trial(searched, 1, curves={**curves, "loss": loss}))
    assert code == 1
    assert "1 of 2 epochs equal; mse differs by 0 at most" in said
    assert "versions and hardware are the same" in said
    older = {**attributes["environment"], "keras": "2.0.0"}
    code, said = reproduce(add_trial(searched, 1, environment=older, seed=1))
    assert code == 0
    assert "0 of 2 epochs equal; mse differs by 0.0" in said
    assert "keras: 2.0.0 then, 3." in said


def test_what_has_no_curve_to_its_end_is_refused(searched, reproduce) -> None:
    study = find_study(open_storage(f"sqlite:///{searched / 'runs' / 'studies.db'}"), "wave")
    study.enqueue_trial({})
    waiting = len(study.get_trials()) - 1
    for sought, reason in (
        ((waiting,), "is waiting; only trials that are complete or pruned"),
        ((99,), f"no trial 99 of study 'wave': it has {waiting + 1} trials"),
        ((0, 9), "no confirmation run 9 of trial 0 of study 'wave'"),
    ):
        with pytest.raises(InputError, match=reason):
            reproduce(*sought)
