"""What every report of a study says, whatever its task."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objectives.errors import InputError
from objectives.objective import any_hyperparameters
from reports.contents import Check, Ledger, Refit, Winner
from storage.ledger import openings_of
from storage.records import StudyRecord, TrialRecord

REPORT = "report.json"


@dataclass(frozen=True)
class About:
    """What a report says that is computed neither from forecasts nor from the database."""

    task: str
    metric: str
    refit: Refit
    seconds: Mapping[str, float]
    paths: Mapping[str, str]
    facts: Mapping[str, str]
    audit: tuple[Check, ...] = ()


def about_before(directory: Path) -> About:
    """Read what the run that tested the winner wrote down.

    Raises:
        InputError: its report.json cannot be read.
    """
    path = directory / REPORT
    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return About(
            task=known["task"],
            metric=known["metric"],
            refit=Refit(**known["refit"]),
            seconds={name: value for name, value in known["seconds"].items() if value is not None},
            paths=known["paths"],
            facts=known["facts"],
            audit=tuple(Check(**each) for each in known.get("audit", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: cannot be read ({type(error).__name__}); `lstm-search run` with the study's file "
            "writes it again, without opening the test set"
        ) from None


def winner_of(trial: TrialRecord) -> Winner:
    """A complete trial as a report shows it."""
    params = any_hyperparameters(trial.attributes).as_dict()
    return Winner(trial.number, float("nan") if trial.value is None else trial.value, params)


def ledger_of(record: StudyRecord, tested: tuple[int, int] | None) -> Ledger:
    """The openings of a study's test set; others than the `tested` trial and seed are told."""
    openings = openings_of(record.attributes)
    others = {
        (each.trial, each.seeds) for each in openings if (each.trial, each.seeds[0]) != tested
    }
    return Ledger(openings, tuple(sorted(others)))
