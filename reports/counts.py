"""Which trials of a study count, and how many of them there are in each state."""

from storage.records import StudyRecord, TrialRecord

FINISHED_STATES = ("complete", "pruned", "failed")


def finished_trials(study: StudyRecord) -> tuple[TrialRecord, ...]:
    """Give the trials that count: those that ended, less the failed ones that were tried again.

    A worker that is killed leaves a failed trial behind and its work goes to a new one, whose
    attribute "retry_of" is the old number; counting both would report one trial as two.
    """
    retried = {trial.attributes.get("retry_of") for trial in study.trials}
    return tuple(
        trial
        for trial in study.trials
        if trial.state in FINISHED_STATES
        and not (trial.state == "failed" and trial.number in retried)
    )


def first_tries(study: StudyRecord) -> int:
    """Count the trials that stand for no other, in whatever state."""
    return sum("retry_of" not in trial.attributes for trial in study.trials)


def trial_counts(study: StudyRecord) -> dict[str, int]:
    """Count the finished trials: "total", "complete", "pruned" and "failed"."""
    states = [trial.state for trial in finished_trials(study)]
    return {"total": len(states), **{state: states.count(state) for state in FINISHED_STATES}}
