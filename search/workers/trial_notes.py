"""What a trial is and why it ended, in two lines."""

from math import isfinite
from typing import Any

from objectives.classification.messages import SequenceHyperparameters, TextHyperparameters
from objectives.objective import EndedTrial
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.settings import CommonTraining
from objectives.trials.messages import Epoch
from reports.wording import counted, number, setting

# What is worth a word only where it is unusual.
_USUAL: dict[str, Any] = {
    "recurrent_dropout": 0.0,
    "l2": 0.0,
    "activation": "tanh",
    "bidirectional": False,
    "scaling": "standard",
    "window_normalization": "none",
}


def trial_note(ended: EndedTrial, training: CommonTraining) -> str:
    """A trial's note: Markdown of two lines."""
    return f"{network_in_words(ended.hyperparameters)}  \n{end_in_words(ended, training)}"


def network_in_words(values: Hyperparameters | SequenceHyperparameters) -> str:
    """The hyperparameters as one line."""
    units = [str(width) for width in values.units]
    width = f"{len(units)} × {units[0]}" if len(set(units)) == 1 else " + ".join(units)
    unusual = [
        f"{name.replace('_', ' ')} {setting(getattr(values, name))}"
        for name, usual in _USUAL.items()
        if getattr(values, name, usual) != usual
    ]
    parts = [
        f"LSTM of {width} units on {counted(values.timesteps, 'row')}",
        f"dropout {setting(values.dropout)}",
        f"batches of {values.batch_size}",
        f"{values.optimizer} at {setting(values.learning_rate)}",
        *_output_in_words(values),
        *unusual,
    ]
    return ", ".join(parts)


def _output_in_words(values: Hyperparameters | SequenceHyperparameters) -> list[str]:
    skip = "a linear skip" if values.skip == "linear" else ""
    if isinstance(values, TextHyperparameters):
        return [f"words of {values.embedding_dim} numbers", *([skip] if skip else [])]
    if isinstance(values, SequenceHyperparameters):
        varied = (skip, f"noise {setting(values.noise)}", f"mixup {setting(values.mixup)}")
        return [text for text in varied if text]
    return [f"output {values.output}" + (f" with {skip}" if skip else "")]


def end_in_words(ended: EndedTrial, training: CommonTraining) -> str:
    """Why the trial ended, and what it was worth."""
    if ended.failure:
        again = "; it is tried again" if ended.again else ""
        at = f" in epoch {_place(ended.epochs[-1])}" if ended.epochs else ""
        return f"Failed{at}: {ended.failure}{again}"
    metric, last = training.metric, ended.epochs[-1]
    best = _best(ended, metric)
    reached = f"best {metric} {number(best.metrics[metric])} in epoch {_place(best)}"
    if ended.pruned:
        return (
            f"Pruned in epoch {_place(last)} at {metric} {number(last.metrics[metric])}; {reached}"
        )
    if ended.outcome is not None and ended.outcome.stopped == "patience":
        why = f"no better epoch in {training.patience}, ended by patience in epoch {_place(last)}"
    else:
        why = f"ran all {counted(training.epochs, 'epoch')}"
    mean = ""
    if ended.outcome is not None and len(ended.outcome.folds) > 1:
        folds = len(ended.outcome.folds)
        mean = f"mean {metric} of {folds} folds {number(ended.outcome.value(metric))}, "
    return f"Complete, {why}; {mean}{reached}"


def _best(ended: EndedTrial, metric: str) -> Epoch:
    """The best epoch of the last fold."""
    fold = [epoch for epoch in ended.epochs if epoch.fold == ended.epochs[-1].fold]
    return min(
        fold, key=lambda e: e.metrics[metric] if isfinite(e.metrics[metric]) else float("inf")
    )


def _place(epoch: Epoch) -> str:
    return str(epoch.number) if epoch.fold == 1 else f"{epoch.number} of fold {epoch.fold}"
