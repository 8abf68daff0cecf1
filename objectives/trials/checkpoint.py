"""Where a training stands, in a file, so that a trial that was lost goes on instead of starting anew.

Everything that training changes is kept, and nothing that the request says anyway. A training that goes
on from a checkpoint is the one that was never interrupted, to the bit where it has one thread.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.split import target_hash, validation_hash
from objectives.trials.messages import Checkpointing, Epoch, ForecastTask, TrialRequest

# To be raised with every change of what is written, or of the network that a request makes.
_FORMAT = 3
_PACKAGES = ("lstm-search", "keras", "numpy", "tensorflow")  # another version may compute otherwise


@dataclass(frozen=True, eq=False)
class TrainerState:
    """What training changes in a `GraphTrainer`.

    `variables` are the network's (its weights and the random states of its dropout layers), the
    optimiser's and the running means of the weights, one after the other; `generator` is the state of
    the NumPy generator that orders the examples.
    """

    variables: tuple[NDArray[Any], ...]
    generator: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training after the last of `epochs`; `weights` are the network's at `best_epoch`.

    The schedule of the learning rate is not here: it follows from the epochs. `earlier`
    are the epochs of the folds that were finished before.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    weights: tuple[NDArray[np.float32], ...]
    trainer: TrainerState
    earlier: tuple[tuple[Epoch, ...], ...] = ()


@dataclass(frozen=True)
class FinishedFold:
    """A fold that was finished before a checkpoint of a later one: nothing is left of it to train."""

    epochs: tuple[Epoch, ...]


class CheckpointFile:
    """The file of one trial's checkpoints, which holds the last of them.

    `seconds` is how long reading and writing took so far; `finished` are the epochs of the folds that
    are finished, which its user adds to.

    Args:
        asked: where the file is and how many seconds pass between two checkpoints.
        identity_of: gives what `identity` says of the request; it is asked only when a checkpoint is
            read or written, since it reads the rows.
    """

    def __init__(self, asked: Checkpointing, identity_of: Callable[[], str]) -> None:
        self.seconds = 0.0
        self.finished: list[tuple[Epoch, ...]] = []
        self._asked = asked
        self._identity_of = identity_of
        self._since = time.monotonic()

    @cached_property
    def _identity(self) -> str:
        return self._identity_of()

    @property
    def due(self) -> bool:
        """Whether it is long enough since the training began or the last checkpoint."""
        return time.monotonic() - self._since >= self._asked.seconds

    def read(self, fold: int = 1) -> Checkpoint | FinishedFold | None:
        """What the training of a fold can go on from, if there is a checkpoint of it or a later one."""
        found = self._found
        if found is None or fold > len(found.earlier) + 1:
            return None
        return FinishedFold(found.earlier[fold - 1]) if fold <= len(found.earlier) else found

    @cached_property
    def _found(self) -> Checkpoint | None:
        # Path.exists would raise where the folder may not be entered.
        if not os.path.exists(self._asked.path):
            return None
        started = time.monotonic()
        found = read_checkpoint(self._asked.path, self._identity)
        self._count(started)
        return found

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the last checkpoint, or go on without where it cannot be written."""
        started = time.monotonic()
        with suppress(OSError):  # a full disk must not end a trial
            checkpoint = replace(checkpoint, earlier=tuple(self.finished))
            write_checkpoint(self._asked.path, self._identity, checkpoint)
        self._count(started)

    def _count(self, started: float) -> None:
        self._since = time.monotonic()
        self.seconds += self._since - started


def identity(request: TrialRequest) -> str:
    """SHA-256 in hex over all that decides how a trial trains: a checkpoint of another is of no use.

    The rows of a series count up to the end of the validation part; where their file is does not.
    """
    task = request.task
    facts = [
        _FORMAT,
        [version(package) for package in _PACKAGES],
        asdict(request.hyperparameters),
        request.seed,
        task.training.model_dump(),
    ]
    if isinstance(task, ForecastTask):
        split, rows = task.split, task.load_rows()[: task.split.validation.end]
        facts += [
            task.targets,
            [(fold.train.first, fold.train.end) for fold in split.folds],
            [target_hash(fold.train, split.horizon) for fold in split.folds],
            validation_hash(split),
        ]
        numbers = []
    else:
        rows = task.load_rows()
        facts += [task.classes, len(task.split.folds)]
        numbers = [task.ends, task.lengths, task.labels]
        numbers += [part for fold in task.split.folds for part in (fold.train, fold.validation)]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for array in (rows, *numbers):
        digest.update(np.ascontiguousarray(array).reshape(-1).data)
    return digest.hexdigest()


def write_checkpoint(path: Path, identity: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint under a temporary name, then give it its own; its folder is made if need be.

    Raises:
        OSError: it cannot be written; nothing half-written is left.
    """
    about = {
        "identity": identity,
        "epochs": _written(checkpoint.epochs),
        "earlier": [_written(epochs) for epochs in checkpoint.earlier],
        "best_epoch": checkpoint.best_epoch,
        "generator": checkpoint.trainer.generator,
        "variables": len(checkpoint.trainer.variables),
        "weights": len(checkpoint.weights),
    }
    arrays = {
        **_numbered("variable", checkpoint.trainer.variables),
        **_numbered("weight", checkpoint.weights),
    }
    unfinished = _unfinished(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), allow_pickle=False, **arrays)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """The checkpoint in a file, or None where there is none that `identity` can go on from."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            about = json.loads(str(saved["about"]))
            if about["identity"] != identity:
                return None
            variables = tuple(saved[f"variable_{n}"] for n in range(about["variables"]))
            return Checkpoint(
                epochs=_read(about["epochs"]),
                earlier=tuple(_read(epochs) for epochs in about["earlier"]),
                best_epoch=about["best_epoch"],
                weights=tuple(saved[f"weight_{n}"] for n in range(about["weights"])),
                trainer=TrainerState(variables, about["generator"]),
            )
    except Exception:  # what a damaged file raises has no common name
        return None


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint that is needed no more, and the half of one that a killed process left."""
    for file in (path, _unfinished(path)):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    """One name for every process, so that what a killed one left is written over by the next."""
    return path.with_name(f"unfinished_{path.name}")


def _written(epochs: Iterable[Epoch]) -> list[dict[str, Any]]:
    return [asdict(epoch) for epoch in epochs]


def _read(epochs: Iterable[Mapping[str, Any]]) -> tuple[Epoch, ...]:
    return tuple(Epoch(**epoch) for epoch in epochs)


def _numbered(name: str, arrays: tuple[NDArray[Any], ...]) -> dict[str, NDArray[Any]]:
    return {f"{name}_{number}": array for number, array in enumerate(arrays)}
