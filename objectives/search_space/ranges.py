"""What an entry of a search space may be: one value, a list of choices, or a range."""

import math
from typing import Annotated, Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from pydantic import AfterValidator, Field, StrictBool, model_validator

from objectives.settings import Integer, Number, Section


class WholeRange(Section):
    """Integers from `low` to `high` inclusive, every `step`-th, or on a log scale."""

    low: Integer
    high: Integer
    step: Annotated[Integer, Field(ge=1)] = 1
    log: StrictBool = False

    @model_validator(mode="after")
    def _in_order(self) -> "WholeRange":
        if self.low > self.high:
            raise ValueError(f"low must not be above high. Received: {self.low} and {self.high}")
        if self.log and (self.step != 1 or self.low < 1):
            raise ValueError("a log range takes no step and starts at 1 or above")
        return self

    def distribution(self) -> BaseDistribution:
        """The range as Optuna's distribution."""
        high = self.low + (self.high - self.low) // self.step * self.step
        return IntDistribution(self.low, high, log=self.log, step=self.step)


class RealRange(Section):
    """Numbers from `low` to `high`, in steps of `step` where given, or on a log scale."""

    low: Number
    high: Number
    step: Annotated[Number, Field(gt=0)] | None = None
    log: StrictBool = False

    @model_validator(mode="after")
    def _in_order(self) -> "RealRange":
        if self.low > self.high:
            raise ValueError(f"low must not be above high. Received: {self.low} and {self.high}")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError("a log range takes no step and starts above 0")
        return self

    def distribution(self) -> BaseDistribution:
        """The range as Optuna's distribution."""
        if self.step is None:
            return FloatDistribution(self.low, self.high, log=self.log)
        steps = math.floor((self.high - self.low) / self.step + 1e-9)
        # 0.1 * 3 is 0.30000000000000004: twelve digits are what the user meant.
        high = float(f"{self.low + steps * self.step:.12g}")
        return FloatDistribution(self.low, high, step=self.step)


def bounded(low: float, high: float = math.inf, *, open_low: bool = False) -> AfterValidator:
    """A check that every value an entry can take lies within [low, high] (or above `low`)."""

    def check(entry: Any) -> Any:
        for value in extremes(entry):
            if isinstance(value, str):
                continue  # a word that stands for a number, such as "all"
            if value < low or value > high or (open_low and value == low):
                least = f"above {low:g}" if open_low else f"at least {low:g}"
                most = "" if high == math.inf else f" and at most {high:g}"
                raise ValueError(f"every value must be {least}{most}. Received: {value}")
        return entry

    return AfterValidator(check)


def extremes(entry: Any) -> tuple[Any, ...]:
    """The values of an entry that bound all others."""
    if isinstance(entry, WholeRange | RealRange):
        return (entry.low, entry.high)
    return entry if isinstance(entry, tuple) else (entry,)


def _distinct(choices: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(choices)) < len(choices):
        raise ValueError(f"a choice is listed twice. Received: {list(choices)}")
    return choices


SOME_CHOICES = [Field(min_length=1), AfterValidator(_distinct)]
WholeChoices = Annotated[tuple[Integer, ...], *SOME_CHOICES]
RealChoices = Annotated[tuple[Number, ...], *SOME_CHOICES]
Whole = Integer | WholeChoices | WholeRange
Real = Number | RealChoices | RealRange
