"""What the ends of studies have in common, whatever they learn: the ledger's entry, and what is said."""

import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import optuna

from objectives.objective import any_hyperparameters
from objectives.settings import FinalSettings
from reports.contents import Refit
from reports.wording import counted, listed
from search.reporting.report_parts import About
from search.selection.refitting import Refitted
from search.study import AnyStudy
from search.workers.budget import seconds_of_search
from storage.address import redacted
from storage.ledger import Opening, record_opening, utc_now
from storage.records import StudyRecord, TrialRecord

_MEDIAN = " (in the median of its confirmation runs, where there are any)"
_RULES = {
    "same-updates": "as many optimiser updates as the winner made up to its best epoch" + _MEDIAN,
    "same-epochs": "as many passes through the data as the winner made up to its best epoch"
    + _MEDIAN,
}
_REPORTED = ("lstm-search", "optuna", "tensorflow", "keras", "numpy")
_MAKE_MODELS = ("lstm-search", "keras", "tensorflow")


def enter_opening(
    found: optuna.Study, study: AnyStudy, refitted: Refitted, command: str, targets: str
) -> None:
    """Tell the ledger in the database that the winner's model is about to see the test set.

    `targets` is a hash of what it is tested on.
    """
    seeds = tuple(member.seed for member in refitted.members)
    opening = Opening(utc_now(), refitted.trial, seeds, refitted.model, command, targets)
    record_opening(found, opening)


def about_study(
    study: AnyStudy,
    record: StudyRecord,
    refitted: Refitted,
    *,
    task: str,
    facts: Mapping[str, str],
    started: float,
) -> About:
    """Gather what a report says that is not computed; `started` is on `time.perf_counter`."""
    return About(
        task=task,
        metric=study.training.metric,
        refit=Refit(
            _refit_rule(study.final, refitted), refitted.passes, refitted.updates, refitted.seconds
        ),
        seconds={
            "search": seconds_of_search(record),
            "refit": refitted.seconds,
            "total": time.perf_counter() - started,
        },
        paths=_result_paths(study),
        facts=facts,
    )


def search_facts(study: AnyStudy, refitted: Refitted) -> dict[str, str]:
    """How a winner was found, and with what."""
    return {
        "seed": f"{study.study.seed} (trial {refitted.trial}: {refitted.seed})",
        "sampler and pruner": f"{study.study.sampler}, {study.study.pruner}",
        "versions": ", ".join(f"{name} {version(name)}" for name in _REPORTED),
        "python": platform.python_version(),
    }


def fold_facts(winner: TrialRecord) -> dict[str, str]:
    """What the winner was worth in each fold; nothing where there is one."""
    if "fold_values" not in winner.attributes:
        return {}
    values = ", ".join(f"{value:.5g}" for value in winner.attributes["fold_values"])
    return {"validation by fold": f"{values}; the winner's value is their mean"}


def model_facts(
    study: AnyStudy, winner: TrialRecord, refitted: Refitted, fingerprint: str
) -> dict[str, Any]:
    """What model.json says of every model; `fingerprint` is the data's."""
    return {
        "fill": study.data.fill,
        "study": study.study.name,
        "trial": winner.number,
        "hyperparameters": any_hyperparameters(winner.attributes).as_dict(),
        "seed": winner.attributes["seed"],
        "members": [asdict(member) for member in refitted.members],
        "data_fingerprint": fingerprint,
        "versions": model_versions(),
    }


def model_versions() -> dict[str, str]:
    """The versions of what makes a model."""
    return {name: version(name) for name in _MAKE_MODELS}


def _refit_rule(final: FinalSettings, refitted: Refitted) -> str:
    """How the winner was retrained, in words."""
    rule = f"{_RULES[final.updates]}, at the learning rates it had then"
    if refitted.restarts:
        times = counted(refitted.restarts, "time")
        rule += f", begun anew {times} because the network had not learnt what the trial's had"
    trials = [member.trial for member in refitted.members]
    if len(trials) == 1:
        return rule
    if len(set(trials)) == 1:
        return f"{rule}; the mean of {len(trials)} seeds"
    numbers = listed([str(trial) for trial in trials])
    return f"{rule}; the mean of {len(trials)} networks, of the trials {numbers}, each trained so"


def _result_paths(study: AnyStudy) -> dict[str, str]:
    """Where a report says that files are."""
    folder = study.directory
    return {
        "database": redacted(study.storage_url),
        "model": str(folder / "model.keras"),
        "train_only_model": str(folder / "model_train_only.keras"),
        "metadata": str(folder / "model.json"),
        "report": str(folder / "report.html"),
        "directory": str(folder),
    }
