"""What each part of a study adds to the winner's test score, and what random search reaches instead.

    python -m tests.bench.ablations [DATA_DIR] [SEEDS]

On the tasks of `quality.py`, for the first so many of its seeds (one by default): the search's best
trial as it is, the same refitted, then the confirmed winner refitted, then with three members,
which is the whole study; the whole study with levels for output, and without the linear skip path;
and with random sampling and no pruner for as many seconds as the whole study searched. Studies lie
in runs/quality and runs/ablations and are not run again. Printed, and written to runs/benchmark-
ablations.json, is each task's metric by seed and its median. These are test scores: they explain
the settings and must not choose them.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from reports.files import write_text_atomically
from tests.bench.quality import RUNS, SEEDS, TASKS, Changes, Task, check_data, report_of, study_of

ONE_MEMBER: Changes = {"final": {"members": 1}}
OTHERS: Mapping[str, Changes] = {
    "levels for output": {"space": {"output": "level"}},
    "no linear skip": {"space": {"skip": "none"}},
}


@dataclass(frozen=True)
class Place:
    """A task with one seed, and the folder of data files."""

    task: Task
    folder: Path
    seed: int

    def report(self, variant: str, changes: Changes) -> dict[str, Any]:
        """The report of one variant of the study, which is run first where there is none."""
        name = variant.replace(" ", "_")
        return report_of(study_of(self.task, self.folder, f"ablations/{name}", self.seed, changes))

    def unconfirmed(self) -> dict[str, Any]:
        """The report of the study with one member before it is confirmed, kept beside its later one."""
        changes = {**ONE_MEMBER, "confirm": {"candidates": 0}}
        study = study_of(self.task, self.folder, "ablations/one_member", self.seed, changes)
        kept = study.directory / "unconfirmed.json"
        if not kept.exists():
            report_of(study)
            (study.directory / "report.json").rename(kept)
        report: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return report


def main(arguments: list[str]) -> None:
    """Run what is missing, then write and print the results."""
    folder = Path(arguments[0]) if arguments else Path("../shared/data")
    seeds = SEEDS[: int(arguments[1]) if len(arguments) > 1 else 1]
    check_data(folder)
    results = {
        task.name: by_variant([scores(Place(task, folder, seed)) for seed in seeds])
        for task in TASKS
    }
    path = RUNS / "benchmark-ablations.json"
    write_text_atomically(path, json.dumps(results, indent=2) + "\n")
    Console().print(table(results))


def scores(place: Place) -> dict[str, float]:
    """The test score of each variant with one seed."""
    task = place.task
    unconfirmed = place.unconfirmed()
    confirmed = place.report("one member", ONE_MEMBER)
    whole = report_of(study_of(task, place.folder, "quality", place.seed))
    seconds = whole["seconds"]["search"]
    random = {"sampler": "random", "pruner": "none", "trials": 10_000, "timeout": seconds}
    return {
        "best trial": task.score(unconfirmed["train_only"]),
        "… refitted": task.score(unconfirmed),
        "… confirmed": task.score(confirmed),
        "… three members: the whole study": task.score(whole),
        **{name: task.score(place.report(name, changes)) for name, changes in OTHERS.items()},
        "random search": task.score(place.report("random search", {"study": random})),
    }


def by_variant(by_seed: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """For each variant the scores of all seeds and their median."""
    return {
        variant: {
            "median": median(found[variant] for found in by_seed),
            "all": [found[variant] for found in by_seed],
        }
        for variant in by_seed[0]
    }


def table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """A row for each variant, a column for each task."""
    found = Table("test score, median", *results)
    for variant in next(iter(results.values())):
        found.add_row(variant, *(f"{task[variant]['median']:.4g}" for task in results.values()))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
