"""`make bench-storage`: the database under the load of many workers, and with many trials in it.

    python -m tests.bench.database [--quick] [--out runs/bench-storage.json]

Prints one table and writes a list with an object for each row: name, value, target and met.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import optuna
from optuna.trial import TrialState, create_trial
from rich.console import Console
from rich.table import Table

from objectives.search_space.space import draw
from objectives.settings import DataSettings, TrainingSettings
from objectives.split import cut
from objectives.trials.messages import Compute, ForecastTask
from search.sections import OutputSettings, StudySettings
from search.study import Study
from search.workers.budget import share_settings
from search.workers.samplers import SlotSampler, make_sampler
from search.workers.slots import find_slot, seed_of
from search.workers.worker import WorkOrder
from storage.database import open_storage
from storage.records import StudyRecord, record_of_study
from storage.studies import find_study
from tests.bench.lost_work import lost_epochs
from tests.bench.trivial import work_without_training
from tests.servers import postgresql_server

EPOCHS = 10
ASKED = 9  # times that a trial is asked for, of which the median counts
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
    """What came of a search: its trials, how often each seed was trained, and workers that failed."""

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
        study = _study(url, folder, trials)
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


def full_rows(trials: int) -> Iterator[Row]:
    """What commands, and asking for a trial, take where a study has so many trials."""
    with tempfile.TemporaryDirectory() as folder:
        study = _study(f"sqlite:///{folder}/s.db", folder, trials + 100)
        _fill(study, trials)
        yield from command_rows(study.storage_url, trials)
        yield asking_row(study, trials)


def asking_row(study: Study, trials: int) -> Row:
    """Seconds from asking for a trial until its six values are drawn."""
    storage = open_storage(study.storage_url)
    sampler = SlotSampler(
        0,
        lambda seed: make_sampler("tpe", study.space, 16, 0, seed),
        lambda known, trial: find_slot(known, storage, trial),
        lambda: None,
    )
    found = find_study(storage, "bench", sampler)
    seconds = []
    for _ in range(ASKED + 1):
        started = time.perf_counter()
        trial = found.ask()
        draw(trial, study.space, "adam")
        seconds.append(time.perf_counter() - started)
        found.tell(trial, 0.1)
    return at_most(f"ask_at_{trials}_trials_seconds", median(seconds[1:]), 0.3)


def command_rows(url: str, trials: int) -> Iterator[Row]:
    """Seconds that whole commands take."""
    program = Path(sys.executable).with_name("lstm-search")
    for command in (["list"], ["show", "bench"], ["best", "bench"]):
        started = time.perf_counter()
        subprocess.run([program, *command, "--storage", url], check=True, capture_output=True)
        seconds = time.perf_counter() - started
        yield at_most(f"{command[0]}_at_{trials}_trials_seconds", seconds, 2.0)


def _fill(study: Study, trials: int) -> None:
    """Make the study with complete trials as a search leaves them."""
    found = optuna.create_study(
        study_name="bench", storage=open_storage(study.storage_url), direction="minimize"
    )
    share_settings(found, study)
    generator = np.random.default_rng(0)
    distributions = study.space.distributions()
    curve = [round(float(value), 6) for value in np.linspace(0.1, 0.02, 20)]
    attributes = {
        "seed": 1,
        "epochs": 20,
        "best_epoch": 20,
        "updates_per_epoch": 120,
        "updates": 2400,
        "curves": dict.fromkeys(("loss", "mse", "mae", "rmse", "learning_rate"), curve),
        "parameters": 4321,
        "stopped": "epochs",
        "target_hash": "0" * 64,
        "seconds": {"start": 0.02, "load": 0.1, "build": 0.2, "trace": 0.3, "steps": 5.6},
        "peak_memory": 700,
        "worker": ["host", 1, 1.0],
    }
    sampler = optuna.samplers.RandomSampler(seed=0)
    drawing = optuna.create_study(sampler=sampler)
    for _ in range(trials):
        point = drawing.ask(distributions).params
        found.add_trial(
            create_trial(
                params=point,
                distributions=distributions,
                value=float(generator.uniform(0.02, 0.1)),
                user_attrs={**attributes, "hyperparameters": point},
                intermediate_values=dict(enumerate(curve, 1)),
            )
        )


def claim_rows(name: str, url: str, workers: int, trials: int) -> list[Row]:
    """Whether waiting trials are each claimed once."""
    found = optuna.create_study(study_name="bench", storage=open_storage(url))
    for number in range(trials):
        found.enqueue_trial({"x": float(number)}, user_attrs={"waited": True})
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        started = time.perf_counter()
        claimed = Counter(number for some in pool.map(claim, [url] * workers) for number in some)
        seconds = time.perf_counter() - started
    missing = len(set(range(trials)) - set(claimed))
    return [
        at_most(f"{name}_claimed_twice", claimed.total() - len(claimed), 0),
        at_most(f"{name}_not_claimed", missing, 0),
        Row(f"{name}_claims_per_second", trials / seconds, 0.0, True),
    ]


def claim(url: str) -> list[int]:
    """Claim and end waiting trials until there is none; gives their values."""
    random = optuna.samplers.RandomSampler()  # what TPE takes is measured by the row on asking
    study = find_study(open_storage(url), "bench", random)
    claimed = []
    while True:
        trial = study.ask()
        if "waited" not in trial.user_attrs:
            study.tell(trial, state=TrialState.FAIL)
            return claimed
        claimed.append(int(trial.suggest_float("x", 0.0, 1e6)))
        study.tell(trial, 0.0)


def lost_row() -> Row:
    """Epochs that are trained twice after a worker was killed."""
    with tempfile.TemporaryDirectory() as folder:
        lost, since = lost_epochs(Path(folder))
    return at_most("lost_epochs_of_a_killed_worker", lost, since)


def _study(url: str, folder: str, trials: int) -> Study:
    return Study(
        data=DataSettings(targets=("level",), horizon=6),
        study=StudySettings(name="bench", storage=url, trials=trials),
        training=TrainingSettings(epochs=EPOCHS),
        output=OutputSettings(directory=folder),
    )


def measure(quick: bool) -> Iterator[Row]:
    """Every row, as soon as it is known."""
    size = 10 if quick else 1
    with tempfile.TemporaryDirectory() as folder:
        yield from search_rows("sqlite_16_workers", f"sqlite:///{folder}/s.db", 16, 1000 // size)
    yield from full_rows(5000 // size)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/s.db"
        yield from claim_rows(f"{10_000 // size}_enqueued_8_workers", url, 8, 10_000 // size)
    with postgresql_server() as server:
        yield from search_rows("postgresql_32_workers", server.emptied(), 32, 1000 // size)
    yield lost_row()


def main() -> None:
    """Print the table and write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of every size, to try it")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-storage.json"))
    arguments = parser.parse_args()
    table = Table("what", "value", "target", "met")
    rows = []
    for row in measure(arguments.quick):
        rows.append(row)
        print(f"{row.name} {row.value:.3g}", flush=True)
        table.add_row(row.name, f"{row.value:.3g}", f"{row.target:g}", "yes" if row.met else "no")
    Console().print(table)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
