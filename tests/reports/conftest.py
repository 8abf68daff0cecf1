"""A small made-up study whose scores are computed from its forecasts, so that they agree."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from reports.contents import (
    Difference,
    Estimate,
    Forecasts,
    ForecastScores,
    Intervals,
    LevelCoverage,
    Refit,
    Scores,
    StudyReport,
    Uncertainty,
    Winner,
)
from storage.records import StudyRecord, TrialRecord
from tests.browser import PHONE, WIDE, Heard

# What cannot be forecast, by networks that must learn its level from data that never return to it.
WALK = """
[data]
path = "walk.csv"
time = "time"
targets = ["walk"]
horizon = 3

[space]
timesteps = { low = 4, high = 8, step = 4 }
units = [4, 8]
depth = 1
dropout = { low = 0.0, high = 0.2 }
batch_size = 256
learning_rate = { low = 1e-3, high = 1e-1, log = true }
output = "level"
skip = "none"

[study]
trials = 8
seed = 7

[confirm]
candidates = 2
seeds = 2

[training]
epochs = 4
"""
START = datetime(2018, 2, 20)
SCALE = 8.5
PARAMS = {
    "timesteps": 96,
    "units": 64,
    "depth": 1,
    "dropout": 0.1,
    "batch_size": 64,
    "learning_rate": 0.0007342,
    "output": "change",
}


def score(truth: np.ndarray, forecast: np.ndarray) -> Scores:
    error = forecast - truth
    squares, sizes = error**2, np.abs(error)
    steps = {"mse": (squares.mean((0, 2))), "mae": sizes.mean((0, 2))}
    steps["rmse"] = np.sqrt(steps["mse"])
    steps["mase"] = steps["mae"] / 1.5
    steps["r2"] = 1 - steps["mse"] / truth.var((0, 2))
    overall = {
        "mse": float(squares.mean()),
        "mae": float(sizes.mean()),
        "rmse": float(np.sqrt(squares.mean())),
        "mase": float(sizes.mean() / 1.5),
        "r2": float(1 - squares.mean() / truth.var()),
    }
    return Scores(overall, {name: tuple(map(float, values)) for name, values in steps.items()})


def score_both(truth: np.ndarray, forecast: np.ndarray) -> ForecastScores:
    return ForecastScores(score(truth, forecast), score(truth / SCALE, forecast / SCALE))


def series(rows: int, targets: int, random: np.random.Generator) -> np.ndarray:
    hours = np.arange(rows)[:, None]
    wander = np.cumsum(random.normal(0, 0.45, (rows, targets)), axis=0)
    wander -= np.linspace(0, 1, rows)[:, None] * wander[-1]
    return 12 + 4 * np.sin(2 * np.pi * (hours - 9) / 24) + wander


def make_forecasts(horizon: int, targets: int, windows: int) -> Forecasts:
    random = np.random.default_rng(7)
    rows = series(24 + windows + horizon, targets, random)  # (rows, targets)
    first = 24 + np.arange(windows)
    steps = np.arange(horizon)
    truth = rows[first[:, None] + steps]  # (windows, horizon, targets)
    last = np.repeat(rows[first - 1][:, None], horizon, axis=1)
    seasonal = rows[first[:, None] - 24 + steps % 24]
    return Forecasts(
        times=tuple((START + timedelta(hours=int(row))).isoformat() for row in first),
        targets=tuple(["OT", "HUFL", "LULL"][:targets]),
        truth=truth,
        refitted=0.3 * last + 0.7 * truth + random.normal(0, 0.3, truth.shape),
        naive={
            "persistence": last,
            "seasonal_naive": seasonal,
            "ridge": 0.45 * last + 0.55 * truth + random.normal(0, 0.3, truth.shape),
        },
    )


def make_trial(number: int, random: np.random.Generator) -> TrialRecord:
    state = "failed" if number in (8, 21) else "pruned" if random.random() < 0.35 else "complete"
    epochs = 4 if state == "pruned" else 18
    floor = 0.027 + 0.08 * random.random() ** 2 * np.exp(-number / 25) + 0.004 * random.random()
    shape = floor * (1 + 2.5 * np.exp(-np.arange(epochs) / 3) + 0.03 * random.normal(size=epochs))
    started = START + timedelta(minutes=number)
    return TrialRecord(
        number=number,
        state=state,
        value=float(shape.min()) if state == "complete" else None,
        params=PARAMS,
        intermediate_values={epoch + 1: float(value) for epoch, value in enumerate(shape)},
        attributes={},
        started=started,
        ended=started + timedelta(seconds=40),
    )


def make_study() -> StudyRecord:
    random = np.random.default_rng(3)
    trials = [make_trial(number, random) for number in range(48)]
    trials[9] = replace(trials[9], attributes={"retry_of": 8})
    trials.append(replace(trials[0], number=48, state="running", value=None))
    best = min((t for t in trials if t.state == "complete"), key=lambda trial: trial.value)
    metric = list(best.intermediate_values.values())
    curves = {
        "loss": [value * 0.8 * 0.985**epoch for epoch, value in enumerate(sorted(metric)[::-1])],
        "mse": metric,
        "learning_rate": [0.00073] * 12 + [0.00037] * 6,
    }
    attributes = {"curves": curves, "best_epoch": int(np.argmin(metric)) + 1}
    trials[best.number] = replace(best, attributes=attributes)
    return StudyRecord("etth1-ot", True, {}, tuple(trials))


def make_intervals(horizon: int) -> Intervals:
    steps = tuple(float(step) for step in range(1, horizon + 1))
    shares = tuple(0.9 - 0.001 * step for step in steps)
    level = LevelCoverage(0.9, 0.887, 12.5, 12.5 / SCALE, shares, steps, steps)
    return Intervals(1200, (level,))


def build_report(horizon: int = 24, targets: int = 1, windows: int = 720) -> StudyReport:
    forecasts = make_forecasts(horizon, targets, windows)
    truth, study = forecasts.truth, make_study()
    best = study.best
    naive = {name: score_both(truth, forecast) for name, forecast in forecasts.naive.items()}
    return StudyReport(
        study=study,
        task="forecast",
        metric="mse",
        winner=Winner(best.number, best.value, PARAMS),
        validation=score_both(truth, 0.9 * forecasts.refitted + 0.1 * truth),
        test=score_both(truth, forecasts.refitted),
        train_only=score_both(truth, forecasts.refitted * 0.98 + 0.2),
        baselines=naive,
        refit=Refit("the winner's updates, replayed on train+validation", 14.2, 1810, 21.4),
        forecasts=forecasts,
        intervals=make_intervals(horizon),
        seconds={"search": 1834.2, "refit": 21.4, "total": 1871.0},
        paths={"database": "studies.db", "model": "model/etth1-ot.keras", "report": "report.md"},
        facts={
            "Data": "ETTh1.csv, 17,420 rows, target OT",
            "Split": "train to 2017-06-25, validation to 2017-10-23, test to 2018-02-20",
            "Scaling": "fitted on training rows only",
            "Confirmation": "top 3 trials over 3 seeds on validation",
            "Test set": "opened once",
            "command": "lstm-search run study.toml",
        },
    )


def with_rmse(report: StudyReport, model: float, **baselines: float) -> StudyReport:
    """Give the report scores of exactly these RMSEs in data units, for these baselines alone."""

    def scores(rmse: float) -> ForecastScores:
        def in_scale(scale: float) -> Scores:
            value = rmse / scale
            return replace(
                report.test.data_units,
                overall={"mse": value**2, "mae": value, "rmse": value, "mase": 1.0, "r2": 0.5},
            )

        return ForecastScores(in_scale(1.0), in_scale(SCALE))

    naive = {name: scores(rmse) for name, rmse in baselines.items()}
    return replace(report, test=scores(model), baselines=naive)


def with_certainty(report: StudyReport, **p_values: float) -> StudyReport:
    """Give the report intervals, and adjusted p-values that say how sure each comparison is."""

    def estimates(scores: Scores, p: float, less: Scores | None = None) -> dict[str, Estimate]:
        figures = {
            name: figure - (less.overall[name] if less else 0)
            for name, figure in scores.overall.items()
        }
        width = 2.0 if p >= 0.05 else 0.5
        return {
            name: Estimate(figure, figure - width * abs(figure), figure + width * abs(figure))
            for name, figure in figures.items()
        }

    differences = {
        name: Difference(
            data_units=estimates(report.test.data_units, p, report.baselines[name].data_units),
            standardised=estimates(
                report.test.standardised, p, report.baselines[name].standardised
            ),
            statistic=-1.5,
            p=p / 3,
            adjusted_p=p,
        )
        for name, p in p_values.items()
    }
    uncertainty = Uncertainty(
        windows=720,
        block=31,
        short=False,
        resamples=2000,
        data_units=estimates(report.test.data_units, 0.0),
        standardised=estimates(report.test.standardised, 0.0),
        differences=differences,
        naive_validation=dict.fromkeys(p_values, 1.0) | {"ridge": 0.5},
    )
    return replace(report, uncertainty=uncertainty)


Opened = Callable[..., tuple[Page, Heard]]


@pytest.fixture
def opened(chromium: Browser) -> Opened:
    """Open a page with the network off and wait until all is drawn."""

    def open_page(path: Path, size: dict[str, int] = WIDE, scheme: str = "light"):
        phone = size is PHONE
        context = chromium.new_context(
            viewport=size, color_scheme=scheme, offline=True, has_touch=phone, is_mobile=phone
        )
        page, heard = context.new_page(), Heard()
        heard.listen(page)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn=all]")
        return page, heard

    return open_page


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a real search on a random walk, run from the command line."""
    folder = tmp_path_factory.mktemp("walk")
    steps = np.random.default_rng(11).normal(size=4000)
    times = pd.date_range("2024-01-01", periods=len(steps), freq="h")
    pd.DataFrame({"time": times, "walk": steps.cumsum()}).to_csv(folder / "walk.csv", index=False)
    (folder / "walk.toml").write_text(WALK)
    program = Path(sys.executable).with_name("lstm-search")
    done = subprocess.run(
        [program, "run", "walk.toml", "--out", "runs"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "walk"


@pytest.fixture
def certain() -> Callable[..., StudyReport]:
    """`certain(report, ridge=0.03)`: the report with an adjusted p-value for each baseline."""
    return with_certainty


@pytest.fixture
def make_report() -> Callable[..., StudyReport]:
    return build_report


@pytest.fixture
def report() -> StudyReport:
    return build_report()


@pytest.fixture
def report_of() -> Callable[..., StudyReport]:
    """A report with the given RMSEs: `report_of(2.0, ridge=3.0)`; `targets=2` for several."""

    def build(model: float, targets: int = 1, **baselines: float) -> StudyReport:
        return with_rmse(build_report(targets=targets, windows=60), model, **baselines)

    return build
