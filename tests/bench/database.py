"""`make bench-storage`: the database under the load of many workers, and with many trials in it.

    python -m tests.bench.database [--quick] [--out runs/bench-storage.json]

Prints one table and writes a list with an object for each row: name, value, target and met.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna

from objectives.messages import Compute, ForecastTask
from objectives.settings import DataSettings, TrainingSettings
from objectives.split import cut
from search.budget import share_settings
from search.slots import seed_of
from search.study import OutputSettings, Study, StudySettings
from search.worker import WorkOrder
from storage.database import open_storage
from storage.records import StudyRecord, read_study, record_of_study
from tests.bench.trivial import work_without_training
from tests.servers import postgresql_server

EPOCHS = 10
PATIENCE = 600  # seconds for workers to start
LOOK_SECONDS = 0.5  # between two looks at the study, as often as `lstm-search run` takes one


@dataclass(frozen=True)
class Row:
    name: str
    value: float
    target: float
    met: bool


def at_least(name: str, value: float, target: float) -> Row:
    return Row(name, value, target, value >= target)


def at_most(name: str, value: float, target: float) -> Row:
    return Row(name, value, target, value <= target)


@dataclass(frozen=True)
class Ran:
    """What came of a search: its trials, the seed of each in the order of no matter what, and failures."""

    record: StudyRecord
    seeds: Counter[int]
    failures: int


def run_search(study: Study, workers: int) -> Ran:
    """Work on a study that is in its database, with so many workers, until it has its trials."""
    folder = study.directory
    (folder / "ran").mkdir(parents=True)
    split = cut(2000, study.split, study.data, study.space.largest_timesteps, None)
    order = WorkOrder(
        study=study,
        storage_url=study.storage_url,
        task=ForecastTask(folder / "rows.npy", 1, split, study.training),
        target_hash="0" * 64,
        compute=(Compute(),) * workers,
        artifacts=study.artifacts,
        stop=folder / "stop",
    )
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.bench.trivial"])
    begin = context.Barrier(workers + 1, timeout=PATIENCE)
    processes = [
        context.Process(target=work_without_training, args=(order, number, begin, folder / "ran"))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    found = optuna.load_study(study_name=study.study.name, storage=open_storage(study.storage_url))
    begin.wait()
    while any(process.is_alive() for process in processes):
        record_of_study(found)
        time.sleep(LOOK_SECONDS)
    failures = [process for process in processes if process.exitcode]
    if failures:
        print(*(log.read_text() for log in (folder / "logs").iterdir()), sep="\n")
    seeds = [int(seed) for file in (folder / "ran").iterdir() for seed in file.open()]
    return Ran(record_of_study(found), Counter(seeds), len(failures))


def search_rows(name: str, url: str, workers: int, trials: int) -> list[Row]:
    """Trials a second of a whole search, and whether every trial was run once and is there."""
    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            data=DataSettings(targets=("level",), horizon=6),
            study=StudySettings(name="bench", storage=url, trials=trials),
            training=TrainingSettings(epochs=EPOCHS),
            output=OutputSettings(directory=folder),
        )
        share_settings(optuna.create_study(study_name="bench", storage=open_storage(url)), study)
        ran = run_search(study, workers)
    ended = [trial for trial in ran.record.trials if trial.state in ("complete", "pruned")]
    whole = [trial for trial in ended if len(trial.intermediate_values) == EPOCHS]
    wanted = Counter(seed_of(study.study.seed, slot, "training") for slot in range(trials))
    seconds = max(t.ended for t in ended) - min(t.started for t in ended)
    failed = ran.record.count("failed") + ran.failures
    return [
        at_least(f"{name}_trials_per_second", len(ended) / seconds.total_seconds(), 25),
        at_most(f"{name}_errors", failed, 0),
        at_most(f"{name}_lost", max((wanted - ran.seeds).total(), trials - len(whole)), 0),
        at_most(f"{name}_doubled", (ran.seeds - wanted).total(), 0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="smaller sizes, to try it")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-storage.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = search_rows("sqlite_16_workers", f"sqlite:///{folder}/s.db", 16, 1000)
    for r in rows: print(r)
    with postgresql_server() as server:
        rows = search_rows("postgresql_32_workers", server.emptied(), 32, 1000)
    for r in rows: print(r)


if __name__ == "__main__":
    main()
