"""What happens inside a trial process: one network built, trained and judged; or the winner refitted.

Importing this module imports TensorFlow; the forkserver does so once, for every trial to come.
"""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from objectives.checkpoint import CheckpointFile, identity
from objectives.hyperparameters import Hyperparameters
from objectives.messages import (
    PICTURED_SECONDS,
    Compute,
    Epoch,
    FoldOutcome,
    ForecastOutcome,
    ForecastRequest,
    ForecastTask,
    Glimpse,
    RefitOutcome,
    RefitRequest,
    TrialOutcome,
    TrialRequest,
)
from objectives.network import build_deployable, build_network
from objectives.scaled_rows import scaled_rows
from objectives.scaling import Scaling, fit_scaling
from objectives.settings import MEDIAN
from objectives.split import Part, validation_hash
from objectives.training import Training, Weights, Windows, replay, train
from objectives.window_trainer import WindowTrainer
from objectives.windows import input_windows, target_windows

_WINDOWS_AT_ONCE = 1024  # so that memory does not grow with the test set
_GLIMPSE_ROWS = 200  # of validation, as many as a picture has room for

_FOLDS, _MEMBERS = 1, 2  # what further seeds are derived for


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

    Every fold is judged in one unit, the deviation of the last fold's training rows, so that folds can
    be averaged and the mean compared with the figures of a report.

    Args:
        request: what to train.
        go_on: called after each epoch, those from a checkpoint first; False ends the trial there.

    Raises:
        DivergedError: the loss or the metric is no longer finite.
    """
    task = request.task
    asked = request.checkpoint
    checkpoints = CheckpointFile(asked, lambda: identity(request)) if asked else None
    trained: list[_TrainedFold] = []
    for number in range(1, len(task.split.folds) + 1):
        fold = _train_fold(request, number, go_on, checkpoints)
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
        folds=tuple(FoldOutcome(f.training.epochs, f.training.best_epoch) for f in trained),
        stopped=last.training.stopped,
        weights=last.training.weights,
        parameters=last.parameters,
        target_hash=validation_hash(task.split),
        seconds=seconds,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        resumed_from=sum(fold.training.resumed_from for fold in trained),
        glimpse=last.glimpse,
    )


@dataclass(frozen=True)
class _TrainedFold:
    training: Training
    glimpse: Glimpse | None
    parameters: int
    seconds: dict[str, float]


def _train_fold(
    request: TrialRequest,
    number: int,
    go_on: Callable[[Epoch], bool],
    checkpoints: CheckpointFile | None,
) -> _TrainedFold:
    """Train a network of its own for fold `number`; that of the last fold has the request's seed."""
    started = time.perf_counter()
    task, folds = request.task, request.task.split.folds
    fold = folds[number - 1]
    scaling, rows = scaled_rows(task, request.hyperparameters.scaling, fold.train)
    last = folds[-1].train
    training_targets = task.load_rows()[last.first : last.end, : task.targets]
    deviation = fit_scaling("standard", training_targets).scale
    loaded = time.perf_counter()
    # Other seeds in earlier folds, so that the mean over folds is one over seeds too.
    seed = request.seed if fold.train is last else _derived_seed(request.seed, _FOLDS, number)
    trainer = _trainer(task, request.hyperparameters, rows, seed)
    built = time.perf_counter()
    trainer.trace()
    traced = time.perf_counter()
    windows = Windows(
        training=fold.train.origins,
        validation=fold.validation.origins,
        unit=scaling.scale[: task.targets] / deviation,
        fold=number,
    )
    before = checkpoints.seconds if checkpoints else 0.0
    trained = train(trainer, windows, task.training, go_on, checkpoints)
    checkpointing = checkpoints.seconds - before if checkpoints else 0.0
    compiling = trainer.compile_seconds or 0.0
    ended = time.perf_counter()
    pictured = trained.weights and ended - started >= PICTURED_SECONDS / len(folds)
    if pictured:
        trainer.network.set_weights(trained.weights)
    return _TrainedFold(
        trained,
        _glimpse(task, trainer, scaling, fold.validation) if pictured else None,
        trainer.network.count_params(),
        {
            "load": loaded - started,
            "build": built - loaded,
            "trace": traced - built,
            "compile": compiling,
            "steps": ended - traced - trained.waited - compiling - checkpointing,
        },
    )


def _glimpse(
    task: ForecastTask, trainer: WindowTrainer, scaling: Scaling, validation: Part
) -> Glimpse:
    """Forecast what validation ends with, by windows that share no targets."""
    horizon = task.split.horizon
    apart = -(-horizon // task.split.stride)
    windows = max(1, _GLIMPSE_ROWS // horizon)
    origins = validation.origins[::-apart][:windows][::-1]
    scaled = trainer.forecast(origins)
    if quantiles := task.training.forecast_quantiles:
        scaled = scaled[..., quantiles.index(MEDIAN)]
    return Glimpse(
        rows=origins[:, None] + np.arange(horizon),
        truth=target_windows(task.load_rows(), origins, horizon, 1)[..., 0].astype(np.float64),
        forecast=scaling.invert(scaled)[..., 0],
    )


def _derived_seed(seed: int, purpose: int, number: int) -> int:
    return int(np.random.SeedSequence((seed, purpose, number)).generate_state(1)[0])


def refit(request: RefitRequest) -> RefitOutcome:
    """Replay the winner's training on train+validation, and save the models before and after it."""
    task, hyperparameters = request.task, request.hyperparameters
    before, rows = scaled_rows(task, hyperparameters.scaling, task.split.train)
    train_only = _trainer(task, hyperparameters, rows, request.seed)
    train_only.network.set_weights(request.weights)
    _save(request, [request.weights], before, "model_train_only.keras")
    started = time.perf_counter()
    more = task.split.train_and_validation()
    after, rows = scaled_rows(task, hyperparameters.scaling, more)
    members: list[Weights] = []
    for number in range(1, request.members + 1):
        seed = request.seed if number == 1 else _derived_seed(request.seed, _MEMBERS, number)
        trainer = _trainer(task, hyperparameters, rows, seed)
        passes = replay(trainer, more.origins, request.path)
        members.append(tuple(trainer.network.get_weights()))
    seconds = time.perf_counter() - started
    _save(request, members, after, "model.keras")
    updates = sum(updates for _, updates in request.path)
    return RefitOutcome(passes, updates, seconds)


def forecast(request: ForecastRequest) -> ForecastOutcome:
    """Forecast with a saved model, as whoever deploys it would."""
    model = keras.saving.load_model(request.model, compile=False, safe_mode=True)
    timesteps = model.input_shape[1]
    rows = np.load(request.rows, mmap_mode="r", allow_pickle=False)
    predict = tf.function(lambda windows: model(windows, training=False), reduce_retracing=True)
    parts: list[dict[str, NDArray[np.float64]]] = []
    for start in range(0, len(request.origins), _WINDOWS_AT_ONCE):
        origins = request.origins[start : start + _WINDOWS_AT_ONCE]
        windows = input_windows(rows, origins, timesteps).astype(np.float32)
        found = predict(windows)
        named = found if isinstance(found, dict) else {"forecast": found}
        parts.append({name: value.numpy().astype(np.float64) for name, value in named.items()})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return ForecastOutcome(joined["forecast"], joined.get("quantiles"))


def _trainer(
    task: ForecastTask,
    hyperparameters: Hyperparameters,
    rows: NDArray[np.float32],
    seed: int,
) -> WindowTrainer:
    keras.utils.set_random_seed(seed % 2**32)
    network = build_network(
        hyperparameters,
        rows.shape[1],
        task.targets,
        task.split.horizon,
        task.training.forecast_quantiles,
        fast=_on_cpu(),
    )
    return WindowTrainer(network, rows, hyperparameters, task.training, seed)


def _on_cpu() -> bool:
    return not tf.config.get_visible_devices("GPU")


def _save(request: RefitRequest, members: Sequence[Weights], scaling: Scaling, name: str) -> Path:
    """Write a deployable model under a temporary name, then give it its own."""
    model = build_deployable(
        request.hyperparameters,
        members,
        scaling,
        request.task.targets,
        request.task.split.horizon,
        request.task.training.forecast_quantiles,
    )
    path = request.directory / name
    unfinished = path.with_name(f"unfinished_{name}")
    model.save(unfinished)
    return unfinished.replace(path)
