"""What becomes of a winner's logits in its models, as the validation sequences tell."""

from dataclasses import replace

from objectives.classification.linear import fit_linear
from objectives.classification.messages import Ending, SequenceTask
from search.classification.validation import (
    calibrated,
    chosen_linear,
    collected,
    save_validation,
)
from search.study import ClassificationStudy
from search.weights import Kept


def decide_endings(
    study: ClassificationStudy, task: SequenceTask, kept: Kept, timesteps: int
) -> tuple[Ending, Ending]:
    """Choose the linear part, then the temperature, and keep what both were chosen by.

    They come in the endings of the models before and after the refit.

    Args:
        study: says what is wanted; its folder gets the validation file.
        task: as for the trials.
        kept: what is kept of the winner.
        timesteps: the rows of a sequence that the winner sees.
    """
    validation = collected(task, kept, study.final.members)
    linear = chosen_linear(task, timesteps, validation, study.final)
    if linear is not None:
        validation = validation.with_linear(linear)
    save_validation(study.directory, validation)
    temperature = calibrated(validation, study.final)
    if linear is None:
        return Ending(temperature), Ending(temperature)
    before, after = (
        replace(fit_linear(task, timesteps, linear.strength, numbers), share=linear.share)
        for numbers in (task.split.folds[-1].train, task.split.train_and_validation())
    )
    return Ending(temperature, before), Ending(temperature, after)
