"""What the leakage audits of forecasts and of classes share: how checks are made, and some of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from objectives.trials.trial_process import TrialFailedError
from reports.contents import Check
from reports.wording import counted, looks_in_words
from search.reporting.report_parts import ledger_of
from search.selection.refitting import MODEL, file_hash
from storage.ledger import openings_of
from storage.records import StudyRecord

SAME = 1e-9  # of a column's scale: sums may be rounded otherwise
_UNUSABLE = (OSError, ValueError, KeyError, IndexError, BadZipFile, TrialFailedError)

ONE_WINNER = "the test set was opened for this winner alone"

Finding = tuple[bool, str]


@dataclass(frozen=True)
class Claimed:
    """What a finished study has stored of itself, whatever it learns.

    `runs` are those of its confirmation, None without one; `directory` is the study's folder. `trial`,
    `seed` and `model` (SHA-256 of the refitted model's file) are those of the winner that was tested.
    """

    record: StudyRecord
    runs: StudyRecord | None
    directory: Path
    trial: int
    seed: int
    model: str


def carry_out(checks: Mapping[str, Callable[[], Finding]]) -> tuple[Check, ...]:
    """Make every check; one that cannot be made has failed, and its evidence says why."""
    return tuple(Check(claim, *_find(check)) for claim, check in checks.items())


def _find(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except _UNUSABLE as error:
        return False, f"cannot be checked: {type(error).__name__}: {error}"


def same_data(claimed: Claimed, what: str, fingerprint: str) -> Finding:
    """Whether the data (`what` they are, and their hash) are those that the study was begun with."""
    searched = claimed.record.attributes["identity"]["data_fingerprint"]
    return fingerprint == searched, (
        f"{what} with SHA-256 {fingerprint[:12]}, the study's {searched[:12]}"
    )


def same_targets(claimed: Claimed, expected: str) -> Finding:
    """Whether all trials and confirmation runs were judged on what has the expected hash."""
    confirming = () if claimed.runs is None else claimed.runs.trials
    trials = (*claimed.record.trials, *confirming)
    hashes = [t.attributes["target_hash"] for t in trials if "target_hash" in t.attributes]
    others = sum(found != expected for found in hashes)
    return bool(hashes) and not others, (
        f"{counted(len(hashes), 'trial')}, {others} of them with other hashes than the validation "
        f"targets' {expected[:12]}"
    )


def in_ledger(claimed: Claimed, expected: str) -> Finding:
    """Whether the model tested is the refitted one and in the ledger, with the test targets' hash."""
    model = file_hash(claimed.directory / MODEL)
    openings = openings_of(claimed.record.attributes)
    mine = [each for each in openings if (each.trial, each.model) == (claimed.trial, model)]
    same = all(each.targets == expected for each in openings)
    return bool(mine) and same and model == claimed.model, (
        f"{MODEL} has SHA-256 {model[:12]}, which {counted(len(mine), 'opening')} of "
        f"{len(openings)} names; test targets have hash {expected[:12]}"
    )


def one_winner(claimed: Claimed) -> Finding:
    """Whether the test set was opened for one winner only."""
    ledger = ledger_of(claimed.record, (claimed.trial, claimed.seed))
    return not ledger.other_winners, looks_in_words(ledger)
