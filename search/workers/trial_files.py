"""A trial's note and files, written before its study is told, so that the dashboard has them."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.artifacts._protocol import ArtifactStore

from objectives.classification.messages import SequenceTask
from objectives.classification.metrics import confusion_matrix, predicted_labels
from objectives.objective import EndedTrial
from objectives.trials.messages import PICTURED_SECONDS, Task, TrialOutcome
from reports.wording import counted
from search.study import AnyStudy, Study
from search.workers.trial_notes import trial_note
from storage.artifacts import attach_file
from storage.database import Database
from storage.errors import StorageError
from storage.notes import write_trial_note

MOST_NOTES = 1000  # of one study: the dashboard reads them all whenever it looks
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Destination:
    """Where notes are written, and files kept; no files where `store` is None."""

    storage: Database
    store: ArtifactStore | None


def describe_trial(
    study: AnyStudy,
    task: Task,
    destination: Destination,
    trial: optuna.Trial,
    ended: EndedTrial,
) -> None:
    """Write the note of a trial, and its files if it took `PICTURED_SECONDS`.

    A trial that is tried again gets no files, and where none can be written the trial stands all the
    same; its attribute "artifact_failure" says why.
    """
    if trial.number < MOST_NOTES:
        note = trial_note(ended, study.training)
        write_trial_note(destination.storage, trial.study._study_id, trial._trial_id, note)
    store = destination.store
    if store is None or not ended.epochs or ended.again or ended.seconds < PICTURED_SECONDS:
        return
    try:
        with TemporaryDirectory() as folder:
            for file in _files(Path(folder), study, task, trial, ended):
                attach_file(store, trial, file)
    except (OSError, StorageError) as error:
        trial.set_user_attr("artifact_failure", str(error))


def _files(
    folder: Path, study: AnyStudy, task: Task, trial: optuna.Trial, ended: EndedTrial
) -> list[Path]:
    about = folder / "trial.json"
    about.write_text(json.dumps(_facts(trial, ended, study.training.metric), indent=1))
    try:
        return [*_pictures(folder, study, task, trial, ended), about]
    except Exception:
        # Whatever is the matter with a picture, it must not cost the trial.
        _logger.exception("no pictures of trial %d", trial.number)
        return [about]


def _pictures(
    folder: Path, study: AnyStudy, task: Task, trial: optuna.Trial, ended: EndedTrial
) -> list[Path]:
    # Only workers that draw pay the 30 MB and the half second that matplotlib takes.
    from reports import trial_pictures as pictures  # noqa: PLC0415

    metric, path = study.training.metric, folder / "loss_curves.png"
    validation = [epoch.metrics[metric] for epoch in ended.epochs]
    curves = pictures.TrialCurves(
        metric=metric,
        loss=[epoch.loss for epoch in ended.epochs],
        validation=validation,
        best=min(range(len(validation)), key=validation.__getitem__),
    )
    title = f"Trial {trial.number}"
    pictures.save_loss_curves(path, f"{title}: loss by epoch", curves)
    if ended.outcome is None:
        return [path]
    if isinstance(task, SequenceTask):
        return [path, *_confusion(folder, task, title, ended.outcome)]
    glimpse = ended.outcome.glimpse
    if not glimpse or not isinstance(study, Study):
        return [path]
    second, target = folder / "validation_forecast.png", study.data.targets[0]
    piece = pictures.ValidationPiece(target, glimpse.rows, glimpse.truth, glimpse.forecast)
    pictures.save_validation_forecast(second, f"{title} on validation", piece)
    return [path, second]


def _confusion(folder: Path, task: SequenceTask, title: str, outcome: TrialOutcome) -> list[Path]:
    """Draw what the networks at their best take the validation sequences for, if there are logits."""
    from reports import trial_pictures as pictures  # noqa: PLC0415

    matrix = validation_confusion(task, outcome)
    path, right, total = folder / "validation_confusion.png", np.trace(matrix), matrix.sum()
    said = f"{title}: {right} of {counted(int(total), 'validation sequence')} right"
    if total and pictures.save_validation_confusion(path, said, task.names, matrix):
        return [path]
    return []


def validation_confusion(task: SequenceTask, outcome: TrialOutcome) -> NDArray[np.int64]:
    """Count validation sequences (classes, classes) of the folds whose logits are there."""
    matrix = np.zeros((task.classes, task.classes), np.int64)
    # A trial that was ended has fewer folds than the task.
    for fold, judged in zip(task.split.folds, outcome.folds, strict=False):
        if judged.outputs is not None:
            predicted = predicted_labels(judged.outputs.astype(np.float64))
            truth = task.labels[fold.validation]
            matrix += confusion_matrix(truth, predicted, task.classes).astype(np.int64)
    return matrix


def _facts(trial: optuna.Trial, ended: EndedTrial, metric: str) -> dict[str, object]:
    """What `trial.json` says: all that is needed to train the trial again, and what came of it."""
    outcome = ended.outcome
    state = "failed" if outcome is None else "pruned" if ended.pruned else "complete"
    return {
        "study": trial.study.study_name,
        "trial": trial.number,
        "state": state,
        "metric": metric,
        "value": None if outcome is None or ended.pruned else outcome.value(metric),
        "failure": ended.failure or None,
        "seed": ended.seed,
        "hyperparameters": ended.hyperparameters.as_dict(),
        "parameters": outcome and outcome.parameters,
        "seconds": round(ended.seconds, 3),
        "epochs": [asdict(epoch) for epoch in ended.epochs],
    }
