"""Trackers that follow a search from the process that began it.

They read what has ended from the study's record, as the display does. So workers need neither their
packages nor their servers, and a tracker that fails can cost no trial.
"""

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from objectives.errors import InputError
from reports.classification.contents import ClassificationReport
from reports.contents import StudyReport
from reports.counts import finished_trials
from search.searching import Progress
from search.study import AnyStudy
from search.tracking.tracker import Tracker
from storage.address import HIDDEN
from storage.records import StudyRecord

_AT_ONCE_SECONDS = 2.0  # for which a tracker may keep the display waiting at a time
_PASSWORD = re.compile(r"//[^/@\s]*@")  # MLflow's messages repeat the address of its server
_LAST_SECONDS = 600.0  # and the end of the run


def check_trackers(study: AnyStudy) -> None:
    """Find out now whether what [tracking] asks for is installed.

    Raises:
        InputError: it is not; the message says what installs it.
    """
    wanted = {
        "tensorboard": ("tensorboardX", study.tracking.tensorboard),
        "mlflow": ("mlflow", study.tracking.mlflow is not None),
    }
    for extra, (package, asked) in wanted.items():
        if asked and find_spec(package) is None:
            raise InputError(
                f"[tracking] {extra} needs the package {package}: pip install 'lstm-search[{extra}]'"
            )


@dataclass
class Following:
    """A tracker that is opened when it is first needed, and left alone once it has failed."""

    name: str
    open: Callable[[], Tracker]
    _tracker: Tracker | None = field(default=None, init=False)
    _logged: set[int] = field(default_factory=set, init=False)
    _failed: bool = field(default=False, init=False)

    def catch_up(self, record: StudyRecord, seconds: float) -> None:
        """Log the trials that have ended, for about so many seconds."""

        def log(tracker: Tracker) -> None:
            deadline = time.monotonic() + seconds  # opening it may have taken longer
            for trial in finished_trials(record):
                if trial.number not in self._logged and time.monotonic() < deadline:
                    tracker.log_trial(trial)
                    self._logged.add(trial.number)

        self._unless_failed(log)

    def finish(self, report: StudyReport | ClassificationReport) -> None:
        """Log what is missing, then the winner."""
        self.catch_up(report.study, _LAST_SECONDS)
        self._unless_failed(lambda tracker: tracker.log_winner(report))

    def _unless_failed(self, act: Callable[[Tracker], None]) -> None:
        """Whatever the tracker raises is told once and goes no further."""
        if self._failed:
            return
        try:
            if self._tracker is None:
                self._tracker = self.open()
                self._logged = set(self._tracker.known())
            act(self._tracker)
        except Exception as error:
            self._failed = True
            said = _PASSWORD.sub(f"//{HIDDEN}@", next(iter(str(error).splitlines()), ""))
            print(
                f"lstm-search: {self.name} is left alone for the rest of this run: "
                f"{type(error).__name__}: {said}",
                file=sys.stderr,
            )


def followers(study: AnyStudy) -> list[Following]:
    """What [tracking] asks for."""
    metric, directory, name = study.training.metric, study.directory, study.study.name
    uri = study.tracking.mlflow
    found = []
    if study.tracking.tensorboard:
        found.append(Following("TensorBoard", partial(_tensorboard, directory, metric)))
    if uri is not None:
        found.append(Following("MLflow", partial(_mlflow, uri, name, directory, metric)))
    return found


def _tensorboard(directory: Path, metric: str) -> Tracker:
    from search.tracking.tensorboard import TensorBoard  # noqa: PLC0415  (an extra)

    return TensorBoard(directory / "tensorboard", metric)


def _mlflow(uri: str, name: str, directory: Path, metric: str) -> Tracker:
    from search.tracking.mlflow import MLflow  # noqa: PLC0415  (an extra, and seconds to import)

    return MLflow(uri, name, directory, metric)


def follow(following: Sequence[Following], progress: Progress, study: str) -> None:
    """Let each log what has ended in the search of `study`, but nothing of its confirmation."""
    if progress.record.name == study:
        for each in following:
            each.catch_up(progress.record, _AT_ONCE_SECONDS)
