"""What trials took, and what pruning saved: the epochs that pruned trials did not train for."""

from dataclasses import dataclass
from statistics import median

from reports.counts import FINISHED_STATES, finished_trials
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


@dataclass(frozen=True)
class Effort:
    """What the finished trials of one state took: epochs, and seconds from start to end."""

    trials: int
    epochs: int
    seconds: float


def effort_by_state(study: StudyRecord) -> dict[str, Effort]:
    """Add up what trials took, for "complete", "pruned" and "failed" ones."""
    finished = finished_trials(study)
    found = {state: [t for t in finished if t.state == state] for state in FINISHED_STATES}
    return {
        state: Effort(
            trials=len(trials),
            epochs=sum(len(trial.intermediate_values) for trial in trials),
            seconds=sum(trial.seconds or 0.0 for trial in trials),
        )
        for state, trials in found.items()
    }


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
