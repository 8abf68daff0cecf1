"""Times training steps of one kind in a process of its own: `step.py ours|keras|torch|matmul`.

Reads a cell a line as JSON (units, timesteps, batch, depth, steps) and answers with milliseconds a step;
with "matmul" as kind, with the GFLOP/s of TensorFlow's matrix product at the cell's sizes. One thread.
A cell that is asked for again is not built again.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

import numpy as np

from objectives.search_space.hyperparameters import Hyperparameters
from search.doctor.trial_speed import TYPICAL

FEATURES, HORIZON, ROWS = 7, 24, 20_000
SKIPPED = 4  # first batches of `fit`, while its input pipeline starts


def rows() -> np.ndarray:
    """Random rows (rows, features)."""
    return np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype(np.float32)


def windows(timesteps: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Materialised inputs (count, timesteps, features) and aims (count, horizon, 1)."""
    views = np.lib.stride_tricks.sliding_window_view(rows(), timesteps + HORIZON, axis=0)[:count]
    cut = np.ascontiguousarray(views.swapaxes(1, 2))
    return cut[:, :timesteps], cut[:, timesteps:, :1]


def hyperparameters(units: int, timesteps: int, batch: int, depth: int) -> Hyperparameters:
    """Those of the default space, of these sizes."""
    sizes = {"timesteps": timesteps, "units": (units,) * depth, "batch_size": batch}
    return replace(TYPICAL, **sizes)


def network(units: int, timesteps: int, batch: int, depth: int, *, fast: bool):
    """Our default network, of fast or of plain layers, with its hyperparameters."""
    from objectives.lstm.network import build_network  # noqa: PLC0415
    from objectives.trials.messages import Compute  # noqa: PLC0415
    from objectives.trials.trial import prepare_device  # noqa: PLC0415

    with suppress(RuntimeError):  # an earlier cell has computed something already
        prepare_device(Compute(threads=1))
    wanted = hyperparameters(units, timesteps, batch, depth)
    return wanted, build_network(wanted, FEATURES, 1, HORIZON, fast=fast)


@lru_cache(maxsize=1)
def ours(units: int, timesteps: int, batch: int, depth: int, steps: int) -> Callable[[], float]:
    """Our trainer, with clipping and the running mean of the weights."""
    from objectives.settings import TrainingSettings  # noqa: PLC0415
    from objectives.trials.window_trainer import WindowTrainer  # noqa: PLC0415

    wanted, net = network(units, timesteps, batch, depth, fast=True)
    trainer = WindowTrainer(net, rows(), wanted, TrainingSettings(), 0)
    origins = np.random.default_rng(1).integers(timesteps, ROWS - HORIZON, size=batch * steps)
    trainer.update(origins, 0, 2, 1e-3)

    def run() -> float:
        started = time.perf_counter()
        trainer.update(origins, 0, steps, 1e-3)
        return (time.perf_counter() - started) / steps

    return run


@lru_cache(maxsize=1)
def keras(units: int, timesteps: int, batch: int, depth: int, steps: int) -> Callable[[], float]:
    """The same network of plain layers, through `fit` on materialised windows."""
    import keras as library  # noqa: PLC0415

    _, net = network(units, timesteps, batch, depth, fast=False)
    net.compile(library.optimizers.Adam(1e-3, global_clipnorm=1.0), "mse")
    inputs, aims = windows(timesteps, batch * steps)

    class Clock(library.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            self.ends.append(time.perf_counter())

    clock = Clock()
    fit = {"batch_size": batch, "epochs": 1, "verbose": 0, "callbacks": [clock]}
    net.fit(inputs, aims, **fit)

    def run() -> float:
        net.fit(inputs, aims, **fit)
        return (clock.ends[-1] - clock.ends[SKIPPED - 1]) / (len(clock.ends) - SKIPPED)

    return run


@lru_cache(maxsize=1)
def torch(units: int, timesteps: int, batch: int, depth: int, steps: int) -> Callable[[], float]:
    """`torch.nn.LSTM` and a linear head, Adam with clipping, batches by index."""
    import torch as library  # noqa: PLC0415

    library.set_num_threads(1)
    lstm = library.nn.LSTM(FEATURES, units, depth, batch_first=True, dropout=0.1 * (depth > 1))
    head = library.nn.Linear(units, HORIZON)
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = library.optim.Adam(parameters, lr=1e-3)
    cut = windows(timesteps, batch * steps)
    inputs, aims = (library.from_numpy(np.ascontiguousarray(part)) for part in cut)

    def pass_once(count: int) -> None:
        order = library.randperm(len(inputs))
        for step in range(count):
            chosen = order[step * batch : (step + 1) * batch]
            optimizer.zero_grad()
            hidden, _ = lstm(inputs[chosen])
            loss = ((head(hidden[:, -1]) - aims[chosen, :, 0]) ** 2).mean()
            loss.backward()
            library.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()

    pass_once(2)

    def run() -> float:
        started = time.perf_counter()
        pass_once(steps)
        return (time.perf_counter() - started) / steps

    return run


@lru_cache(maxsize=1)
def matmul(units: int, timesteps: int, batch: int, depth: int, steps: int) -> Callable[[], float]:
    """Seconds of one matrix product (timesteps * batch, units) by (units, 4 units)."""
    import tensorflow as tf  # noqa: PLC0415

    network(units, timesteps, batch, depth, fast=True)
    left, right = tf.ones((timesteps * batch, units)), tf.ones((units, 4 * units))
    product = tf.function(lambda: tf.reduce_max(tf.matmul(left, right)[:1]), autograph=False)
    product()

    def run() -> float:
        started = time.perf_counter()
        for _ in range(steps):
            product()
        return (time.perf_counter() - started) / steps

    return run


def main() -> None:
    """Answer cells until the input ends."""
    kind = {"ours": ours, "keras": keras, "torch": torch, "matmul": matmul}[sys.argv[1]]
    for line in sys.stdin:
        cell = json.loads(line)
        print(json.dumps(1e3 * kind(**cell)()), flush=True)


if __name__ == "__main__":
    main()
