"""The note of a study, and the figures that go with it."""

import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import optuna
import pytest
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from plotly.io import from_json

from objectives.search_space.space import SearchSpace
from objectives.settings import DataSettings, SplitSettings
from search.preparation import prepare
from search.reporting.naive import naive_forecasts, naive_scores
from search.stored_identity import NAIVE
from search.study import Study
from search.watching.dashboard_figures import progress_figure
from search.watching.study_facts import Facts
from search.watching.study_note import MARK, note_in_words
from storage.database import open_storage
from storage.records import StudyRecord, TrialRecord
from tests.search.conftest import wave

HYPERPARAMETERS = {
    "timesteps": 8,
    "units": 4,
    "depth": 1,
    "dropout": 0.0,
    "batch_size": 32,
    "learning_rate": 0.01,
    "recurrent_dropout": 0.0,
    "l2": 0.0,
    "optimizer": "adam",
    "activation": "tanh",
    "bidirectional": False,
    "output": "change",
    "skip": "linear",
    "scaling": "standard",
}
NOW = datetime(2026, 1, 1)
NAIVE_SCORES = {"persistence": 0.4, "ridge": 0.1}
FACTS = Facts("forecast the next row of a|b", "mse", {"data": "a|b"}, NAIVE_SCORES)


def trial(number, state, value=None):
    about = {"hyperparameters": HYPERPARAMETERS}
    return TrialRecord(number, state, value, {}, {}, about, NOW, NOW)


RECORD = StudyRecord(
    "one",
    True,
    {},
    (
        trial(0, "complete", 0.3),
        trial(1, "pruned", 0.9),
        trial(2, "complete", 0.5),
        trial(3, "failed"),
        trial(4, "complete", 0.2),
        trial(5, "running"),
    ),
)


def test_a_note_tells_progress_the_best_and_naive_forecasts_for_scale():
    note = note_in_words(FACTS, RECORD, 9, "It goes on.")
    assert "5 of 9 trials: 3 complete, 1 pruned, 1 failed; 1 running" in note
    assert "**0.2000** by trial 4" in note
    assert "LSTM of 1 × 4 units on 8 rows" in note
    assert "ridge 0.1000, persistence 0.4000" in note  # the best first
    assert "a\\|b" in note  # which would end a cell of the table
    assert note.endswith(f"It goes on.\n\n{MARK}")


def test_a_note_is_there_before_any_trial_is():
    note = note_in_words(FACTS, replace(RECORD, trials=()), 9, "It goes on.")
    assert "0 of 9 trials" in note
    assert "best so far" not in note


def test_the_progress_falls_from_best_to_best_beside_what_naive_forecasts_are_worth():
    best, *naive = progress_figure(RECORD, "mse", NAIVE_SCORES)["data"]
    assert (best["x"], best["y"]) == ([0, 4], [0.3, 0.2])
    assert {each["name"]: each["y"] for each in naive} == {
        "persistence": [0.4, 0.4],
        "ridge": [0.1, 0.1],
    }
    assert "--" not in str(best["line"]["color"])


@pytest.fixture(scope="module")
def preparation():
    data = DataSettings(targets=("level",), time="time", horizon=3)
    return prepare(Study(data=data), wave())


def test_naive_forecasts_are_scored_as_trials_are(preparation):
    scores = naive_scores(preparation, 12, "mse")
    assert scores == pytest.approx(dict(naive_forecasts(preparation, 12).validation))
    assert naive_scores(preparation, 12, "rmse")["ridge"] == pytest.approx(scores["ridge"] ** 0.5)


def test_naive_forecasts_are_scored_on_every_fold():
    data = DataSettings(targets=("level",), time="time", horizon=3)
    study = Study(data=data, split=SplitSettings(folds=2))
    cut = prepare(study, wave())
    values, deviation = cut.dataset.values[:, 0], cut.dataset.values[: cut.split.train.end, 0].std()
    by_fold = []
    for fold in cut.split.folds:
        origins = fold.validation.origins
        error = values[origins[:, None] + np.arange(3)] - values[origins - 1, None]
        by_fold.append(np.mean((error / deviation) ** 2))
    assert naive_scores(cut, 12, "mse")["persistence"] == pytest.approx(np.mean(by_fold))


def test_scores_compare_only_where_their_unit_comes_from_the_same_rows():
    data = DataSettings(targets=("level",), time="time", horizon=3)
    plain, with_gap, other_window = (
        prepare(
            Study(data=data, split=SplitSettings(gap=gap), space=SearchSpace(timesteps=steps)),
            wave(),
        )
        for gap, steps in ((0, 12), ((24, 0), 12), (0, 6))
    )
    assert with_gap.target_hash == plain.target_hash == other_window.target_hash
    assert with_gap.target_values != plain.target_values == other_window.target_values


def test_a_ridge_regression_that_would_keep_a_search_waiting_is_left_out(preparation, monkeypatch):
    monkeypatch.setattr("search.reporting.naive._MOST_MULTIPLICATIONS", 1.0)
    assert set(naive_scores(preparation, 12, "mse")) == {"persistence", "seasonal_naive"}


def test_a_finished_study_has_its_test_result_and_figures_in_the_dashboard(finished):
    folder, _ = finished
    storage = open_storage(f"sqlite:///{folder / 'runs' / 'studies.db'}")
    study = optuna.load_study(study_name="wave", storage=storage)
    note = get_note(study)
    assert "6 of 6 trials" in note
    assert f"by trial {study.best_trial.number}" in note
    report = json.loads((folder / "runs" / "wave" / "report.json").read_text())
    assert report["verdict"] in note
    assert "runs/wave/model.keras" in note
    assert set(study.user_attrs[NAIVE]) == {"persistence", "seasonal_naive", "ridge"}
    kept = get_plotly_graph_objects(storage.get_study_system_attrs(study._study_id))
    assert set(kept) == {"best-against-naive-forecasts", "test-error-by-step", "test-forecasts"}
    for text in kept.values():
        figure = from_json(text)
        assert len(figure.data) >= 4
        assert "--" not in str([trace.line.color for trace in figure.data])
