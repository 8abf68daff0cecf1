"""What the user may choose about data, splits and training, validated when it is made."""

import math
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    model_validator,
)

Fill = Literal["none", "forward", "interpolate"]
Optimizer = Literal["adam", "adamw", "rmsprop", "sgd"]
Metric = Literal["mse", "mae", "rmse"]
Period = Literal["day", "week", "year"]
Integer = Annotated[int, Strict()]
Number = Annotated[float, Strict(), AllowInfNan(False)]
Share = Annotated[Number, Field(gt=0, lt=1)]
Rows = Annotated[Integer, Field(ge=1)]
Gap = Annotated[Integer, Field(ge=0)]
Quantiles = tuple[Share, ...]
MEDIAN = 0.5


def _distinct(periods: tuple[Period, ...]) -> tuple[Period, ...]:
    if len(set(periods)) < len(periods):
        raise ValueError("a period is listed twice")
    return periods


class Section(BaseModel):
    """A section of a study file: frozen, typed strictly, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DataSettings(Section):
    """Where the series comes from and what is forecast from it.

    `path` names a CSV or Parquet file (None when a DataFrame is passed from Python). `time` names the
    column of timestamps; None means equidistant rows (a DataFrame's DatetimeIndex is used anyway).
    Rows before `first_row` are left out, as if the table began there. `features` are the input columns,
    None for every numeric column; targets are always inputs too. So are the `categorical` columns, of
    text or codes: one column of zeros and ones for each category that the training rows have (any other
    is zero in all). `calendar` adds columns that say where in these periods a row lies, told from its
    timestamp. `horizon` and `stride` count rows: how many steps are forecast, and how far apart
    two windows' first targets lie. `fill` says what becomes of missing cells and missing timestamps:
    "none" refuses them, "forward" repeats the last value, "interpolate" draws a line (which looks ahead
    to the next value), and a number stands in for every one of them (a missing category is none).
    `season` is the period of the seasonal naive forecast in rows, None to find it in the training rows.
    """

    path: str | None = None
    time: str | None = None
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    features: tuple[str, ...] | None = None
    categorical: tuple[str, ...] = ()
    calendar: Annotated[tuple[Period, ...], AfterValidator(_distinct)] = ()
    first_row: Annotated[Integer, Field(ge=0)] = 0
    horizon: Annotated[Integer, Field(ge=1)] = 1
    stride: Annotated[Integer, Field(ge=1)] = 1
    fill: Fill | Number = "none"
    season: Annotated[Integer, Field(ge=1)] | None = None


class SplitSettings(Section):
    """How the rows are divided in time: train, then validation, then test.

    Either `train`, `validation` and `test`, each a share of all rows (a float below 1) or a number of
    rows (an integer), all of the same kind; rows left over at the end stay unused. Or dates:
    `validation_from` and `test_from` are the first timestamps of their parts and `test_until` the first
    timestamp after the test part (None for the end of the data). `gap` rows are left out between parts,
    or of two numbers the first before validation and the second before the test.

    With `folds` above 1 a trial is judged on so many blocks of rows (rolling origin): the validation
    part is the last of them, the others lie before it, equally long and taken out of the training part,
    and for each the trial is trained anew on rows before it: all of them with `window` "expanding", as
    many as lie before the earliest block with "sliding".
    """

    train: Share | Rows | None = None
    validation: Share | Rows | None = None
    test: Share | Rows | None = None
    validation_from: str | None = None
    test_from: str | None = None
    test_until: str | None = None
    gap: Gap | tuple[Gap, Gap] = 0
    folds: Annotated[Integer, Field(ge=1)] = 1
    window: Literal["expanding", "sliding"] = "expanding"

    @model_validator(mode="after")
    def _one_way_to_split(self) -> "SplitSettings":
        sizes = (self.train, self.validation, self.test)
        dates = (self.validation_from, self.test_from)
        if any(date is not None for date in (*dates, self.test_until)):
            if any(size is not None for size in sizes):
                raise ValueError(
                    "give either train, validation and test, or validation_from and test_from"
                )
            if any(date is None for date in dates):
                raise ValueError("validation_from and test_from must be given together")
        elif any(size is not None for size in sizes):
            if any(size is None for size in sizes):
                raise ValueError("train, validation and test must be given together")
            if len({type(size) for size in sizes}) > 1:
                raise ValueError("train, validation and test must be all shares or all rows")
            if isinstance(self.train, float) and sum(s for s in sizes if s is not None) > 1 + 1e-9:
                raise ValueError("train, validation and test add up to more than 1")
        return self

    @property
    def gaps(self) -> tuple[int, int]:
        """Rows left out before validation and before the test."""
        return self.gap if isinstance(self.gap, tuple) else (self.gap, self.gap)

    @property
    def by_date(self) -> bool:
        """Whether the parts are given by dates."""
        return self.validation_from is not None

    @property
    def sizes(self) -> tuple[float | int, float | int, float | int]:
        """Train, validation and test as given, or the default shares (0.7, 0.15, 0.15)."""
        if self.train is None or self.validation is None or self.test is None:
            return (0.7, 0.15, 0.15)
        return (self.train, self.validation, self.test)


class CommonTraining(Section):
    """How every trial trains, whatever it learns.

    `epochs` is the most a trial may train for and `patience` the number of epochs without a better
    validation `metric`, of which less is better, after which it stops. `optimizer` is used where the
    search space names none. `clip_norm` bounds the gradient's global norm (None for no bound).
    `weight_average` is the decay of a running mean of the weights over updates, which is what is judged,
    kept and deployed (Polyak & Juditsky 1992); None for the weights as they are.
    `schedule` moves the learning rate from epoch to epoch: "constant"; "plateau" multiplies it by
    `schedule_factor` after `schedule_patience` epochs without a better validation metric; "cosine" and
    "exponential" fall towards `schedule_factor` times the first rate over `epochs`.
    """

    metric: str
    epochs: Annotated[Integer, Field(ge=1)] = 30
    patience: Annotated[Integer, Field(ge=1)] = 6
    optimizer: Optimizer = "adam"
    clip_norm: Annotated[Number, Field(gt=0)] | None = 1.0
    weight_average: Share | None = 0.98
    schedule: Literal["constant", "plateau", "cosine", "exponential"] = "plateau"
    schedule_factor: Annotated[Number, Field(gt=0, lt=1)] = 0.5
    schedule_patience: Annotated[Integer, Field(ge=1)] = 2

    def passes_an_epoch(self, examples: int, batch_size: int) -> int:
        """How often an epoch passes through so many examples."""
        del examples, batch_size
        return 1

    def updates_an_epoch(self, examples: int, batch_size: int) -> int:
        """How many updates that takes; the last may see a smaller batch."""
        return math.ceil(self.passes_an_epoch(examples, batch_size) * examples / batch_size)


class TrainingSettings(CommonTraining):
    """How every trial of forecasting trains.

    `loss` is what the optimiser minimises: with "quantile" the pinball loss of all `quantiles` (Koenker
    & Bassett 1978), the median of which is the forecast and what is judged; other losses make no use of
    them.
    `magnitude_noise` is the deviation of the logarithm of a random factor that changes within a training
    window are multiplied by, in inputs and targets alike (magnitude scaling, Um et al. 2017), so that
    networks rely less on how strongly a series moved while they were trained; 0 for windows as they are.
    """

    metric: Metric = "mse"
    loss: Literal["mse", "mae", "huber", "quantile"] = "mse"
    magnitude_noise: Annotated[Number, Field(ge=0, le=2)] = 0.0
    quantiles: Annotated[Quantiles, Field(min_length=2)] = (0.1, 0.5, 0.9)

    @model_validator(mode="after")
    def _quantiles_in_order(self) -> "TrainingSettings":
        given = list(self.quantiles)
        if given != sorted(set(given)) or MEDIAN not in given:
            raise ValueError(
                f"quantiles must rise and hold 0.5, which is the forecast. Received: {given}"
            )
        return self

    @property
    def forecast_quantiles(self) -> Quantiles:
        """The quantiles that a network gives, none where it gives the forecast alone."""
        return self.quantiles if self.loss == "quantile" else ()


class FinalSettings(Section):
    """How the winner is trained on train+validation.

    `members` networks are trained from different seeds, the winner and in turn the candidates that were
    confirmed with it, and the mean of their forecasts is the model's.
    `updates` says for how long: "same-updates" makes as many updates as the winner made up to its best
    epoch, "same-epochs" as many passes through the data, which are more by then.
    """

    members: Annotated[Integer, Field(ge=1)] = 1
    updates: Literal["same-updates", "same-epochs"] = "same-updates"
