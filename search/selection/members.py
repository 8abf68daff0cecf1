"""Which networks make up the model of a study."""

from collections.abc import Sequence
from dataclasses import dataclass

from objectives.classification.messages import SequenceTask
from objectives.objective import (
    any_hyperparameters,
    mean_path,
    most_loss,
    recorded_path,
    replayed_path,
)
from objectives.split import Part
from objectives.trials.messages import Member, Task
from objectives.trials.seeds import member_seeds
from search.study import AnyStudy
from storage.records import TrialRecord

# From here on the MSE of two forecasts' mean is above the better one's, where errors correlate by .9.
_WORSE = 1.1


@dataclass(frozen=True)
class Retrained:
    """A network of a refitted model: the trial that it repeats on more examples, and its seed.

    `timesteps` counts the rows of a window that it sees.
    """

    trial: int
    seed: int
    timesteps: int


def plan_members(
    study: AnyStudy, task: Task, candidates: Sequence[TrialRecord]
) -> dict[Retrained, Member]:
    """Choose what is trained on train+validation: candidates take turns, each time with another seed.

    Networks that differ in more than their seeds err less alike, so that their mean is worth more. A
    model has one scaling, so that only candidates with the winner's take part, and of these none whose
    validation value is more than a tenth worse. A temperature is fitted to the winner's predictions
    alone, so that a classifier's members all repeat the winner.

    Args:
        study: says how many there shall be, and for how long they are trained.
        task: as for the trials.
        candidates: confirmed trials, the winner first.
    """
    winner = candidates[0]
    others = () if isinstance(task, SequenceTask) else candidates[1:]
    taking_turns = [winner, *(trial for trial in others if _goes_with(trial, winner))]
    planned = {}
    for number in range(study.final.members):
        round_, place = divmod(number, len(taking_turns))
        trial = taking_turns[place]
        seed = member_seeds(trial.attributes["seed"], 1 + round_)[round_]
        member = _member(study, task, trial, seed)
        planned[Retrained(trial.number, seed, member.hyperparameters.timesteps)] = member
    return planned


def _goes_with(trial: TrialRecord, winner: TrialRecord) -> bool:
    if trial.value is None or winner.value is None or trial.value > _WORSE * winner.value:
        return False
    scalings = {any_hyperparameters(each.attributes).scaling for each in (trial, winner)}
    return len(scalings) == 1


def _member(study: AnyStudy, task: Task, trial: TrialRecord, seed: int) -> Member:
    hyperparameters = any_hyperparameters(trial.attributes)
    known = task.split.train_and_validation()
    examples = len(known.origins if isinstance(known, Part) else known)
    epoch = study.training.updates_an_epoch(examples, hyperparameters.batch_size)
    of_trial = mean_path if isinstance(task, SequenceTask) else recorded_path
    path = of_trial(trial.attributes)
    replayed = replayed_path(path, study.final, epoch)
    return Member(hyperparameters, seed, replayed, most_loss(trial.attributes, path))
