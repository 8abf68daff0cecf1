"""How good classifiers are: whole studies with default settings, on data with an official test.

    python -m tests.bench.classification [DATA_DIR]

DATA_DIR holds ItalyPowerDemand_TRAIN.ts and ItalyPowerDemand_TEST.ts; digits come with scikit-learn, and
the adding problem (Hochreiter & Schmidhuber 1997), which is a forecast of one step that needs what was
seen up to 100 steps before, is made here. Studies lie in runs/classification, and one that has its
report is not run again. Printed, and written to runs/benchmark-classification.json, is for each task its
metric by seed or fold, the median over seeds or mean over folds, and that of the best baseline.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

from reports.files import write_text_atomically
from search.running import run_study
from search.study import AnyStudy, make_study

RUNS = Path("runs/classification")
SEEDS = (0, 1, 2)
FOLDS = 5
TRIALS = 12
ADDING_TRIALS = 4  # what is asked is whether memory reaches so far, not which network is best
STEPS, ADDED = (
    100,
    (6000, 1000, 1000),
)  # of the adding problem: rows of a sequence, sequences of a part


@dataclass(frozen=True)
class Result:
    """One task; `all` and `seconds` go by seed or fold, `baselines` hold the median or mean of each."""

    name: str
    metric: str
    value: float
    all: list[float]
    baselines: dict[str, float]
    gate: float
    goal: float
    seconds: list[float]


def main(arguments: list[str]) -> None:
    """Run what is missing, then write and print the results."""
    folder = Path(arguments[0]) if arguments else Path("../shared/data")
    RUNS.mkdir(parents=True, exist_ok=True)
    results = list(measure(folder))
    text = json.dumps([asdict(found) for found in results], indent=2) + "\n"
    write_text_atomically(RUNS.parent / "benchmark-classification.json", text)
    table = Table("task", "metric", "value", "all", "baselines", "gate", "goal", "seconds")
    for row in results:
        values = ", ".join(f"{value:.4g}" for value in row.all)
        baselines = ", ".join(f"{name} {value:.4g}" for name, value in row.baselines.items())
        seconds = ", ".join(f"{value:.0f}" for value in row.seconds)
        limits = (f"{row.gate:g}", f"{row.goal:g}")
        table.add_row(row.name, row.metric, f"{row.value:.4g}", values, baselines, *limits, seconds)
    Console().print(table)


def measure(folder: Path) -> Iterator[Result]:
    """Every task, as soon as it is known."""
    reports = [report_of(italy(folder, seed)) for seed in SEEDS]
    yield _accuracies("ItalyPowerDemand", reports, median, (0.955, 0.968))
    reports = [report_of(digits(fold)) for fold in range(FOLDS)]
    yield _accuracies("digits, 8 steps of 8", reports, fmean, (0.975, 0.985))
    reports = [report_of(adding())]
    yield Result(
        name=f"adding problem, {STEPS} steps",
        metric="test mse",
        value=reports[0]["test"]["mse"],
        all=[reports[0]["test"]["mse"]],
        baselines={name: found["test"]["mse"] for name, found in reports[0]["baselines"].items()},
        gate=0.02,
        goal=0.005,
        seconds=[reports[0]["seconds"]["total"]],
    )


def _accuracies(name: str, reports: list[dict[str, Any]], mean: Any, limits: Any) -> Result:
    scores = [report["test"]["accuracy"] for report in reports]
    names = reports[0]["baselines"]
    return Result(
        name=name,
        metric="test accuracy",
        value=mean(scores),
        all=scores,
        baselines={
            each: mean(report["baselines"][each]["test"]["accuracy"] for report in reports)
            for each in names
        },
        gate=limits[0],
        goal=limits[1],
        seconds=[report["seconds"]["total"] for report in reports],
    )


def italy(folder: Path, seed: int) -> AnyStudy:
    """The official split of ItalyPowerDemand."""
    paths = [folder / f"ItalyPowerDemand_{part}.ts" for part in ("TRAIN", "TEST")]
    for path in paths:
        if not path.exists():
            raise SystemExit(f"{path}: no such file; name the folder that has it as DATA_DIR")
    return classifying(f"italy_{seed}", *paths, seed)


def digits(fold: int) -> AnyStudy:
    """Digits of 8 rows with 8 pixels, of which one of five folds is the test."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8)  # (images, steps, pixels)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x[:, 0], y)
    paths = [RUNS / f"digits_{fold}_{part}.npz" for part in ("train", "test")]
    for path, chosen in zip(paths, list(folds)[fold], strict=True):
        np.savez(path, x=x[chosen], y=y[chosen])
    return classifying(f"digits_{fold}", *paths, seed=0)


def classifying(name: str, train: Path, test: Path, seed: int) -> AnyStudy:
    """A study with default settings."""
    data = {"task": "classification", "path": str(train), "test_path": str(test)}
    return _study(name, data, seed, {})


def adding() -> AnyStudy:
    """Sequences of numbers, two of which are marked, each followed by a row that has their sum."""
    path = RUNS / "adding.parquet"
    _sums(sum(ADDED)).to_parquet(path)
    length = STEPS + 1
    # Rows of sums are the only targets: each part begins with one, and windows lie a sequence apart.
    parts = {"train": ADDED[0] * length + STEPS}
    parts["validation"] = ADDED[1] * length
    parts["test"] = (ADDED[2] - 1) * length + 1
    data = {"path": str(path), "targets": ["sum"], "horizon": 1, "stride": length}
    more = {
        "split": parts,
        "space": {"timesteps": STEPS, "output": "level"},
        "confirm": {"candidates": 0},
    }
    return _study("adding", data, 0, more, ADDING_TRIALS)


def _sums(sequences: int) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    values = generator.uniform(size=(sequences, STEPS + 1))
    marks = np.zeros_like(values)
    rows = np.arange(sequences)
    for half in (0, STEPS // 2):  # one mark in each half
        marks[rows, generator.integers(half, half + STEPS // 2, size=sequences)] = 1
    sums = np.zeros_like(values)
    sums[:, -1] = (values * marks).sum(axis=1)
    names = {"sum": sums, "value": values, "mark": marks}
    return pd.DataFrame({name: column.reshape(-1) for name, column in names.items()})


def _study(
    name: str, data: dict[str, Any], seed: int, more: dict[str, Any], trials: int = TRIALS
) -> AnyStudy:
    named = {"name": name, "seed": seed, "trials": trials}
    output = {"directory": str(RUNS)}
    return make_study({"data": data, "study": named, "output": output, **more}, name)


def report_of(study: AnyStudy) -> dict[str, Any]:
    """The content of a study's report.json; the study is run first where there is none."""
    path = study.directory / "report.json"
    if not path.exists():
        print(f"running {study.directory}", file=sys.stderr)
        run_study(study, command="benchmark-classification")
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


if __name__ == "__main__":
    main(sys.argv[1:])
