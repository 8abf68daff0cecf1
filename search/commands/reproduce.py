"""`lstm-search reproduce`: a trial trained again and compared with what is stored of it."""

import json
from dataclasses import asdict, dataclass

from objectives.errors import InputError
from reports.wording import counted, number
from search.audit.reproducing import Reproduction, check_reproducible, reproduce
from search.commands.opening import existing_url
from search.commands.terminal import open_console
from search.joining import Place, study_to_join
from search.preparation import make_directory
from search.searching import check_same, identity_of
from search.selection.confirmed import ended_runs
from search.tasks import prepare_study, share_data
from search.workers.devices import plan_compute
from storage.database import Database, open_storage
from storage.records import TrialRecord
from storage.studies import confirmation_name, find_study, has_study, read_study


@dataclass(frozen=True)
class Sought:
    """A trial of a study, or one of its confirmation runs, counted from 1."""

    study: str
    trial: int
    run: int | None

    @property
    def text(self) -> str:
        """Which one, in words."""
        run = "" if self.run is None else f"confirmation run {self.run} of "
        return f"{run}trial {self.trial} of study {self.study!r}"


def execute(sought: Sought, place: Place, storage: str | None, *, as_json: bool) -> int:
    """Print how many epochs came out the same; 1 if some did not and nothing explains it."""
    url = existing_url(storage, place.directory)
    study = study_to_join(sought.study, url, place)
    database = open_storage(url)
    trial = _find(database, sought)
    check_reproducible(trial, sought.text)
    study, preparation = prepare_study(study)
    check_same(find_study(database, sought.study), identity_of(study, preparation))
    make_directory(study.directory)
    gpu = plan_compute(study.study)[0].gpu
    found = reproduce(share_data(study, preparation), trial, gpu)
    if as_json:
        print(json.dumps({**asdict(sought), **asdict(found), "same": found.same}, indent=2))
    else:
        _print(sought, found, study.training.metric)
    return 0 if found.same or found.explained else 1


def _find(database: Database, sought: Sought) -> TrialRecord:
    if sought.run is None:
        trials = read_study(database, sought.study).trials
        if sought.trial < len(trials):
            return trials[sought.trial]
        raise InputError(
            f"there is no {sought.text}: it has {counted(len(trials), 'trial')}, numbered from 0"
        )
    runs = confirmation_name(sought.study)
    known = ended_runs(read_study(database, runs)) if has_study(database, runs) else {}
    if (sought.trial, sought.run - 1) in known:
        return known[sought.trial, sought.run - 1]
    raise InputError(
        f"there is no {sought.text} that has ended; `lstm-search show {sought.study}` lists the "
        "candidates and their fresh seeds"
    )


def _print(sought: Sought, found: Reproduction, metric: str) -> None:
    console = open_console(highlight=False, soft_wrap=True)
    console.print(f"{sought.text}, trained again: {_in_words(found, metric)}", style="bold")
    if found.changed is None:
        console.print("it is not stored which versions and hardware it was trained with")
    for name, (then, now) in (found.changed or {}).items():
        console.print(f"{name}: {then} then, {now} now")
    if found.changed == {} and not found.same:
        console.print("versions and hardware are the same")


def _in_words(found: Reproduction, metric: str) -> str:
    epochs = counted(found.epochs, "epoch")
    if found.same:
        return f"all {epochs} equal"
    if found.difference is None:
        return f"{found.equal} of {epochs} equal; now it took another number of them"
    return (
        f"{found.equal} of {epochs} equal; {metric} differs by {number(found.difference)} at most"
    )
