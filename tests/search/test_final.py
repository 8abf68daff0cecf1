"""A whole study with folds, members and quantiles, from its file to its report."""

import json
import re

import keras
import numpy as np
import pytest

from objectives.errors import InputError
from search.reporting.stored_forecasts import load_forecasts
from search.study import Study, make_study


def report_of(rich_study: Study) -> dict:
    return json.loads((rich_study.directory / "report.json").read_text())


def test_the_report_tells_of_folds_members_and_quantiles(rich_study: Study) -> None:
    report = report_of(rich_study)
    values = report["facts"]["validation by fold"].split(";")[0].split(", ")
    assert np.mean([float(v) for v in values]) == pytest.approx(report["best"]["value"], rel=1e-4)
    assert "as many passes" in report["refit"]["rule"]
    assert re.search(
        r"the mean of 2 networks, of the trials (0 and 1|1 and 0)", report["refit"]["rule"]
    )
    assert report["refit"]["epochs"] in (1, 2)  # whole passes through train+validation
    assert report["facts"]["test values below each quantile"].startswith("0.2: ")


def test_stored_forecasts_are_those_of_the_saved_model(rich_study: Study) -> None:
    stored = load_forecasts(rich_study.directory)
    assert stored is not None
    assert stored.test_quantiles is not None
    np.testing.assert_array_equal(stored.test, stored.test_quantiles[..., 1])
    model = keras.saving.load_model(
        rich_study.directory / "model.keras", compile=False, safe_mode=True
    )
    assert set(model.output) == {"forecast", "quantiles"}
    about = json.loads((rich_study.directory / "model.json").read_text())
    assert about["output"]["quantiles"] == [0.2, 0.5, 0.8]
    seen = [model.get_layer(f"network_{number}").input_shape[1] for number in (1, 2)]
    assert sorted(seen) == [6, 8]
    assert [member["timesteps"] for member in about["members"]] == seen
    assert sorted(member["trial"] for member in about["members"]) == [0, 1]
    assert model.input_shape[1] == about["input"]["shape"][1] == 8
    report = report_of(rich_study)
    (opening,) = report["ledger"]["openings"]
    assert opening["seeds"] == [member["seed"] for member in about["members"]]
    assert opening["seeds"][0] == about["seed"]
    assert report["ledger"]["other_winners"] == []
    assert all(check["passed"] for check in report["audit"]), report["audit"]


def test_hyperband_cannot_prune_folds() -> None:
    sections = {"data": {"targets": ["x"]}, "split": {"folds": 2}, "study": {"pruner": "hyperband"}}
    with pytest.raises(InputError, match="hyperband cannot tell folds apart"):
        make_study(sections, "study.toml")


def test_final_settings_are_part_of_a_studys_identity(rich_study: Study) -> None:
    other = rich_study.model_copy(
        update={"final": rich_study.final.model_copy(update={"members": 3})}
    )
    assert other.identity() != rich_study.identity()
