"""TensorBoard's event files, written by tensorboardX: the run stays free of TensorFlow."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport
from reports.verdict import verdict
from search.tracking.tracker import curve_points, parameters, winner_scores
from storage.records import TrialRecord


class TensorBoard:
    """A folder of event files for each run below a study's own; a folder is whole or not there."""

    def __init__(self, directory: Path, metric: str) -> None:
        self._directory = directory
        self._metric = metric

    def known(self) -> frozenset[int]:
        """Numbers of the trials that have a folder."""
        names = (path.name.removeprefix("trial_") for path in self._directory.glob("trial_*"))
        return frozenset(int(name) for name in names)

    def log_trial(self, trial: TrialRecord) -> None:
        """Write curves, hyperparameters and the value."""
        at = trial.ended.timestamp() if trial.ended else None
        with self._run(f"trial_{trial.number:04d}") as writer:
            for name, epoch, value in curve_points(trial):
                writer.add_scalar(name, value, epoch, walltime=at)
            best = {} if trial.value is None else {f"best_validation_{self._metric}": trial.value}
            _add_results(writer, parameters(trial), best)

    def log_winner(self, report: StudyReport | ClassificationReport) -> None:
        """Write test scores, hyperparameters, and the verdict in words."""
        with self._run("winner") as writer:
            _add_results(writer, dict(report.winner.params), winner_scores(report))
            writer.add_text("verdict", f"{verdict(report)}\n\nmodel: {report.paths['model']}")

    @contextmanager
    def _run(self, name: str) -> Iterator[SummaryWriter]:
        unfinished = self._directory / f".{name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        with SummaryWriter(logdir=str(unfinished)) as writer:
            yield writer
        shutil.rmtree(self._directory / name, ignore_errors=True)
        unfinished.rename(self._directory / name)


def _add_results(
    writer: SummaryWriter, chosen: Mapping[str, Any], results: Mapping[str, float]
) -> None:
    plain = {k: v if isinstance(v, int | float | bool) else str(v) for k, v in chosen.items()}
    for summary in hparams(plain, dict(results)):
        writer.file_writer.add_summary(summary)
    for name, value in results.items():
        writer.add_scalar(name, value, 0)
