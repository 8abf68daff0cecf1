"""The check of the audit that fits a model's linear part once more."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from objectives.classification.calibration import averaged
from objectives.classification.linear import choose_linear, fit_linear
from objectives.classification.messages import SequenceTask
from objectives.scaling import fit_scaling
from reports.wording import counted, number
from search.audit.checklist import Finding
from search.audit.saved_scaling import saved_linear
from search.classification.audit_subject import ClassSubject, covered
from search.classification.disturbing import task_of
from search.selection.refitting import MODEL, TRAIN_ONLY_MODEL

_SAME = 1e-4  # of the largest weight: they are saved in float32


def linear_part(subject: ClassSubject) -> Finding:
    """Whether both models' linear parts are those of the sequences that each may know.

    So are its penalty and its share, which the validation sequences tell.
    """
    validation, split = subject.stored.validation, subject.preparation.split
    parts = {TRAIN_ONLY_MODEL: split.folds[-1].train, MODEL: split.train_and_validation()}
    with TemporaryDirectory() as folder:
        task = task_of(subject, subject.sequences.values, Path(folder))
        steps = subject.winner.timesteps
        networks = averaged(validation.networks, subject.stored.temperature or 1.0)
        chosen = choose_linear(task, steps, networks)
        apart = []
        for model, numbers in parts.items():
            kernel, share = saved_linear(subject.directory / model)
            fresh = _kernel(subject, task, chosen.strength, numbers)
            apart += [np.abs(kernel - fresh).max() / np.abs(fresh).max(), abs(share - chosen.share)]
    return max(apart) <= _SAME, (
        f"kernels and shares in {MODEL} and {TRAIN_ONLY_MODEL} differ from those fitted anew by "
        f"{number(max(apart), 2)} at most; a share of {number(chosen.share, 3)} is best for the "
        f"{counted(len(validation.labels), 'sequence')} that validate"
    )


def _kernel(
    subject: ClassSubject, task: SequenceTask, strength: float, numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The kernel (timesteps * features, classes), for scaled values, fitted on some sequences."""
    rows = subject.sequences.values[covered(subject.sequences, numbers)]
    scaling = fit_scaling(subject.winner.scaling, rows)
    kernel = fit_linear(task, subject.winner.timesteps, strength, numbers).kernel
    scaled = kernel * scaling.scale[:, None]
    return scaled.reshape(-1, scaled.shape[-1])
