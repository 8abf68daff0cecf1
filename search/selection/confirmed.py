"""What is stored of a study's confirmation, and who has won; quick to import."""

from math import fsum

from reports.contents import Candidate, Confirmation
from search.sections import ConfirmSettings
from storage.database import Database
from storage.records import StudyRecord, TrialRecord
from storage.studies import confirmation_name, has_study, read_study

SETTINGS = "confirm"  # the attribute of the search's study that holds what all workers go by
# Attributes of the runs: see `search.selection.confirmation`.
CONFIRMS, RUN, SEED = "confirms", "run", "seed"


def read_confirmation(storage: Database, record: StudyRecord) -> Confirmation | None:
    """What is stored of a study's confirmation, finished or not; None where there is none."""
    runs = read_runs(storage, record.name)
    seeds = ConfirmSettings(**record.attributes.get(SETTINGS, {})).seeds
    return None if runs is None else confirmation_from(record, runs, seeds)


def read_runs(storage: Database, name: str) -> StudyRecord | None:
    """The confirmation runs of the study `name` as a study, without their epochs; None without any."""
    runs = confirmation_name(name)
    return read_study(storage, runs, epochs=False) if has_study(storage, runs) else None


def confirmation_from(record: StudyRecord, runs: StudyRecord, seeds: int) -> Confirmation | None:
    """Gather the runs by candidate, in the order of the search's scores."""
    ended = ended_runs(runs)
    numbers = {trial.attributes[CONFIRMS] for trial in runs.trials}
    trials = [t for t in record.trials if t.number in numbers and t.value is not None]
    by_value = sorted(trials, key=lambda trial: (trial.value, trial.tie_breaker, trial.number))
    candidates = tuple(
        Candidate(
            trial=trial.number,
            search=trial.value or 0.0,
            scores=tuple(
                ended[trial.number, run].value
                for run in range(seeds)
                if (trial.number, run) in ended
            ),
            seeds=seeds,
            tie_breaker=fsum(
                ended[trial.number, run].tie_breaker
                for run in range(seeds)
                if (trial.number, run) in ended
            ),
        )
        for trial in by_value
    )
    return Confirmation(candidates) if candidates else None


def ended_runs(runs: StudyRecord) -> dict[tuple[int, int], TrialRecord]:
    """The runs that have ended for good, by candidate and number."""
    replaced = {trial.attributes.get("retry_of") for trial in runs.trials}
    return {
        (trial.attributes[CONFIRMS], trial.attributes[RUN]): trial
        for trial in runs.trials
        if trial.state in ("complete", "failed") and trial.number not in replaced
    }


def crowned(record: StudyRecord, confirmation: Confirmation | None) -> TrialRecord | None:
    """The confirmed winner, or the search's best so far; None where no trial is complete."""
    if confirmation is None or confirmation.winner is None:
        return record.best
    return record.trials[confirmation.winner]


def no_winner(record: StudyRecord) -> str:
    """Why a study without a complete trial has none, in one line."""
    failed = [trial for trial in record.trials if trial.state == "failed"]
    reason = f"; the last failure: {failed[-1].attributes.get('failure')}" if failed else ""
    return (
        f"study {record.name!r} has no complete trial to choose from "
        f"({len(failed)} of {len(record.trials)} failed){reason}"
    )
