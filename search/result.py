"""What `run_study` returns: the report, and its tables as DataFrames."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport


@dataclass(frozen=True)
class StudyResult:
    """A finished study; `report` holds everything, `directory` is where its files are.

    `export_problems` say why a format is missing from the bundle, and `export_warnings` what users of
    the model must know, a line each.
    """

    report: StudyReport | ClassificationReport
    directory: Path
    export_problems: tuple[str, ...] = ()
    export_warnings: tuple[str, ...] = ()

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The winner's hyperparameters."""
        return dict(self.report.winner.params)

    @property
    def scores(self) -> pd.DataFrame:
        """Test scores, of forecasts in the data's units: a row for each of the models and baselines."""
        if isinstance(self.report, ClassificationReport):
            classifiers = {"refitted": self.report.test, "train_only": self.report.train_only}
            return pd.DataFrame({**classifiers, **self.report.baselines}).T
        forecasts = {
            "refitted": self.report.test,
            "train_only": self.report.train_only,
            **self.report.baselines,
        }
        return pd.DataFrame(
            {name: dict(found.data_units.overall) for name, found in forecasts.items()}
        ).T

    @property
    def trials(self) -> pd.DataFrame:
        """A row for each trial: state, value, parameters, epochs, seconds and reason of failure."""
        return trials_frame(self.report.study.trials)

    @property
    def histories(self) -> pd.DataFrame:
        """A row for each epoch of each trial: training loss, validation metrics, learning rate."""
        frames = [
            pd.DataFrame(trial.attributes["curves"]).assign(trial=trial.number)
            for trial in self.report.study.trials
            if "curves" in trial.attributes
        ]
        curves = pd.concat(frames)
        curves.index = pd.Index(curves.index + 1, name="epoch")
        return curves.reset_index().set_index(["trial", "epoch"])

    def load_model(self) -> Any:
        """Load the refitted Keras model: windows in the data's units in, forecasts out."""
        import keras  # noqa: PLC0415  (takes seconds, and only this needs it)

        return keras.saving.load_model(
            self.directory / "model.keras", compile=False, safe_mode=True
        )


def trials_frame(trials: Any) -> pd.DataFrame:
    """Trial records as a table, a row each."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state,
            "value": trial.value,
            **trial.params,
            "epochs": trial.attributes.get("epochs"),
            "best_epoch": trial.attributes.get("best_epoch"),
            "seconds": trial.seconds,
            "failure": trial.attributes.get("failure"),
        }
        for trial in trials
    ]
    return pd.DataFrame(rows).set_index("trial") if rows else pd.DataFrame()
