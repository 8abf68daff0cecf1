"""What stays true of a study while it is searched, for the note about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from objectives.classification.metrics import (
    confusion_matrix,
    log_losses,
    matrix_scores,
    predicted_labels,
)
from reports.classification.contents import judged_by
from reports.wording import counted
from search.classification.preparation import SequencePreparation
from search.preparation import Preparation
from search.reporting.forecast_report import task_in_words
from search.reporting.naive import naive_scores
from search.study import AnyStudy, ClassificationStudy, Study
from search.tasks import AnyPreparation

_MOST_CLASSES = 12  # that a note names


@dataclass(frozen=True)
class Facts:
    """What stays true of a study: `task`, `metric`, lines by label, and naive scores on validation."""

    task: str
    metric: str
    lines: Mapping[str, str]
    naive: Mapping[str, float]


def facts_of(study: AnyStudy, preparation: AnyPreparation) -> Facts:
    """Gather what a note says from the start; baselines are made and scored for it."""
    if isinstance(study, Study) and isinstance(preparation, Preparation):
        return _of_forecasts(study, preparation)
    if isinstance(study, ClassificationStudy) and isinstance(preparation, SequencePreparation):
        return _of_classes(study, preparation)
    raise TypeError(f"a {type(study).__name__} was prepared as {type(preparation).__name__}")


def _of_forecasts(study: Study, preparation: Preparation) -> Facts:
    dataset, split = preparation.dataset, preparation.split
    metric, longest = study.training.metric, study.space.largest_timesteps
    blocks = "" if len(split.folds) == 1 else f", the mean of {len(split.folds)} blocks"
    lines = {
        "data": f"{dataset.source}: {len(dataset.values)} rows of {', '.join(dataset.columns)}",
        "objective": f"validation {metric}, the lower the better, in units of the training rows' "
        f"deviation{blocks}",
        **{
            part.name: f"{preparation.dates(part)} ({counted(len(part.origins), 'window')})"
            for part in split.parts
        },
        "sampler and pruner": f"{study.study.sampler}, {study.study.pruner}",
    }
    task = task_in_words(dataset.targets, study.data.horizon)
    return Facts(task, metric, lines, naive_scores(preparation, longest, metric))


def _of_classes(study: ClassificationStudy, preparation: SequencePreparation) -> Facts:
    sequences, split = preparation.sequences, preparation.split
    metric, folds = study.training.metric, len(split.folds)
    mean = "" if folds == 1 else f", the mean of {folds} folds that take turns"
    known = sequences.labels[split.train_and_validation()]
    counts = np.bincount(known, minlength=len(sequences.classes))
    shown = list(zip(sequences.classes, counts, strict=True))[:_MOST_CLASSES]
    more = ", …" if len(sequences.classes) > _MOST_CLASSES else ""
    kind = "text" if sequences.words else "sequence"
    lines = {
        "data": f"{sequences.source}: {counted(len(sequences.labels), kind)} of {sequences.reach}",
        "objective": f"validation {metric}, the lower the better{mean}",
        "classes": ", ".join(f"{name} ({count})" for name, count in shown) + more,
        "train and validation": counted(len(known), kind),
        "test": counted(len(split.test), kind),
        "sampler and pruner": f"{study.study.sampler}, {study.study.pruner}",
    }
    task = f"classify {kind}s into {len(sequences.classes)} classes"
    return Facts(task, metric, lines, majority_score(preparation, metric))


def majority_score(preparation: SequencePreparation, metric: str) -> dict[str, float]:
    """What always answering with the classes' shares in training is worth on validation."""
    labels, classes = preparation.sequences.labels, len(preparation.sequences.classes)
    values = []
    for fold in preparation.split.folds:
        shares = np.bincount(labels[fold.train], minlength=classes) / len(fold.train)
        truth = labels[fold.validation]
        answers = np.tile(shares, (len(truth), 1))
        matrix = confusion_matrix(truth, predicted_labels(answers), classes)
        found = {**matrix_scores(matrix), "log_loss": float(log_losses(truth, answers).mean())}
        values.append(judged_by(metric, found))
    return {"majority_class": fmean(values)}
