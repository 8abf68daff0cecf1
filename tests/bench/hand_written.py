"""What one writes today: Optuna, Keras and KerasPruningCallback in one process, without this project.

    python tests/bench/hand_written.py ETTh1.csv TRIALS OUT.json

Oil temperature of ETTh1 from itself, 24 hours ahead, the usual split. Writes the seconds of the search,
the best validation error in training-standardised units and the points that were tried.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
started = time.perf_counter()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import optuna  # noqa: E402
import pandas as pd  # noqa: E402
from optuna_integration import KerasPruningCallback  # noqa: E402

TRAIN, VALIDATION, HORIZON = 8640, 2880, 24
EPOCHS, PATIENCE, LONGEST = 20, 6, 168


def windows(series: np.ndarray, first: int, end: int, timesteps: int):
    """Inputs (windows, timesteps, 1) and aims (windows, horizon); targets in rows first ... end - 1."""
    origins = np.arange(first, end - HORIZON + 1)
    inputs = np.stack([series[origin - timesteps : origin] for origin in origins])
    aims = np.stack([series[origin : origin + HORIZON] for origin in origins])
    return inputs[..., None], aims


def main() -> None:
    """Run the study."""
    values = pd.read_csv(sys.argv[1])["OT"].to_numpy()
    training = values[:TRAIN]
    series = ((values - training.mean()) / training.std()).astype(np.float32)

    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        timesteps = trial.suggest_int("timesteps", 24, LONGEST, step=24)
        units = trial.suggest_int("units", 16, 128, step=16)
        depth = trial.suggest_int("depth", 1, 2)
        dropout = trial.suggest_float("dropout", 0.0, 0.4, step=0.1)
        batch_size = trial.suggest_categorical("batch_size", [32, 64, 128])
        learning_rate = trial.suggest_float("learning_rate", 3e-4, 5e-3, log=True)
        model = keras.Sequential([keras.Input((timesteps, 1))])
        for layer in range(depth):
            model.add(keras.layers.LSTM(units, return_sequences=layer < depth - 1))
            model.add(keras.layers.Dropout(dropout))
        model.add(keras.layers.Dense(HORIZON))
        model.compile(keras.optimizers.Adam(learning_rate, clipnorm=1.0), "mse")
        history = model.fit(
            *windows(series, LONGEST, TRAIN, timesteps),
            validation_data=windows(series, TRAIN, TRAIN + VALIDATION, timesteps),
            batch_size=batch_size,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[
                KerasPruningCallback(trial, "val_loss"),
                keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True),
            ],
        )
        return min(history.history["val_loss"])

    # The warm-up is that of this project's default, so that both give trials up by one rule.
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=EPOCHS // 5),
    )
    study.optimize(objective, n_trials=int(sys.argv[2]))
    found = {
        "seconds": time.perf_counter() - started,
        "best": study.best_value,
        "points": [trial.params for trial in study.trials],
        "states": [trial.state.name for trial in study.trials],
        "epochs": [len(trial.intermediate_values) for trial in study.trials],
    }
    Path(sys.argv[3]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
