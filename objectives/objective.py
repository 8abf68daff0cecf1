"""The Optuna objective: draw, train in a process of its own, report every epoch, ask the pruner."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from statistics import fmean
from typing import Any, NoReturn

import optuna

from objectives.classification.messages import (
    SequenceHyperparameters,
    TextHyperparameters,
)
from objectives.classification.settings import TIE_BREAKERS
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.search_space.space import Space, draw
from objectives.settings import FinalSettings
from objectives.trials.checkpoint import remove_checkpoint
from objectives.trials.messages import (
    Checkpointing,
    Compute,
    Epoch,
    LearningRatePath,
    Task,
    TrialOutcome,
    TrialRequest,
)
from objectives.trials.trial_process import LostTrialError, TrialFailedError, run_in_process

TIE_BREAKER = "tie_breaker"  # the attribute that decides between trials of equal value


class InterruptedTrialError(TrialFailedError):
    """A trial that was ended because the search was; it is to be tried again."""


@dataclass(frozen=True)
class EndedTrial:
    """A trial that has come to its end, of which the study does not know yet.

    `epochs` are those of all folds, in order; `seconds` have passed since the trial began. `outcome` is
    None where it failed, for the reason `failure`; `again` says whether it is to be tried again then.
    """

    hyperparameters: Hyperparameters
    seed: int
    epochs: tuple[Epoch, ...]
    seconds: float
    outcome: TrialOutcome | None = None
    pruned: bool = False
    failure: str = ""
    again: bool = False


def _store(trial: optuna.Trial, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        trial.set_user_attr(name, value)


@dataclass(frozen=True)
class Objective:
    """Calling it with an Optuna trial trains that trial and returns its best validation metric.

    `seed_of` gives a trial's seed. `compute` is what the trial's process may use, which is ended where
    it does nothing for `patience` seconds. `stop` is asked after every epoch and says why the trial must
    end now, if it must. `keep` receives every outcome before the trial is told to the study.
    `target_hash` is the study's: a trial judged on other targets is refused.
    `checkpoint` says where a trial's checkpoints go, if anywhere; the file is removed when the trial has
    come to its end, and stays when its process was lost or the search interrupted, for the next try.
    `note` stores attributes of a trial. `describe` is told of every end, however it came, after `keep`
    and before the study.
    """

    task: Task
    space: Space[Any]
    target_hash: str
    seed_of: Callable[[optuna.Trial], int]
    compute: Compute = field(default_factory=Compute)
    patience: float = math.inf
    stop: Callable[[], str | None] = field(default=lambda: None)
    keep: Callable[[optuna.Trial, TrialOutcome], None] = field(default=lambda trial, outcome: None)
    checkpoint: Callable[[optuna.Trial], Checkpointing | None] = field(default=lambda trial: None)
    note: Callable[[optuna.Trial, Mapping[str, Any]], None] = field(default=_store)
    describe: Callable[[optuna.Trial, EndedTrial], None] = field(default=lambda trial, ended: None)

    def __call__(self, trial: optuna.Trial) -> float:
        """Train one trial.

        Raises:
            optuna.TrialPruned: the pruner gave the trial up.
            TrialFailedError: it came to no result; the reason is in its attribute "failure".
        """
        started = time.perf_counter()
        hyperparameters = draw(trial, self.space, self.task.training.optimizer)
        seed = self.seed_of(trial)
        self.note(trial, {"seed": seed, "hyperparameters": hyperparameters.as_dict()})
        course = _Course(trial, self, hyperparameters, seed, started)
        checkpoint = self.checkpoint(trial)
        request = TrialRequest(self.task, hyperparameters, seed, checkpoint)
        try:
            outcome = run_in_process(request, course.go_on, self.compute, self.patience)
            self._check_targets(outcome)
        except TrialFailedError as failure:
            # Ctrl-C may reach the trial's process before it has begun to ignore it.
            reason = self.stop()
            self._fail(course, InterruptedTrialError(reason) if reason else failure, checkpoint)
        self.note(trial, course.history() | _facts(outcome))
        if not course.pruned:
            self.keep(trial, outcome)
        self.describe(trial, replace(course.ended(), outcome=outcome, pruned=course.pruned))
        if checkpoint:
            remove_checkpoint(checkpoint.path)
        if course.pruned:
            raise optuna.TrialPruned(f"pruned after epoch {course.epochs[-1].number}")
        return outcome.value(self.task.training.metric)

    def _fail(
        self, course: "_Course", error: TrialFailedError, checkpoint: Checkpointing | None
    ) -> NoReturn:
        """Store why a trial came to no result, and raise that."""
        again = isinstance(error, LostTrialError | InterruptedTrialError)
        self.note(course.trial, {"failure": str(error), **course.history()})
        self.describe(course.trial, replace(course.ended(), failure=str(error), again=again))
        if checkpoint and not again:
            remove_checkpoint(checkpoint.path)
        raise error from None

    def _check_targets(self, outcome: TrialOutcome) -> None:
        if outcome.target_hash != self.target_hash:
            raise TrialFailedError(
                f"judged on other targets than the study's: {outcome.target_hash[:12]} instead of "
                f"{self.target_hash[:12]}; its value cannot be compared"
            )


@dataclass
class _Course:
    """How a trial goes: what is known at its start, then its epochs, and whether it was pruned.

    `started` is on the clock of `time.perf_counter`, in seconds.
    """

    trial: optuna.Trial
    objective: Objective
    hyperparameters: Hyperparameters
    seed: int
    started: float
    epochs: list[Epoch] = field(default_factory=list)
    pruned: bool = False

    def go_on(self, epoch: Epoch) -> bool:
        """Report an epoch, and say whether there shall be another.

        Raises:
            InterruptedTrialError: the search shall end.
        """
        self.epochs.append(epoch)
        training = self.objective.task.training
        self.trial.report(epoch.metrics[training.metric], step_of(epoch, training.epochs))
        if reason := self.objective.stop():
            raise InterruptedTrialError(reason)
        self.pruned = self.trial.should_prune()
        return not self.pruned

    def history(self) -> dict[str, Any]:
        """What is stored of the epochs so far."""
        return history(self.epochs, self.objective.task.training.metric)

    def ended(self) -> EndedTrial:
        """The trial at its end, whichever that is."""
        seconds = time.perf_counter() - self.started
        return EndedTrial(self.hyperparameters, self.seed, tuple(self.epochs), seconds)


def step_of(epoch: Epoch, most: int) -> int:
    """The step under which an epoch is reported, where a fold has `most` epochs at most."""
    return (epoch.fold - 1) * most + epoch.number


def recorded_path(attributes: Any) -> tuple[tuple[float, int], ...]:
    """The learning rate and updates of each epoch up to the best, from a trial's attributes."""
    rates = attributes["curves"]["learning_rate"][: attributes["best_epoch"]]
    return tuple((rate, attributes["updates_per_epoch"]) for rate in rates)


def mean_path(attributes: Any) -> LearningRatePath:
    """As many epochs as the folds' best ones come to in the mean, for folds that take turns.

    The learning rates are the last fold's; beyond its end its last one stays.
    """
    bests = attributes.get("fold_best_epochs", [attributes["best_epoch"]])
    rates = attributes["curves"]["learning_rate"]
    epochs = max(1, round(fmean(bests)))
    rates = [*rates[:epochs], *[rates[-1]] * (epochs - len(rates))]
    return tuple((rate, attributes["updates_per_epoch"]) for rate in rates)


def most_loss(attributes: Any, path: LearningRatePath) -> float | None:
    """The training loss above which a network has not learnt what a trial's had at the path's end.

    It lies halfway between the first epoch's loss and that one, by their logarithms, and is twice that
    one at least. None where the loss did not fall.
    """
    losses = attributes["curves"]["loss"][: len(path)]
    first, last = losses[0], losses[-1]
    return max(2 * last, math.sqrt(first * last)) if 0 < last < first else None


def replayed_path(path: LearningRatePath, final: FinalSettings, epoch: int) -> LearningRatePath:
    """A recorded path as it is replayed, with so many updates an epoch for "same-epochs"."""
    if final.updates == "same-updates":
        return path
    return tuple((rate, epoch) for rate, _ in path)


def resolved_hyperparameters(attributes: Any) -> Hyperparameters:
    """The hyperparameters a trial of forecasts ran with, from its attributes."""
    return Hyperparameters(**_stored_values(attributes))


def any_hyperparameters(attributes: Any) -> Hyperparameters | SequenceHyperparameters:
    """The hyperparameters a trial ran with, whatever it learnt, from its attributes."""
    values = _stored_values(attributes)
    if "embedding_dim" in values:
        return TextHyperparameters(**values)
    return SequenceHyperparameters(**values) if "noise" in values else Hyperparameters(**values)


def _stored_values(attributes: Any) -> dict[str, Any]:
    values = dict(attributes["hyperparameters"])
    depth, units = values.pop("depth"), values.pop("units")
    widths = (units,) * depth if isinstance(units, int) else tuple(units)
    return {"units": widths, **values}


def history(epochs: Sequence[Epoch], metric: str) -> dict[str, Any]:
    """What every trial stores, however it ended: of its last fold, and each fold's best value."""
    if not epochs:
        return {}
    folds = [list(fold) for _, fold in groupby(epochs, key=lambda epoch: epoch.fold)]
    bests = [min(fold, key=lambda epoch: _rank(epoch.metrics[metric])) for fold in folds]
    last, best = folds[-1], bests[-1]
    curves = {
        "loss": [_short(epoch.loss) for epoch in last],
        **{name: [_short(epoch.metrics[name]) for epoch in last] for name in best.metrics},
        "learning_rate": [epoch.learning_rate for epoch in last],
    }
    by_fold = {
        "fold_values": [epoch.metrics[metric] for epoch in bests],
        "fold_best_epochs": [epoch.number for epoch in bests],
    }
    second = TIE_BREAKERS.get(metric)
    return {
        **(by_fold if best.fold > 1 else {}),
        **({TIE_BREAKER: fmean(epoch.metrics[second] for epoch in bests)} if second else {}),
        "epochs": len(epochs),
        "best_epoch": best.number,
        "updates_per_epoch": best.updates,
        "updates": best.updates * best.number,
        "curves": curves,
    }


def _facts(outcome: TrialOutcome) -> dict[str, Any]:
    resumed = {"resumed_from": outcome.resumed_from} if outcome.resumed_from else {}
    return {
        "parameters": outcome.parameters,
        "stopped": outcome.stopped,
        "target_hash": outcome.target_hash,
        "seconds": {name: round(value, 3) for name, value in outcome.seconds.items()},
        "peak_memory": round(outcome.peak_memory),
        **resumed,
    }


def _short(value: float) -> float:
    """Six significant digits: curves are for eyes, and attributes must stay small."""
    return float(f"{value:.6g}")


def _rank(value: float) -> float:
    return value if math.isfinite(value) else math.inf
