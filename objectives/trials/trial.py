"""What happens inside a trial process: one network built, trained and judged; or the winner refitted.

Importing this module imports TensorFlow; the forkserver does so once, for every trial to come.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.classification.learner import SequenceLearner
from objectives.classification.messages import (
    NETWORKS_ALONE,
    Ending,
    SequenceHyperparameters,
    SequenceTask,
)
from objectives.lstm.network import has_machine_code
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.trials.checkpoint import CheckpointFile, identity
from objectives.trials.forecast_learner import ForecastLearner
from objectives.trials.learner import Learner, Loaded, TrainedNetwork, on_cpu
from objectives.trials.messages import (
    PICTURED_SECONDS,
    Compute,
    DivergedError,
    Epoch,
    FoldOutcome,
    ForecastOutcome,
    ForecastRequest,
    ForecastTask,
    Glimpse,
    Member,
    RefitOutcome,
    RefitRequest,
    TrialOutcome,
    TrialRequest,
)
from objectives.trials.seeds import attempt_seed, fold_seed
from objectives.trials.training import Replayed, Training, replay, train
from objectives.windows import input_windows

_WINDOWS_AT_ONCE = 1024  # so that memory does not grow with the test set
_MOST_ATTEMPTS = 4  # to train a network anew


def prepare_device(compute: Compute) -> None:
    """Keep TensorFlow to its threads and its GPU; must come before it computes anything.

    One trial a core beats several threads for one trial, and with one thread sums are added in one
    order. A GPU's memory is taken as it is needed, so that trials can share one.
    """
    tf.config.threading.set_intra_op_parallelism_threads(compute.threads)
    tf.config.threading.set_inter_op_parallelism_threads(compute.threads)
    gpus = tf.config.list_physical_devices("GPU")
    mine = [] if compute.gpu is None else gpus[compute.gpu : compute.gpu + 1]
    tf.config.set_visible_devices(mine, "GPU")
    for gpu in mine:
        tf.config.experimental.set_memory_growth(gpu, True)


def gpus() -> int:
    """How many GPUs TensorFlow finds."""
    return len(tf.config.list_physical_devices("GPU"))


def run_trial(request: TrialRequest, go_on: Callable[[Epoch], bool]) -> TrialOutcome:
    """Train one network for each fold and keep the last one's weights at its best epoch.

    Args:
        request: what to train.
        go_on: called after each epoch, those from a checkpoint first; False ends the trial there.

    Raises:
        DivergedError: the loss or the metric is no longer finite.
    """
    _spare_graph_rewriting(request.hyperparameters)
    learner = _learner(request.task, request.hyperparameters)
    asked = request.checkpoint
    checkpoints = CheckpointFile(asked, lambda: identity(request)) if asked else None
    trained: list[_TrainedFold] = []
    for number in range(1, len(request.task.split.folds) + 1):
        fold = _train_fold(learner, request, number, go_on, checkpoints)
        trained.append(fold)
        if fold.training.stopped == "asked":
            break
        if checkpoints:
            checkpoints.finished.append(fold.training.epochs)
    last = trained[-1]
    seconds = {name: sum(fold.seconds[name] for fold in trained) for name in last.seconds}
    if checkpoints and checkpoints.seconds:
        seconds["checkpoint"] = checkpoints.seconds
    return TrialOutcome(
        folds=tuple(
            FoldOutcome(f.training.epochs, f.training.best_epoch, f.outputs) for f in trained
        ),
        stopped=last.training.stopped,
        weights=last.training.weights,
        parameters=last.parameters,
        target_hash=learner.target_hash,
        seconds=seconds,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        resumed_from=sum(fold.training.resumed_from for fold in trained),
        glimpse=last.glimpse,
    )


@dataclass(frozen=True)
class _TrainedFold:
    training: Training
    outputs: NDArray[np.float32] | None
    glimpse: Glimpse | None
    parameters: int
    seconds: dict[str, float]


def _train_fold(
    learner: Learner[Any],
    request: TrialRequest,
    number: int,
    go_on: Callable[[Epoch], bool],
    checkpoints: CheckpointFile | None,
) -> _TrainedFold:
    """Train a network of its own for fold `number`; that of the last fold has the request's seed."""
    started = time.perf_counter()
    fold = learner.load_fold(number)
    loaded = time.perf_counter()
    # Other seeds in earlier folds, so that the mean over folds is one over seeds too.
    last = number == len(request.task.split.folds)
    trainer = fold.trainer(request.seed if last else fold_seed(request.seed, number))
    built = time.perf_counter()
    trainer.trace()
    traced = time.perf_counter()
    before = checkpoints.seconds if checkpoints else 0.0
    trained = train(trainer, fold.examples, request.task.training, go_on, checkpoints)
    checkpointing = checkpoints.seconds - before if checkpoints else 0.0
    compiling = trainer.compile_seconds or 0.0
    ended = time.perf_counter()
    pictured = trained.weights and ended - started >= PICTURED_SECONDS / len(
        request.task.split.folds
    )
    if trained.weights:
        trainer.network.set_weights(trained.weights)
    return _TrainedFold(
        trained,
        learner.judged_outputs(fold, trainer) if trained.weights else None,
        learner.glimpse(fold, trainer) if pictured else None,
        trainer.network.count_params(),
        {
            "load": loaded - started,
            "build": built - loaded,
            "trace": traced - built,
            "compile": compiling,
            "steps": ended - traced - trained.waited - compiling - checkpointing,
        },
    )


def refit(request: RefitRequest) -> RefitOutcome:
    """Replay the winner's training on train+validation, and save the models before and after it."""
    winner = request.members[0]
    learner, refitted = (
        _learner(request.task, winner.hyperparameters, ending) for ending in request.endings
    )
    before = learner.load_fold(len(request.task.split.folds)).fitted
    alone = TrainedNetwork(winner.hyperparameters, request.weights)
    _save(learner.deployable([alone], before), request.directory, "model_train_only.keras")
    started = time.perf_counter()
    # Members that are built alike may share a trainer's graphs.
    loaded = {
        wanted: _learner(request.task, wanted).load_everything()
        for wanted in dict.fromkeys(member.hyperparameters for member in request.members)
    }
    trained = [_retrain(loaded[member.hyperparameters], member) for member in request.members]
    seconds = time.perf_counter() - started
    fitted = loaded[winner.hyperparameters].fitted
    networks = [retrained.network for retrained in trained]
    _save(refitted.deployable(networks, fitted), request.directory, "model.keras")
    updates = sum(updates for _, updates in winner.path)
    restarts = sum(retrained.restarts for retrained in trained)
    return RefitOutcome(trained[0].replayed.passes, updates, seconds, restarts)


@dataclass(frozen=True, eq=False)
class _Retrained:
    """A network trained anew, and how often another was begun beside it."""

    network: TrainedNetwork
    replayed: Replayed
    restarts: int


def _retrain(everything: Loaded[Any], member: Member) -> _Retrained:
    """Replay a member's path, from other seeds too until it has learnt or there were enough attempts.

    Some tasks are learnt all at once after epochs without any progress, and another seed may spend the
    whole path in these. The training loss tells, so that nothing that judges is looked at.

    Raises:
        DivergedError: the first attempt has diverged.
    """
    attempts: list[tuple[TrainedNetwork, Replayed]] = []
    for restarts in range(_MOST_ATTEMPTS):
        trainer = everything.trainer(attempt_seed(member.seed, restarts + 1))
        try:
            replayed = replay(trainer, everything.examples.training, member.path)
        except DivergedError:
            if attempts:
                continue  # what an earlier one has learnt is not lost
            raise
        weights = tuple(trainer.network.get_weights())
        attempts.append((TrainedNetwork(member.hyperparameters, weights), replayed))
        if member.most_loss is None or replayed.loss <= member.most_loss:
            break
    network, replayed = min(attempts, key=lambda attempt: attempt[1].loss)
    return _Retrained(network, replayed, restarts)


def forecast(request: ForecastRequest) -> ForecastOutcome:
    """Forecast with a saved model, as whoever deploys it would."""
    model = keras.saving.load_model(request.model, compile=False, safe_mode=True)
    timesteps = model.input_shape[1]
    rows = np.load(request.rows, mmap_mode="r", allow_pickle=False)
    predict = tf.function(
        lambda windows: model(windows, training=False), reduce_retracing=True, autograph=False
    )
    parts: list[dict[str, NDArray[np.float64]]] = []
    for start in range(0, len(request.origins), _WINDOWS_AT_ONCE):
        origins = request.origins[start : start + _WINDOWS_AT_ONCE]
        windows = input_windows(rows, origins, timesteps).astype(np.float32)
        found = predict(windows)
        named = found if isinstance(found, dict) else {"forecast": found}
        parts.append({name: value.numpy().astype(np.float64) for name, value in named.items()})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return ForecastOutcome(joined["forecast"], joined.get("quantiles"))


def _spare_graph_rewriting(hyperparameters: Hyperparameters | SequenceHyperparameters) -> None:
    """Keep TensorFlow from rewriting graphs, .1 s a trial, where machine code leaves it no gain."""
    if on_cpu() and has_machine_code(hyperparameters):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _learner(
    task: ForecastTask | SequenceTask,
    hyperparameters: Hyperparameters | SequenceHyperparameters,
    ending: Ending = NETWORKS_ALONE,
) -> Learner[Any]:
    if isinstance(task, ForecastTask) and isinstance(hyperparameters, Hyperparameters):
        return ForecastLearner(task, hyperparameters)
    if isinstance(task, SequenceTask) and isinstance(hyperparameters, SequenceHyperparameters):
        return SequenceLearner(task, hyperparameters, ending)
    raise TypeError(f"a {type(task).__name__} got {type(hyperparameters).__name__}")


def _save(model: keras.Model, directory: Path, name: str) -> None:
    """Write a deployable model under a temporary name, then give it its own."""
    unfinished = directory / f"unfinished_{name}"
    model.save(unfinished)
    unfinished.replace(directory / name)
