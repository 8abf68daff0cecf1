"""Studies side by side, and whether their scores may be ranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search.budget import seconds_of_search
from search.confirmed import crowned, read_confirmation
from search.stored_forecasts import load_forecasts, scorer
from search.stored_identity import NAIVE, TARGET_VALUES, stored_identity
from search.study import check_forecasts
from storage.database import Database
from storage.records import read_study


@dataclass(frozen=True)
class Compared:
    """One study.

    `validation` is the best trial's value by `metric`, and `naive_validation` that of the best naive
    forecast. `test` is the refitted winner's RMSE in the data's units, `naive_test` that of the naive
    forecast that was best on validation, `naive` its name. What is not known is None. `trials` have
    ended, in `seconds` of search. Scores of studies with equal `comparable` may be ranked.
    """

    study: str
    data: str
    targets: tuple[str, ...]
    horizon: int
    metric: str
    trials: int
    seconds: float
    validation: float | None
    naive_validation: float | None
    test: float | None
    naive_test: float | None
    naive: str | None
    comparable: tuple[str, ...] | None


def read_compared(database: Database, name: str, results: Path) -> Compared:
    """Read what is known of a study; the test set stays closed.

    Args:
        database: where the study is.
        name: of the study.
        results: the folder of results, which has the forecasts of a study that has been tested here.

    Raises:
        InputError: the study was not made by lstm-search, or is one of classification.
        storage.errors.StorageError: there is no such study, or the database does not answer.
    """
    record = read_study(database, name, epochs=False)
    identity = stored_identity(name, record.attributes)
    check_forecasts(name, identity, "compare")
    best = crowned(record, read_confirmation(database, record))
    naive = record.attributes.get(NAIVE, {})
    strongest = min(naive, key=naive.__getitem__, default=None)
    test, naive_test = _test_scores(results / name, strongest)
    values = record.attributes.get(TARGET_VALUES)
    metric = identity["training"]["metric"]
    data = record.attributes.get("data_path")
    return Compared(
        study=name,
        data="a table in memory" if data is None else Path(data).name,
        targets=tuple(identity["data"]["targets"]),
        horizon=identity["data"]["horizon"],
        metric=metric,
        trials=sum(record.count(state) for state in ("complete", "pruned", "failed")),
        seconds=seconds_of_search(record),
        validation=None if best is None else best.value,
        naive_validation=None if strongest is None else naive[strongest],
        test=test,
        naive_test=naive_test,
        naive=strongest,
        comparable=None if values is None else (identity["target_hash"], values, metric),
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


def _test_scores(directory: Path, naive: str | None) -> tuple[float | None, float | None]:
    """RMSE on the test set, in the data's units, of the refitted winner and of a naive forecast."""
    stored = load_forecasts(directory)
    if stored is None:
        return None, None
    score = scorer(stored.measure)
    forecasts = (stored.test, None if naive is None else stored.naive.get(naive))
    winner, other = (
        None if each is None else score(stored.truth, each).data_units.overall["rmse"]
        for each in forecasts
    )
    return winner, other
