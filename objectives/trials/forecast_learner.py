"""Forecasting, as a trial process learns it."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from objectives.lstm.network import build_deployable, build_network
from objectives.scaling import Scaling, fit_scaling
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.settings import MEDIAN
from objectives.split import validation_hash
from objectives.trials.graph_trainer import GraphTrainer
from objectives.trials.learner import Loaded, TrainedNetwork, on_cpu
from objectives.trials.messages import ForecastTask, Glimpse
from objectives.trials.scaled_rows import scaled_rows
from objectives.trials.training import Examples
from objectives.trials.window_trainer import WindowTrainer
from objectives.windows import target_windows

_GLIMPSE_ROWS = 200  # of validation, as many as a picture has room for


@dataclass(frozen=True)
class ForecastLearner:
    """A forecast task under one trial's hyperparameters; see `Learner`."""

    task: ForecastTask
    hyperparameters: Hyperparameters

    @property
    def target_hash(self) -> str:
        """Identifies the validation targets of all folds."""
        return validation_hash(self.task.split)

    def load_fold(self, number: int) -> Loaded[Scaling]:
        """One fold, judged in one unit for all, the deviation of the last fold's training rows.

        So that folds can be averaged and the mean compared with the figures of a report.
        """
        task, folds = self.task, self.task.split.folds
        fold, last = folds[number - 1], folds[-1].train
        scaling, rows = scaled_rows(task, self.hyperparameters.scaling, fold.train)
        targets = task.load_rows()[last.first : last.end, : task.targets]
        unit = scaling.scale[: task.targets] / fit_scaling("standard", targets).scale
        examples = Examples(fold.train.origins, fold.validation.origins, number)
        return Loaded(examples, scaling, lambda seed: self._trainer(rows, unit, seed))

    def load_everything(self) -> Loaded[Scaling]:
        """Training and validation rows, and what lies between them."""
        part = self.task.split.train_and_validation()
        scaling, rows = scaled_rows(self.task, self.hyperparameters.scaling, part)
        examples = Examples(part.origins, part.origins[:0])
        unit = np.ones(self.task.targets)
        return Loaded(examples, scaling, lambda seed: self._trainer(rows, unit, seed))

    def judged_outputs(self, fold: Loaded[Scaling], trainer: GraphTrainer) -> None:
        """Nothing: forecasts are as large as the data."""

    def glimpse(self, fold: Loaded[Scaling], trainer: GraphTrainer) -> Glimpse:
        """Forecasts of what validation ends with, by windows that share no targets."""
        task, horizon = self.task, self.task.split.horizon
        apart = -(-horizon // task.split.stride)
        windows = max(1, _GLIMPSE_ROWS // horizon)
        origins = fold.examples.validation[::-apart][:windows][::-1]
        scaled = trainer.outputs(origins)
        if quantiles := task.training.forecast_quantiles:
            scaled = scaled[..., quantiles.index(MEDIAN)]
        truth = target_windows(task.load_rows(), origins, horizon, 1)
        return Glimpse(
            rows=origins[:, None] + np.arange(horizon),
            truth=truth[..., 0].astype(np.float64),
            forecast=fold.fitted.invert(scaled)[..., 0],
        )

    def deployable(self, members: Sequence[TrainedNetwork], fitted: Scaling) -> keras.Model:
        """From raw windows to raw forecasts."""
        task = self.task
        return build_deployable(
            members,
            fitted,
            task.targets,
            task.split.horizon,
            task.training.forecast_quantiles,
        )

    def _trainer(
        self, rows: NDArray[np.float32], unit: NDArray[np.float64], seed: int
    ) -> WindowTrainer:
        task = self.task
        keras.utils.set_random_seed(seed % 2**32)
        network = build_network(
            self.hyperparameters,
            rows.shape[1],
            task.targets,
            task.split.horizon,
            task.training.forecast_quantiles,
            fast=on_cpu(),
        )
        trainer = WindowTrainer(network, rows, self.hyperparameters, task.training, seed)
        trainer.unit = unit
        trainer.calendar = task.calendar
        return trainer
