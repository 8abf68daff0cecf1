"""What pruning saved: the epochs that pruned trials did not train for."""

from dataclasses import dataclass
from statistics import median

from reports.counts import finished_trials
from storage.records import StudyRecord


@dataclass(frozen=True)
class Pruning:
    """Epochs trained and saved, and the seconds that those would have taken.

    A pruned trial is taken to have trained for as many epochs as complete ones do in the median, at
    its own seconds an epoch, if it had been left alone.
    """

    epochs_trained: int
    epochs_saved: float
    seconds_saved: float


def pruning_info(study: StudyRecord) -> Pruning | None:
    """Estimate what pruning saved; None where no trial was pruned or none is complete."""
    trials = finished_trials(study)
    lengths = [len(trial.intermediate_values) for trial in trials if trial.state == "complete"]
    pruned = [t for t in trials if t.state == "pruned" and t.intermediate_values]
    if not lengths or not pruned:
        return None
    usual = median(lengths)
    saved = [(max(0.0, usual - len(t.intermediate_values)), t) for t in pruned]
    return Pruning(
        epochs_trained=sum(len(trial.intermediate_values) for trial in trials),
        epochs_saved=sum(epochs for epochs, _ in saved),
        seconds_saved=sum(
            epochs * (trial.seconds or 0.0) / len(trial.intermediate_values)
            for epochs, trial in saved
        ),
    )
