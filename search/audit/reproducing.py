"""A trial trained again, and its curves compared with the stored ones epoch by epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from objectives.errors import InputError
from objectives.objective import any_hyperparameters, history, step_of
from objectives.trials.messages import Compute, Epoch, Task, TrialOutcome, TrialRequest
from objectives.trials.trial_process import TrialFailedError
from search.selection.refitting import in_worker
from search.workers.environment import ENVIRONMENT, environment
from storage.records import TrialRecord


@dataclass(frozen=True)
class Reproduction:
    """How a trial that was trained again compares with what is stored of it.

    `epochs` were stored, over all folds, and `equal` of them came out the same: the metric to the last
    bit, losses and learning rates of the last fold to the six digits that are stored. `difference` is
    the greatest one of the metric, None if another number of epochs was trained. `changed` maps what is
    another now than then (versions, hardware) to both; None where it is not stored what it was then.
    """

    epochs: int
    equal: int
    difference: float | None
    changed: Mapping[str, tuple[str, str]] | None

    @property
    def same(self) -> bool:
        """Whether everything is equal."""
        return self.equal == self.epochs and self.difference is not None

    @property
    def explained(self) -> bool:
        """Whether a difference is no surprise, since something else was trained with."""
        return bool(self.changed)


def check_reproducible(trial: TrialRecord, name: str) -> None:
    """Refuse a trial that has no curve of its own to the end.

    Raises:
        InputError: it has not ended, or failed; the message says why.
    """
    if trial.state in ("complete", "pruned"):
        return
    reason = trial.attributes.get("failure")
    why = f"is {trial.state}" if reason is None else f"{trial.state}: {reason}"
    raise InputError(
        f"{name} {why}; only trials that are complete or pruned have curves to compare with"
    )


def reproduce(task: Task, trial: TrialRecord, gpu: int | None) -> Reproduction:
    """Train a trial again in a process of its own, for as many epochs as it was trained.

    Args:
        task: as for all trials of the study.
        trial: complete or pruned.
        gpu: the number of the GPU to use; None for none.

    Raises:
        InputError: it comes to no result now.
    """
    stored = trial.attributes.get(ENVIRONMENT)
    compute = Compute(int(stored["threads"]) if stored else 1, gpu)
    metric, most = task.training.metric, task.training.epochs
    last = max(trial.intermediate_values) if trial.state == "pruned" else math.inf
    hyperparameters = any_hyperparameters(trial.attributes)
    request = TrialRequest(task, hyperparameters, trial.attributes["seed"])
    try:
        outcome: TrialOutcome = in_worker(request, compute, partial(_before, last, most))
    except TrialFailedError as error:
        raise InputError(f"trial {trial.number} came to no result now: {error}") from None
    epochs = [epoch for fold in outcome.folds for epoch in fold.epochs]
    values = {step_of(epoch, most): epoch.metrics[metric] for epoch in epochs}
    curves = history(epochs, metric)["curves"]
    alike = values.keys() == trial.intermediate_values.keys()
    known = trial.intermediate_values
    return Reproduction(
        epochs=len(known),
        equal=_count_equal(trial, values, curves),
        difference=max(abs(values[step] - known[step]) for step in known) if alike else None,
        changed=None if stored is None else _changed(stored, environment(compute)),
    )


def _count_equal(
    trial: TrialRecord, values: Mapping[int, float], curves: Mapping[str, Sequence[float]]
) -> int:
    """How many epochs have the stored metric, and the stored curves where there are some."""
    known, stored = trial.intermediate_values, trial.attributes["curves"]
    first = len(known) - len(
        stored["loss"]
    )  # of the last fold, the only one whose curves are stored
    return sum(
        values.get(step) == value
        and (index < first or _at(curves, index - first) == _at(stored, index - first))
        for index, (step, value) in enumerate(known.items())
    )


def _at(curves: Mapping[str, Sequence[float]], index: int) -> dict[str, float | None]:
    return {name: curve[index] if index < len(curve) else None for name, curve in curves.items()}


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = [*then, *(name for name in now if name not in then)]
    pairs = {name: (then.get(name, "unknown"), now.get(name, "unknown")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _before(last: float, most: int, epoch: Epoch) -> bool:
    return step_of(epoch, most) < last
