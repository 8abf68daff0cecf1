"""Points that `run` is given to try first, of studies that begin and of those that go on."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from objectives.errors import InputError
from search.preparation import prepare
from search.searching import open_study
from search.study import make_study
from storage.database import open_storage


def opened(folder: Path, *points: dict[str, Any], trials: int = 4) -> optuna.Study:
    """The study as a run that is given these points opens it."""
    sections = {
        "data": {"targets": ["level"], "horizon": 3},
        "study": {"name": "wave", "trials": trials, "enqueue": points},
        "output": {"directory": str(folder)},
    }
    study = make_study(sections, "test")
    storage = open_storage(f"sqlite:///{folder / 'studies.db'}")
    return open_study(storage, study, prepare(study, pd.DataFrame({"level": np.arange(400.0)})))


def queued(study: optuna.Study) -> list[dict[str, Any]]:
    return [trial.system_attrs["fixed_params"] for trial in study.get_trials()]


def test_a_run_that_goes_on_queues_the_points_that_no_trial_has(tmp_path: Path) -> None:
    first = opened(tmp_path, {"units": 16})
    assert queued(first) == [{"units": 16}]
    first.ask()  # tried, or about to be
    assert queued(opened(tmp_path, {"units": 16}, {"units": 32})) == [{"units": 16}, {"units": 32}]
    assert len(queued(opened(tmp_path))) == 2


def test_a_kill_before_the_points_are_queued_does_not_lose_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "enqueue_trial", killed)
        with pytest.raises(SystemExit):
            opened(tmp_path, {"units": 16})
    assert queued(opened(tmp_path, {"units": 16})) == [{"units": 16}]


def test_points_for_which_a_study_has_no_trial_left_are_refused(tmp_path: Path) -> None:
    opened(tmp_path, {"units": 16}, {"units": 32}, trials=2)
    with pytest.raises(InputError, match="1 point to try, but study 'wave' has 2 of its 2 trials"):
        opened(tmp_path, {"units": 64}, trials=2)
    assert len(queued(opened(tmp_path, {"units": 64}, trials=3))) == 3
