"""Studies side by side, and whether their scores may be ranked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objectives.classification.metrics import log_losses, predicted_labels
from objectives.errors import InputError
from reports.wording import listed
from search.classification.stored import load_probabilities
from search.reporting.stored_forecasts import load_forecasts, scorer
from search.selection.confirmed import crowned, read_confirmation
from search.stored_identity import NAIVE, TARGET_VALUES, stored_identity
from search.study import is_classification
from search.workers.budget import seconds_of_search
from storage.database import Database
from storage.ledger import was_tested
from storage.records import StudyRecord
from storage.studies import read_study


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One study.

    `validation` is the best trial's value by `metric`, `parameters` how many its network has, and
    `naive_validation` the value of the best naive forecast, or of the majority class, called `naive`.
    What is not known is None. `trials` have ended, in `seconds` of search. Scores of studies with equal
    `comparable` may be ranked.
    """

    study: str
    data: str
    metric: str
    trials: int
    seconds: float
    parameters: int | None
    validation: float | None
    naive_validation: float | None
    naive: str | None
    comparable: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class ComparedForecasts(Compared):
    """A study of forecasts.

    `test` is the refitted winner's RMSE in the data's units, `naive_test` that of the naive forecast
    that was best on validation.
    """

    targets: tuple[str, ...]
    horizon: int
    test: float | None
    naive_test: float | None


@dataclass(frozen=True, kw_only=True)
class ComparedClasses(Compared):
    """A study of classification.

    `accuracy` and `log_loss` are the refitted winner's on the test set, `baseline_accuracy` that of the
    baseline with the best one there, called `baseline`.
    """

    label: str
    accuracy: float | None = None
    log_loss: float | None = None
    baseline_accuracy: float | None = None
    baseline: str | None = None


def read_compared(database: Database, name: str, results: Path) -> Compared:
    """Read what is known of a study; the test set stays closed.

    Args:
        database: where the study is.
        name: of the study.
        results: the folder of results, which has the predictions of a study that has been tested here.

    Raises:
        InputError: the study was not made by lstm-search.
        storage.errors.StorageError: there is no such study, or the database does not answer.
    """
    record = read_study(database, name, epochs=False)
    identity = stored_identity(name, record.attributes)
    common = _common(database, record, identity)
    data, directory = identity["data"], results / name
    if is_classification(identity):
        return ComparedClasses(
            **common, label=data["label"], **_class_scores(directory, record.attributes)
        )
    test, naive_test = _test_scores(directory, record.attributes, common["naive"])
    return ComparedForecasts(
        **common,
        targets=tuple(data["targets"]),
        horizon=data["horizon"],
        test=test,
        naive_test=naive_test,
    )


def _common(database: Database, record: StudyRecord, identity: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of every study, by the fields of `Compared`."""
    best = crowned(record, read_confirmation(database, record))
    naive = record.attributes.get(NAIVE, {})
    strongest = min(naive, key=naive.__getitem__, default=None)
    values = record.attributes.get(TARGET_VALUES)
    metric = identity["training"]["metric"]
    data = record.attributes.get("data_path")
    return {
        "study": record.name,
        "data": "a table in memory" if data is None else Path(data).name,
        "metric": metric,
        "trials": sum(record.count(state) for state in ("complete", "pruned", "failed")),
        "seconds": seconds_of_search(record),
        "parameters": None if best is None else best.attributes.get("parameters"),
        "validation": None if best is None else best.value,
        "naive_validation": None if strongest is None else naive[strongest],
        "naive": strongest,
        "comparable": None if values is None else (identity["target_hash"], values, metric),
    }


def check_one_task(studies: Sequence[Compared]) -> None:
    """Raise InputError where some studies forecast and others classify."""
    classify = [each.study for each in studies if isinstance(each, ComparedClasses)]
    forecast = [each.study for each in studies if not isinstance(each, ComparedClasses)]
    if classify and forecast:
        raise InputError(
            f"compare: {listed(forecast)} forecast and {listed(classify)} classify, which no score has "
            "in common: name studies of one task"
        )


def ranks(studies: Sequence[Compared]) -> list[int | None]:
    """The place of each by its validation score, from 1; none where not all may be compared."""
    if not may_be_ranked(studies):
        return [None] * len(studies)
    values = sorted(each.validation for each in studies if each.validation is not None)
    return [
        None if each.validation is None else values.index(each.validation) + 1 for each in studies
    ]


def may_be_ranked(studies: Sequence[Compared]) -> bool:
    """Whether all were judged on the same targets, in the same unit, by the same metric."""
    return len({each.comparable for each in studies}) == 1 and studies[0].comparable is not None


def _class_scores(directory: Path, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The test's part of `ComparedClasses`; nothing where there was none."""
    stored = load_probabilities(directory)
    if stored is None or not was_tested(stored.model, attributes):
        return {}
    accuracies = {
        name: float((predicted_labels(prediction) == stored.truth).mean())
        for name, prediction in {"": stored.test, **stored.baselines}.items()
    }
    found = {
        "accuracy": accuracies.pop(""),
        "log_loss": float(log_losses(stored.truth, stored.test).mean()),
    }
    best = max(accuracies, key=accuracies.__getitem__)
    return {**found, "baseline_accuracy": accuracies[best], "baseline": best}


def _test_scores(
    directory: Path, attributes: Mapping[str, Any], naive: str | None
) -> tuple[float | None, float | None]:
    """RMSE on the test set, in the data's units, of the refitted winner and of a naive forecast."""
    stored = load_forecasts(directory)
    if stored is None or not was_tested(stored.model, attributes):
        return None, None
    score = scorer(stored.measure)
    forecasts = (stored.test, None if naive is None else stored.naive.get(naive))
    winner, other = (
        None if each is None else score(stored.truth, each).data_units.overall["rmse"]
        for each in forecasts
    )
    return winner, other
