"""What becomes of a winner's logits in its models, as the validation sequences tell."""

from dataclasses import replace

from objectives.classification.linear import choose_linear, fit_linear, has_linear_part
from objectives.classification.messages import Ending, SequenceTask
from search.classification.validation import (
    calibrated,
    collected,
    save_validation,
)
from search.study import ClassificationStudy
from search.workers.weights import Kept


def decide_endings(
    study: ClassificationStudy, task: SequenceTask, kept: Kept, timesteps: int
) -> tuple[Ending, Ending]:
    """Choose the temperature, then the linear part, and keep what both were chosen by.

    They come in the endings of the models before and after the refit.

    Args:
        study: says what is wanted; its folder gets the validation file.
        task: as for the trials.
        kept: what is kept of the winner.
        timesteps: the rows of a sequence that the winner sees.
    """
    validation = collected(task, kept, study.final.members)
    temperature = calibrated(validation, study.final)
    if not (study.final.linear and has_linear_part(task, timesteps)):
        save_validation(study.directory, validation)
        return Ending(temperature), Ending(temperature)
    linear = choose_linear(task, timesteps, validation.probabilities(temperature or 1.0))
    save_validation(study.directory, validation.with_linear(linear))
    before, after = (
        replace(fit_linear(task, timesteps, linear.strength, numbers), share=linear.share)
        for numbers in (task.split.folds[-1].train, task.split.train_and_validation())
    )
    return Ending(temperature, before), Ending(temperature, after)
