"""MLflow, through its own client."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What hangs would keep the display waiting: by default MLflow tries for minutes. Nor does it need to
# tell its makers.
for _name, _value in (
    ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"),
    ("MLFLOW_HTTP_REQUEST_TIMEOUT", "10"),
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
):
    os.environ.setdefault(_name, _value)

from mlflow.entities import Metric, Param  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402

from reports.classification.contents import ClassificationReport  # noqa: E402
from reports.contents import StudyReport  # noqa: E402
from reports.verdict import verdict  # noqa: E402
from search.tracking.tracker import curve_points, parameters, winner_scores  # noqa: E402
from storage.records import TrialRecord  # noqa: E402

_TRIAL = "lstm_search.trial"  # the tag that holds a run's trial
_AT_ONCE = 1000  # metrics that MLflow takes in one request
_STATUS = {"failed": "FAILED", "complete": "FINISHED", "pruned": "FINISHED"}


class MLflow:
    """An experiment named after the study; `directory` gets the files where `uri` is a database."""

    def __init__(self, uri: str, study: str, directory: Path, metric: str) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=uri)
        self._directory, self._metric = directory, metric
        found = self._client.get_experiment_by_name(study)
        place = None if uri.startswith("http") else (directory / "mlflow").resolve().as_uri()
        self._experiment = (
            found.experiment_id
            if found
            else self._client.create_experiment(study, artifact_location=place)
        )

    def known(self) -> frozenset[int]:
        """Numbers of the trials that have a run which has ended."""
        known: set[int] = set()
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], "attributes.status != 'RUNNING'", page_token=token
            )
            known |= {int(run.data.tags[_TRIAL]) for run in page if _TRIAL in run.data.tags}
            token = page.token
            if not token:
                return frozenset(known)

    def log_trial(self, trial: TrialRecord) -> None:
        """Write curves, hyperparameters and the value."""
        began, ended = (
            None if at is None else int(at.timestamp() * 1000)
            for at in (trial.started, trial.ended)
        )
        metrics = [Metric(name, value, ended or 0, at) for name, at, value in curve_points(trial)]
        if trial.value is not None:
            metrics.append(Metric(f"best_validation_{self._metric}", trial.value, ended or 0, 0))
        tags = {_TRIAL: str(trial.number), "lstm_search.state": trial.state}
        if "failure" in trial.attributes:
            tags["lstm_search.failure"] = str(trial.attributes["failure"])[:500]
        run = self._begin(f"trial {trial.number}", tags, began)
        self._write(run, parameters(trial), metrics)
        self._client.set_terminated(run, _STATUS[trial.state], ended)

    def log_winner(self, report: StudyReport | ClassificationReport) -> None:
        """Write test scores and hyperparameters, and attach the model, its bundle and the report."""
        run = self._begin("winner", {"mlflow.note.content": verdict(report)}, None)
        metrics = [Metric(name, value, 0, 0) for name, value in winner_scores(report).items()]
        self._write(run, dict(report.winner.params), metrics)
        for name in ("model.keras", "model.json", "report.html", "report.json"):
            if (self._directory / name).exists():
                self._client.log_artifact(run, str(self._directory / name), "model")
        if (self._directory / "bundle").is_dir():
            self._client.log_artifacts(run, str(self._directory / "bundle"), "bundle")
        self._client.set_terminated(run)

    def _begin(self, name: str, tags: Mapping[str, str], began: int | None) -> str:
        run = self._client.create_run(self._experiment, began, dict(tags), run_name=name)
        return str(run.info.run_id)

    def _write(self, run: str, chosen: Mapping[str, Any], metrics: list[Metric]) -> None:
        params = [Param(name, str(value)) for name, value in chosen.items()]
        self._client.log_batch(run, metrics[:_AT_ONCE], params)
        for start in range(_AT_ONCE, len(metrics), _AT_ONCE):
            self._client.log_batch(run, metrics[start : start + _AT_ONCE])
