"""How good classifiers are: whole studies with default settings, on data with an official test.

    python -m tests.bench.classification [DATA_DIR]

DATA_DIR holds ItalyPowerDemand_TRAIN.ts and ItalyPowerDemand_TEST.ts; digits come with scikit-learn, and
the adding problem (Hochreiter & Schmidhuber 1997), which is a forecast of one step that needs what was
seen up to 100 steps before, is made here. Studies lie in runs/classification, and one that has its
report is not run again. Printed, and written to runs/benchmark-classification.json, is for each task its
metric by seed, which of digits is the mean over five folds, with the median over seeds, and that of the
baselines.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import fsum
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
ADDING_TRIALS = 4  # what is asked is whether memory reaches so far, not which network is best
STEPS = 100  # of the adding problem: rows of a sequence
ADDED = (6000, 1000, 1000)  # its sequences in each part


@dataclass(frozen=True)
class Result:
    """One task; `all` and `seconds` go by seed, the other numbers are medians over seeds."""

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
    alone = [[report_of(italy(folder, seed))] for seed in SEEDS]
    yield _result("ItalyPowerDemand", "accuracy", alone, (0.955, 0.968))
    folds = [[report_of(digits(fold, seed)) for fold in range(FOLDS)] for seed in SEEDS]
    yield _result("digits, 8 steps of 8", "accuracy", folds, (0.975, 0.985))
    alone = [[report_of(adding(seed))] for seed in SEEDS]
    yield _result(f"adding problem, {STEPS} steps", "mse", alone, (0.02, 0.005))


def _result(
    name: str, metric: str, seeds: list[list[dict[str, Any]]], limits: tuple[float, float]
) -> Result:
    """From the reports of all folds, for each seed."""
    scores = [fmean(report["test"][metric] for report in folds) for folds in seeds]
    return Result(
        name=name,
        metric=f"test {metric}",
        value=median(scores),
        all=scores,
        baselines={
            baseline: median(
                fmean(report["baselines"][baseline]["test"][metric] for report in folds)
                for folds in seeds
            )
            for baseline in seeds[0][0]["baselines"]
        },
        gate=limits[0],
        goal=limits[1],
        seconds=[fsum(report["seconds"]["total"] for report in folds) for folds in seeds],
    )


def italy(folder: Path, seed: int) -> AnyStudy:
    """The official split of ItalyPowerDemand."""
    train, test = (folder / f"ItalyPowerDemand_{part}.ts" for part in ("TRAIN", "TEST"))
    for path in (train, test):
        if not path.exists():
            raise SystemExit(f"{path}: no such file; name the folder that has it as DATA_DIR")
    return classifying(f"italy_{seed}", train, test, seed)


def digits(fold: int, seed: int) -> AnyStudy:
    """Digits of 8 rows with 8 pixels, of which one of five folds is the test."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8)  # (images, steps, pixels)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x[:, 0], y)
    train, test = (RUNS / f"digits_{fold}_{part}.npz" for part in ("train", "test"))
    for path, chosen in zip((train, test), list(folds)[fold], strict=True):
        np.savez(path, x=x[chosen], y=y[chosen])
    return classifying(f"digits_{fold}_{seed}", train, test, seed)


def classifying(name: str, train: Path, test: Path, seed: int) -> AnyStudy:
    """A study with default settings."""
    data = {"task": "classification", "path": str(train), "test_path": str(test)}
    return _study(name, data, {"seed": seed})


def adding(seed: int) -> AnyStudy:
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
    return _study(f"adding_{seed}", data, {"seed": seed, "trials": ADDING_TRIALS}, **more)


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


def _study(name: str, data: dict[str, Any], settings: dict[str, Any], **more: Any) -> AnyStudy:
    output = {"directory": str(RUNS)}
    entries = {"data": data, "study": {"name": name, **settings}, "output": output, **more}
    return make_study(entries, name)


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
