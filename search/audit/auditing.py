"""The leakage audit: what a study claims, derived again from the data and from what it has stored.

Nothing stored is taken on trust: the parts are cut anew, statistics are fitted anew, and the saved model
forecasts once more, from rows of which all later ones have been shuffled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from objectives.judging.baselines import persistence, seasonal_naive
from objectives.judging.metrics import yardstick
from objectives.objective import resolved_hyperparameters
from objectives.scaling import fit_scaling
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.split import Part, target_hash
from objectives.trials.scaled_rows import scaled_file
from objectives.windows import target_windows
from reports.contents import Check
from reports.wording import counted, number
from search.audit.checklist import (
    ONE_WINNER,
    SAME,
    Claimed,
    Finding,
    carry_out,
    in_ledger,
    one_winner,
    same_data,
    same_targets,
)
from search.audit.saved_scaling import saved_scaling, saved_timesteps
from search.preparation import Preparation, rows_file
from search.reporting.stored_forecasts import StoredForecasts
from search.selection.refitting import MODEL, TRAIN_ONLY_MODEL, forecast_with
from storage.records import StudyRecord

_UNCHANGED = 1e-5  # of a target's deviation: models compute in float32
_ROUNDING = 1e-6  # of a forecast, some of float32's last digits
_NEAR = 1000  # windows to either side of a moment, so that a long test set is not forecast twice


@dataclass(frozen=True)
class Subject:
    """A finished study: its data, read and cut anew, and what it has stored.

    `runs` are those of its confirmation, None without one; `directory` is the study's folder.
    """

    preparation: Preparation
    record: StudyRecord
    runs: StudyRecord | None
    stored: StoredForecasts
    directory: Path

    @property
    def values(self) -> NDArray[np.float64]:
        """The data, (rows, columns)."""
        return self.preparation.dataset.values

    @property
    def claimed(self) -> Claimed:
        """What it has stored of itself."""
        stored = self.stored
        tested = (stored.trial, stored.seed, stored.model)
        return Claimed(self.record, self.runs, self.directory, *tested)

    @property
    def winner(self) -> Hyperparameters:
        """The winner's hyperparameters."""
        return resolved_hyperparameters(self.record.trials[self.stored.trial].attributes)


def audit(subject: Subject) -> tuple[Check, ...]:
    """Make every check; one that cannot be made has failed, and its evidence says why."""
    checks = _checks(subject.preparation)
    return carry_out({claim: partial(check, subject) for claim, check in checks.items()})


def _checks(preparation: Preparation) -> Mapping[str, Callable[[Subject], Finding]]:
    split = preparation.split
    refit = split.train_and_validation()
    return {
        "the data are those that were searched": _data,
        "no window has targets in another part": _parts,
        "windows begin within the data": _first_rows,
        "all trials were judged on the same targets": _targets,
        "trials saw rows scaled by their training rows alone": _scaled_rows,
        "the model before the refit is scaled by training rows alone": lambda subject: _scaling(
            subject, TRAIN_ONLY_MODEL, split.train
        ),
        "the refitted model is scaled by training and validation rows alone": lambda subject: (
            _scaling(subject, MODEL, refit)
        ),
        "scores are measured in the deviation of training rows alone": _yardstick,
        "naive forecasts were judged on the same targets as the model": _naive,
        "the model tested is in the ledger": _ledger,
        ONE_WINNER: _looks,
        "rows to come do not change a forecast": _future,
    }


def _data(subject: Subject) -> Finding:
    dataset = subject.preparation.dataset
    rows, columns = dataset.values.shape
    return same_data(subject.claimed, f"{rows} rows of {columns} columns", dataset.fingerprint)


def _parts(subject: Subject) -> Finding:
    split = subject.preparation.split
    orders: list[tuple[Part, ...]] = [(split.train_and_validation(), split.test)]
    orders += [(fold.train, fold.validation, split.test) for fold in split.folds]
    passed = all(
        _target_rows(part, split.horizon)[0] >= part.first
        and _target_rows(part, split.horizon)[1] < part.end
        for parts in orders
        for part in parts
    ) and all(
        _target_rows(early, split.horizon)[1] < _target_rows(late, split.horizon)[0]
        for parts in orders
        for early, late in pairwise(parts)
    )
    rows = [
        "{}: rows {} to {}".format(part.name, *_target_rows(part, split.horizon))
        for part in split.parts
    ]
    return passed, f"targets of {'; '.join(rows)}"


def _target_rows(part: Part, horizon: int) -> tuple[int, int]:
    """The first and the last row that is a target of the part."""
    return int(part.origins.min()), int(part.origins.max()) + horizon - 1


def _first_rows(subject: Subject) -> Finding:
    first = {part.name: int(part.origins.min()) for part in subject.preparation.split.parts}
    timesteps = saved_timesteps(subject.directory / MODEL)
    rows = [f"{name}: inputs from row {row - timesteps}" for name, row in first.items()]
    return min(first.values()) >= timesteps, (
        f"{'; '.join(rows)}; each window has the {timesteps} rows before its first target"
    )


def _targets(subject: Subject) -> Finding:
    return same_targets(subject.claimed, subject.preparation.target_hash)


def _scaled_rows(subject: Subject) -> Finding:
    split, values, kind = subject.preparation.split, subject.values, subject.winner.scaling
    shared = rows_file(subject.preparation.fingerprint, subject.directory)
    greatest, seen = 0.0, []
    for part in (*(fold.train for fold in split.folds), split.train_and_validation()):
        path = scaled_file(shared, kind, part)
        if path.exists():
            seen.append(f"{part.first} to {part.end - 1}")
            found = np.load(path, mmap_mode="r", allow_pickle=False)
            expected = fit_scaling(kind, values[part.first : part.end])
            greatest = max(greatest, float(np.abs(found - expected.apply(values)).max()))
    if not seen:
        return True, "no file of scaled rows is here"
    return greatest <= _UNCHANGED, (
        f"the files scaled by rows {', '.join(seen)} differ from that by {number(greatest, 2)} at most"
    )


def _scaling(subject: Subject, model: str, part: Part) -> Finding:
    saved, kind = saved_scaling(subject.directory / model), subject.winner.scaling
    distance = saved.distance(fit_scaling(kind, subject.values[part.first : part.end]))
    from_all = saved.distance(fit_scaling(kind, subject.values))
    return distance <= SAME, (
        f"constants in {model} differ from those of rows {part.first} to {part.end - 1} ({kind}) by "
        f"{number(distance, 2)} deviations at most, from those of all rows by {number(from_all, 2)}"
    )


def _yardstick(subject: Subject) -> Finding:
    train, measure = subject.preparation.split.train, subject.stored.measure
    targets = subject.values[train.first : train.end, : len(subject.stored.targets)]
    fresh = yardstick(targets, subject.preparation.season)
    passed = np.allclose(fresh.deviation, measure.deviation, rtol=SAME, atol=0) and np.allclose(
        fresh.seasonal_error, measure.seasonal_error, rtol=SAME, atol=0
    )
    deviations = ", ".join(f"{value:.6g}" for value in fresh.deviation)
    return passed, f"rows {train.first} to {train.end - 1} have a deviation of {deviations}"


def _naive(subject: Subject) -> Finding:
    stored, preparation, values = subject.stored, subject.preparation, subject.values
    split, targets = preparation.split, len(stored.targets)
    origins, horizon = split.test.origins, split.horizon
    truth = target_windows(values, origins, horizon, targets)
    seasonal = seasonal_naive(values, origins, horizon, targets, preparation.season)
    passed = (
        np.array_equal(truth, stored.truth)
        and np.array_equal(
            persistence(values, origins, horizon, targets), stored.naive["persistence"]
        )
        and np.array_equal(seasonal, stored.naive["seasonal_naive"])
        and all(found.shape == truth.shape for found in (stored.test, *stored.naive.values()))
        and stored.times == tuple(preparation.label(row) for row in origins)
    )
    return passed, (
        f"{counted(len(origins), 'window')} from {stored.times[0]} to {stored.times[-1]}: truth, "
        "persistence and seasonal naive come out the same from the data"
    )


def _ledger(subject: Subject) -> Finding:
    split = subject.preparation.split
    return in_ledger(subject.claimed, target_hash(split.test, split.horizon))


def _looks(subject: Subject) -> Finding:
    return one_winner(subject.claimed)


def _future(subject: Subject) -> Finding:
    stored, origins = subject.stored, subject.preparation.split.test.origins
    middle = len(origins) // 2
    near, now = slice(max(0, middle - _NEAR), middle + _NEAR), int(origins[middle])
    rows = subject.values.copy()
    rows[now:] = np.random.default_rng(now).permutation(rows[now:])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, rows, allow_pickle=False)
        found = forecast_with(subject.directory / MODEL, path, origins[near]).forecast
    change = np.abs(found - stored.test[near]) / stored.measure.deviation
    rounding = _ROUNDING * np.abs(stored.test[near]) / stored.measure.deviation
    earlier = origins[near] <= now
    return bool(np.all(change[earlier] <= _UNCHANGED + rounding[earlier])), (
        f"with rows {now} and later shuffled, {counted(int(earlier.sum()), 'forecast')} up to then "
        f"differ from the stored ones by {number(float(change[earlier].max()), 2)} deviations at "
        f"most, later ones by {number(float(change[~earlier].max(initial=0.0)), 2)}"
    )
