"""A whole study with folds, members and quantiles, from its file to its report."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from objectives.errors import InputError
from search.running import run_study
from search.stored_forecasts import load_forecasts
from search.study import Study, make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study, run on a noisy day's wave."""
    study = Study(
        data={"targets": ["level"], "horizon": 2},
        split={"folds": 2, "window": "sliding"},
        space={"timesteps": 8, "units": 4, "depth": 1, "dropout": 0.0, "batch_size": 64},
        study={"name": "wave", "trials": 2, "workers": 1},
        training={"epochs": 2, "loss": "quantile", "quantiles": [0.2, 0.5, 0.8]},
        final={"members": 2, "updates": "same-epochs"},
        output={"directory": str(tmp_path_factory.mktemp("final"))},
    )
    noise = np.random.default_rng(0).normal(size=400)
    run_study(study, pd.DataFrame({"level": np.sin(np.arange(400) / 4) + 0.3 * noise}))
    return study


def report_of(study: Study) -> dict:
    return json.loads((study.directory / "report.json").read_text())


def test_the_report_tells_of_folds_members_and_quantiles(study: Study) -> None:
    report = report_of(study)
    values = report["facts"]["validation by fold"].split(";")[0].split(", ")
    assert np.mean([float(v) for v in values]) == pytest.approx(report["best"]["value"], rel=1e-4)
    assert "as many passes" in report["refit"]["rule"]
    assert "the mean of 2 seeds" in report["refit"]["rule"]
    assert report["refit"]["epochs"] in (1, 2)  # whole passes through train+validation
    assert report["facts"]["test values below each quantile"].startswith("0.2: ")


def test_stored_forecasts_are_those_of_the_saved_model(study: Study) -> None:
    stored = load_forecasts(study.directory)
    assert stored is not None
    assert stored.test_quantiles is not None
    np.testing.assert_array_equal(stored.test, stored.test_quantiles[..., 1])
    model = keras.saving.load_model(study.directory / "model.keras", compile=False, safe_mode=True)
    assert set(model.output) == {"forecast", "quantiles"}
    about = json.loads((study.directory / "model.json").read_text())
    assert about["output"]["quantiles"] == [0.2, 0.5, 0.8]
    assert model.get_layer("network_2").count_params() > 0


def test_hyperband_cannot_prune_folds() -> None:
    sections = {"data": {"targets": ["x"]}, "split": {"folds": 2}, "study": {"pruner": "hyperband"}}
    with pytest.raises(InputError, match="hyperband cannot tell folds apart"):
        make_study(sections, "study.toml")


def test_final_settings_are_part_of_a_studys_identity(study: Study) -> None:
    other = study.model_copy(update={"final": study.final.model_copy(update={"members": 3})})
    assert other.identity() != study.identity()
