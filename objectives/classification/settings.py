"""What the user may choose about labelled sequences, their splits and training on them."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from objectives.settings import (
    CommonTraining,
    Fill,
    FinalSettings,
    Integer,
    Number,
    Section,
    Share,
)

SequenceMetric = Literal["calibrated_log_loss", "log_loss", "error_rate", "balanced_error_rate"]
# What decides between trials that are equal by a metric; less is better.
TIE_BREAKERS: dict[str, SequenceMetric] = {
    "calibrated_log_loss": "error_rate",
    "log_loss": "error_rate",
    "error_rate": "log_loss",
    "balanced_error_rate": "log_loss",
}
MANY_SEQUENCES = 2000  # from here on one validation part tells enough
_OF_STEPS = ("id", "time", "features", "timesteps", "stride", "fill")  # which texts have none of


class SequenceSettings(Section):
    """Where labelled sequences come from.

    `path` names a CSV or Parquet file with one row for each step, a .ts file or a NumPy .npz file, and
    `test_path` the official test set where it lies in a file of its own. The other names are columns of
    a table: `id` tells sequences apart, `label` is the class, the same in all rows of a sequence, and
    `time` gives the order of its rows, `group` what must not stand on both sides of a split, such as a
    subject, and `split` "train" or "test" where the split is an official one; the last three default to
    the columns "time", "group" and "split" where the table has them. `features` are the inputs, None for
    every other numeric column. With `timesteps` the table is one labelled stream instead: windows of so
    many rows, `stride` rows apart (None for no overlap), each with the label of its last row, and no
    window reaches over the border of two groups. `fill` says what becomes of missing cells, within each
    sequence: as for forecasting. With `text` every row of the table is a sequence, the words in that
    column, which are the only input; the network knows the `vocabulary` most frequent ones of training.
    """

    task: Literal["classification"]
    path: str | None = None
    test_path: str | None = None
    id: str = "id"
    label: str = "label"
    time: str | None = None
    group: str | None = None
    split: str | None = None
    features: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    timesteps: Annotated[Integer, Field(ge=1)] | None = None
    stride: Annotated[Integer, Field(ge=1)] | None = None
    fill: Fill | Number = "none"
    text: str | None = None
    vocabulary: Annotated[Integer, Field(ge=1)] = 10_000

    @model_validator(mode="after")
    def _stride_of_windows(self) -> "SequenceSettings":
        if self.stride is not None and self.timesteps is None:
            raise ValueError("stride cuts a stream into windows: give timesteps too, or no stride")
        return self

    @model_validator(mode="after")
    def _text_alone(self) -> "SequenceSettings":
        others = ("vocabulary",) if self.text is None else _OF_STEPS
        for name in others:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} goes with text: name the column of texts too, or leave {name} out"
                    if self.text is None
                    else f"text is the only input, a row for each text: leave {name} out"
                )
        return self


class SequenceSplitSettings(Section):
    """How sequences are divided.

    `test` is the share of all sequences that is kept for the test where the data have no official one,
    `validation` the share of all that validates where there is one fold. `folds` above 1 take turns in
    validating (stratified cross-validation), and a trial is worth their mean; None for 5 where
    fewer than 2,000 sequences train, else 1. A stream without groups is cut in time and has one fold.
    """

    validation: Share = 0.15
    test: Share = 0.15
    folds: Annotated[Integer, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _something_trains(self) -> "SequenceSplitSettings":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test add up to 1 or more, so that nothing trains")
        return self


class SequenceTraining(CommonTraining):
    """How every trial of classification trains, by cross-entropy.

    `metric` judges trials on validation. Log loss is the default: on a few dozen sequences error rates
    take a few values only, so that they can neither tell trials apart nor show when to stop. It is that
    of the best temperature, as the final model is given one: what a network knows is judged, and not how
    sure it is of that (Berta et al. 2025).
    `class_weights` "balanced" weighs each class by the inverse of its share in training;
    `label_smoothing` is the share of a label that is spread over all classes.
    An epoch passes through the training sequences as often as it takes to make `least_updates`: a few
    dozen sequences are a few updates, after which there is nothing new to judge.
    """

    metric: SequenceMetric = "calibrated_log_loss"
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    least_updates: Annotated[Integer, Field(ge=1)] = 16

    def passes_an_epoch(self, examples: int, batch_size: int) -> int:
        """How often an epoch passes through so many sequences."""
        return math.ceil(self.least_updates * batch_size / examples)


class SequenceFinal(FinalSettings):
    """How the winner is trained on train+validation, and what its probabilities become.

    By default five members share the work, all of them the winner from other seeds: their mean is worth
    more than any one of them where data are few (Lakshminarayanan et al. 2017).

    `calibration` "temperature" divides members' logits by the number that makes the log loss of the
    winner's validation predictions smallest, but for a prior (Guo et al. 2017): no member predicts
    another class for it, only how sure it is changes.

    With `linear` the members' mean is mixed with logistic regression on all values of a sequence, where
    all have as many steps; its penalty and its share are those of the smallest log loss on validation.
    """

    members: Annotated[Integer, Field(ge=1)] = 5
    calibration: Literal["none", "temperature"] = "temperature"
    linear: bool = True
