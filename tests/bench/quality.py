"""How good the winners are: four tasks with three seeds each, searched and tested as a user would.

    python -m tests.bench.quality [DATA_DIR]

The study files are those of `search/examples`, which share all settings but data and split. DATA_DIR
holds ETTh1.csv and beijing_pm25.csv. Studies lie in runs/quality, and one that has its report is not run
again, so that the bench can be interrupted. Printed, and written to runs/benchmark-quality.json, is for
each task the test score of the refitted winners by seed, their median, and the median of each naive
forecast (ridge sees the model's windows), beside a `gate` that must be reached and a `goal`.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from reports.files import write_text_atomically
from search.running import run_study
from search.study import Study, load_study

SEEDS = (0, 1, 2)
RUNS = Path("runs")
NAIVE = ("persistence", "seasonal_naive", "ridge")
Changes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Task:
    """A study file of `search/examples`, and what its winners are held against.

    `data` is a file of the data folder, None for what the package carries. `metric` is "mse" in units
    of the training rows' deviation (`unit` "standardised"), or "rmse" in the data's own.
    """

    name: str
    data: str | None
    metric: str
    unit: str
    gate: float
    goal: float

    def score(self, found: Mapping[str, Any]) -> float:
        """The task's metric of "test" in a part of report.json."""
        scores = found["test_standardised" if self.unit == "standardised" else "test"]
        return float(scores[self.metric])


TASKS = (
    Task("etth1", "ETTh1.csv", "mse", "standardised", 0.029, 0.0255),
    Task("etth1_all", "ETTh1.csv", "mse", "standardised", 0.33, 0.29),
    Task("nyc_jfk_2013", None, "mse", "standardised", 0.035, 0.031),
    Task("beijing_pm25", "beijing_pm25.csv", "rmse", "µg/m³", 26.4, 25.9),
)


@dataclass(frozen=True)
class Result:
    """What `runs/benchmark-quality.json` says of one task; `all` and the lists below go by seed.

    `before_refit` are the winners as the search left them, `seconds` what each study took.
    """

    name: str
    metric: str
    median: float
    all: list[float]
    persistence: float
    seasonal_naive: float
    ridge: float
    gate: float
    goal: float
    before_refit: list[float]
    seconds: list[float]


def main(arguments: list[str]) -> None:
    """Run what is missing, then write and print the results."""
    folder = Path(arguments[0]) if arguments else Path("../shared/data")
    check_data(folder)
    for seed in SEEDS:  # before the tasks, so that a bench cut short has seen them all
        for task in TASKS:
            report_of(study_of(task, folder, "quality", seed))
    results = [result(task, folder) for task in TASKS]
    text = json.dumps([asdict(found) for found in results], indent=2) + "\n"
    write_text_atomically(RUNS / "benchmark-quality.json", text)
    Console().print(table(results))


def check_data(folder: Path) -> None:
    """Exit with one line where a data file is missing."""
    for task in TASKS:
        if task.data is not None and not (folder / task.data).exists():
            raise SystemExit(
                f"{folder / task.data}: no such file; search/examples/{task.name}.toml says where it "
                "comes from: put it into a folder and name that as DATA_DIR"
            )


def result(task: Task, folder: Path) -> Result:
    """Gather the scores of a task's studies."""
    reports = [report_of(study_of(task, folder, "quality", seed)) for seed in SEEDS]
    scores = [task.score(report) for report in reports]
    naive = {name: median(task.score(r["baselines"][name]) for r in reports) for name in NAIVE}
    return Result(
        name=task.name,
        metric=f"test {task.metric}, {task.unit}",
        median=median(scores),
        all=scores,
        **naive,
        gate=task.gate,
        goal=task.goal,
        before_refit=[task.score(report["train_only"]) for report in reports],
        seconds=[report["seconds"]["total"] for report in reports],
    )


def study_of(
    task: Task, folder: Path, variant: str, seed: int, changes: Changes | None = None
) -> Study:
    """A task's study with one seed, in the folder runs/VARIANT; `changes` go over the study file."""
    given: dict[str, dict[str, Any]] = {name: {**keys} for name, keys in (changes or {}).items()}
    given.setdefault("study", {}).update(name=f"{task.name}_{seed}", seed=seed)
    given["output"] = {"directory": str(RUNS / variant)}
    if task.data is not None:
        given["data"] = {"path": str(folder / task.data)}
    return load_study(Path(str(files("search.examples"))) / f"{task.name}.toml", given)


def report_of(study: Study) -> dict[str, Any]:
    """The content of a study's report.json; the study is run first where there is none."""
    path = study.directory / "report.json"
    if not path.exists():
        print(f"running {study.directory}", file=sys.stderr)
        run_study(study, command="benchmark-quality")
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def table(results: list[Result]) -> Table:
    """A row for each task."""
    heads = (
        "task",
        "metric",
        "median",
        "by seed",
        "before refit",
        *NAIVE,
        "gate",
        "goal",
        "seconds",
    )
    found = Table(*heads)
    for row in results:
        by_seed, before = (
            ", ".join(f"{v:.4g}" for v in values) for values in (row.all, row.before_refit)
        )
        naive = (f"{getattr(row, name):.4g}" for name in NAIVE)
        seconds = ", ".join(f"{value:.0f}" for value in row.seconds)
        limits = (f"{row.gate:g}", f"{row.goal:g}")
        found.add_row(
            row.name, row.metric, f"{row.median:.4g}", by_seed, before, *naive, *limits, seconds
        )
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
