"""What the network shall be shown and what it shall forecast, measured on validation alone.

    python -m tests.bench.outputs STUDY.toml [DATA.csv]

One network of middling size is trained for every choice of `output`, `skip` and `window_normalization`
and for several seeds, on the validation part that the study file says. Printed is a row for each choice:
the best validation metric by seed, and their mean. The test rows are not looked at.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from objectives.settings import TrainingSettings
from objectives.trials.messages import ForecastTask, TrialRequest
from objectives.trials.trial_process import run_in_process
from search.doctor.trial_speed import TYPICAL
from search.preparation import prepare, share_rows
from search.study import load_study

SEEDS = (0, 1, 2)
AT_ONCE = 2
MIDDLING = replace(TYPICAL, timesteps=72, units=(32,), learning_rate=2e-3)
CHOICES = tuple(product(("change", "level"), ("linear", "none"), ("none", "standard")))


def main(arguments: list[str]) -> None:
    """Print the table for one study file."""
    path, *data = arguments
    changes = {"data": {"path": data[0]}} if data else {}
    with TemporaryDirectory() as folder:
        study = load_study(Path(path), {**changes, "output": {"directory": folder}})
        study.directory.mkdir(parents=True)
        task = share_rows(prepare(study), study)
        training = TrainingSettings(epochs=20, patience=5, metric=study.training.metric)
        task = replace(task, training=training)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rows = pool.map(lambda choice: values(task, choice), CHOICES)
            for choice, row in zip(CHOICES, rows, strict=True):
                by_seed = ", ".join(f"{value:.5f}" for value in row)
                print(" | ".join((*choice, by_seed, f"{fmean(row):.5f}")), flush=True)


def values(task: ForecastTask, choice: tuple[str, str, str]) -> list[float]:
    """The best validation metric of one choice for every seed."""
    output, skip, normalization = choice
    wanted = replace(MIDDLING, output=output, skip=skip, window_normalization=normalization)
    metric = task.training.metric
    return [
        run_in_process(TrialRequest(task, wanted, seed), lambda _: True).value(metric)
        for seed in SEEDS
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
