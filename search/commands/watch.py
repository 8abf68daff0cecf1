"""`lstm-search watch`: follow a study that runs elsewhere."""

import sys
import time
from pathlib import Path

from rich.console import Console

from search.commands.opening import open_existing
from search.searching import Progress
from search.sections import StudySettings
from search.stored_identity import stored_identity
from search.watching.progress import show_progress
from search.workers.budget import shared_settings, trials_left
from storage.records import record_of_study
from storage.studies import find_study

_LOOK_SECONDS = 1.0


def execute(name: str, storage: str | None, out: Path | None) -> int:
    """Show how a study comes along until it needs no more trials and none is running."""
    found = find_study(open_existing(storage, out), name)
    identity = stored_identity(name, found.user_attrs)
    metric = identity["training"]["metric"]
    epochs = identity["training"]["epochs"] * identity["split"]["folds"]
    started = time.monotonic()
    with show_progress(epochs, quiet=False, console=Console(file=sys.stdout)) as look:
        while True:
            settings = shared_settings(found, StudySettings())
            record = record_of_study(found)
            seconds = time.monotonic() - started
            look(Progress(record, settings.trials, seconds, metric))
            left = trials_left(found.get_trials(deepcopy=False), settings)
            if not left and not record.count("running"):
                break
            time.sleep(_LOOK_SECONDS)
    best = record.best
    value = "no trial was completed" if best is None else f"best {metric} {best.value:.5g}"
    print(f"study {name} needs no more trials; {value}")
    return 0
