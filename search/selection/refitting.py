"""The winner retrained on train+validation, and forecasts with the models that this leaves behind.

Nothing is forecast while a winner is retrained; the test set is opened in `search.reporting.finishing`.
"""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from objectives.classification.messages import (
    NETWORKS_ALONE,
    ProbabilitiesRequest,
    SequenceHyperparameters,
    SequenceTask,
    TextTask,
)
from objectives.objective import any_hyperparameters
from objectives.trials.answering import Request
from objectives.trials.messages import (
    Compute,
    Epoch,
    ForecastOutcome,
    ForecastRequest,
    RefitOutcome,
    RefitRequest,
    Task,
    TrialOutcome,
    TrialRequest,
)
from objectives.trials.trial_process import run_in_process
from reports.files import write_text_atomically
from search.classification.deciding import decide_endings
from search.classification.validation import has_validation
from search.selection.members import Retrained, plan_members
from search.stored_identity import stored_identity
from search.study import AnyStudy, ClassificationStudy
from search.workers.processes import outcome_of
from search.workers.weights import Kept
from storage.ledger import was_tested
from storage.records import TrialRecord

MODEL, TRAIN_ONLY_MODEL = "model.keras", "model_train_only.keras"
_SAVED = "refit.json"


def _always(epoch: object) -> bool:
    del epoch
    return True


@dataclass(frozen=True)
class Refitted:
    """A winner whose models lie in the study's folder.

    `model` is the SHA-256 of the refitted model's file, in hex. `temperature` divides the logits in both
    where they are calibrated. `restarts` counts how often a network was trained anew because it had not
    learnt. `members` are the refitted model's networks, the winner's first;
    `linear_share` and `linear_strength` are the share and the inverse penalty of a linear part. `basis`
    is a hash of what all of this was made from, None where an earlier version has made it.
    """

    trial: int
    seed: int
    model: str
    passes: float
    updates: int
    seconds: float
    members: tuple[Retrained, ...]
    restarts: int = 0
    temperature: float | None = None
    linear_share: float | None = None
    linear_strength: float | None = None
    basis: str | None = None

    @property
    def linear(self) -> dict[str, float] | None:
        """What is told of a linear part: its share in the probabilities, and its inverse penalty."""
        if self.linear_share is None or self.linear_strength is None:
            return None
        return {"share": self.linear_share, "inverse_penalty": self.linear_strength}

    @property
    def timesteps(self) -> int:
        """The rows of a window that the refitted model sees: as many as the member that sees most."""
        return max(member.timesteps for member in self.members)


def refit_winner(
    study: AnyStudy,
    found: optuna.Study,
    task: Task,
    candidates: Sequence[TrialRecord],
    compute: Compute,
    kept: Callable[[], Kept | None],
) -> Refitted:
    """Retrain the winner on train+validation, with what else makes up the model.

    What was done before for this very study is not done again.

    Args:
        study: whose folder the models go to, which may be full of another's.
        found: the same in the database.
        task: as for the trials.
        candidates: the winner and, in the order of their scores, those that were confirmed with it.
        compute: what training may use.
        kept: gives the winner's own weights, and a classifier's logits, where they can be had; the
            winner is trained again where they cannot.

    Raises:
        InputError: the study in the database was not made by lstm-search.
        LostTrialError: the process that trains was lost again and again.
        KeyboardInterrupt: on Ctrl-C.
    """
    winner, members = candidates[0], plan_members(study, task, candidates)
    basis = _basis(found, candidates, members)
    saved = _saved_for(study, found, basis)
    wanted = (winner.number, winner.attributes["seed"], tuple(members))
    whole = not isinstance(task, SequenceTask) or has_validation(study.directory)
    if whole and saved is not None and (saved.trial, saved.seed, saved.members) == wanted:
        return saved
    weights = kept()
    if weights is None or (isinstance(task, SequenceTask) and not weights.outputs):
        weights = _train_again(task, winner, compute)
    endings = (NETWORKS_ALONE, NETWORKS_ALONE)
    if isinstance(task, SequenceTask) and isinstance(study, ClassificationStudy):
        endings = decide_endings(study, task, weights, next(iter(members)).timesteps)
    request = RefitRequest(
        task=task,
        weights=weights.weights,
        directory=study.directory.resolve(),
        members=tuple(members.values()),
        endings=endings,
    )
    outcome: RefitOutcome = in_worker(request, compute)
    temperature, linear = endings[1].temperature, endings[1].linear
    refitted = Refitted(
        trial=winner.number,
        seed=winner.attributes["seed"],
        model=file_hash(study.directory / MODEL),
        **asdict(outcome),
        members=tuple(members),
        temperature=temperature,
        linear_share=None if linear is None else linear.share,
        linear_strength=None if linear is None else linear.strength,
        basis=basis,
    )
    write_text_atomically(study.directory / _SAVED, json.dumps(asdict(refitted), indent=2) + "\n")
    return refitted


def _basis(
    found: optuna.Study, candidates: Sequence[TrialRecord], members: Iterable[Retrained]
) -> str:
    """A hash of the study and of the trials that are repeated, the same in a copy of its database.

    Numbers and seeds do not tell studies apart: they are equal where two begin with the same seed.
    """
    repeated = {member.trial for member in members}
    trials = [dict(trial.attributes) for trial in candidates if trial.number in repeated]
    known = [stored_identity(found.study_name, found.user_attrs), *trials]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _saved_for(study: AnyStudy, found: optuna.Study, basis: str) -> Refitted | None:
    """What was refitted before, if it was for this study; of an earlier version's its ledger tells."""
    saved = load_refit(study.directory)
    if saved is None:
        return None
    if saved.basis is None:
        return saved if was_tested(saved.model, found.user_attrs) else None
    return saved if saved.basis == basis else None


def forecast_with(model: Path, rows: Path, origins: NDArray[np.int64]) -> ForecastOutcome:
    """Forecast with a saved model in a process of its own; see `ForecastRequest`."""
    outcome: ForecastOutcome = in_worker(ForecastRequest(model.resolve(), rows, origins), Compute())
    return outcome


def classify_with(
    model: Path,
    task: SequenceTask,
    numbers: NDArray[np.int64],
    *,
    calibrated: bool = True,
    alone: SequenceHyperparameters | None = None,
) -> NDArray[np.float64]:
    """Probabilities (some, classes) of some sequences by a saved model in a process of its own.

    See `ProbabilitiesRequest`.
    """
    request = ProbabilitiesRequest(
        model.resolve(),
        task.rows,
        task.ends[numbers],
        task.lengths[numbers],
        task.words if isinstance(task, TextTask) else (),
        calibrated,
        alone,
    )
    found: NDArray[np.float64] = in_worker(request, Compute()).probabilities
    return found


def load_refit(directory: Path) -> Refitted | None:
    """What was refitted before; None unless both of its models are there, the refitted one as it was."""
    try:
        found = json.loads((directory / _SAVED).read_text(encoding="utf-8"))
        members = tuple(Retrained(**member) for member in found.pop("members"))
        saved = Refitted(**found, members=members)
        whole = file_hash(directory / MODEL) == saved.model
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return saved if whole and (directory / TRAIN_ONLY_MODEL).exists() else None


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Wait until no other process on this machine refits or exports a study, and keep others waiting."""
    with (directory / ".refitting").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _train_again(task: Task, winner: TrialRecord, compute: Compute) -> Kept:
    """Repeat a trial of which nothing can be had; its seed makes it the same trial.

    Of forecasts the last fold is enough.
    """
    hyperparameters = any_hyperparameters(winner.attributes)
    if not isinstance(task, SequenceTask):
        task = replace(task, split=task.split.last_fold())
    request = TrialRequest(task, hyperparameters, winner.attributes["seed"])
    outcome: TrialOutcome = in_worker(request, compute)
    return Kept.of(outcome)


def in_worker(
    request: Request,
    compute: Compute,
    go_on: Callable[[Epoch], bool] = _always,
) -> Any:
    """Let a worker's warm forkserver start the process: this one stays free of TensorFlow.

    `go_on` is called there, after each epoch of a trial.
    """
    return outcome_of(partial(run_in_process, request, go_on, compute))
