"""The search space: what a study may vary, and how an Optuna trial draws from it."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import AfterValidator, Field, StrictBool, model_validator

from objectives.errors import InputError
from objectives.hyperparameters import Hyperparameters
from objectives.settings import Integer, Number, Optimizer, Section

Value = bool | int | float | str


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


def _bounded(low: float, high: float = math.inf, *, open_low: bool = False) -> AfterValidator:
    """A check that every value an entry can take lies within [low, high] (or above `low`)."""

    def check(entry: Any) -> Any:
        for value in _extremes(entry):
            if value < low or value > high or (open_low and value == low):
                least = f"above {low:g}" if open_low else f"at least {low:g}"
                most = "" if high == math.inf else f" and at most {high:g}"
                raise ValueError(f"every value must be {least}{most}. Received: {value}")
        return entry

    return AfterValidator(check)


def _extremes(entry: Any) -> tuple[Any, ...]:
    """The values of an entry that bound all others."""
    if isinstance(entry, WholeRange | RealRange):
        return (entry.low, entry.high)
    return entry if isinstance(entry, tuple) else (entry,)


def _distinct(choices: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(choices)) < len(choices):
        raise ValueError(f"a choice is listed twice. Received: {list(choices)}")
    return choices


_SomeChoices = [Field(min_length=1), AfterValidator(_distinct)]
WholeChoices = Annotated[tuple[Integer, ...], *_SomeChoices]
RealChoices = Annotated[tuple[Number, ...], *_SomeChoices]
Whole = Integer | WholeChoices | WholeRange
Real = Number | RealChoices | RealRange

Activation = Literal["tanh", "relu"]
Output = Literal["level", "change"]
Skip = Literal["none", "linear"]
ScalingKind = Literal["standard", "min-max", "none"]
WindowNormalization = Literal["none", "standard"]


class SearchSpace(Section):
    """One entry a hyperparameter: a fixed value, a list of choices, or a range {low, high, step, log}.

    The first six are varied by default. `units_per_layer` draws a width for each layer (`units_1` is
    the first) where otherwise one width serves all. The meaning of each is told in `Hyperparameters`.
    """

    timesteps: Annotated[Whole, _bounded(1)] = WholeRange(low=24, high=96, step=12)
    units: Annotated[Whole, _bounded(1)] = WholeRange(low=16, high=96, step=16)
    depth: Annotated[Whole, _bounded(1, 8)] = WholeRange(low=1, high=2)
    dropout: Annotated[Real, _bounded(0, 0.95)] = RealRange(low=0.0, high=0.4, step=0.1)
    batch_size: Annotated[Whole, _bounded(1)] = (32, 64, 128)
    learning_rate: Annotated[Real, _bounded(0, 1, open_low=True)] = RealRange(
        low=3e-4, high=1e-2, log=True
    )
    recurrent_dropout: Annotated[Real, _bounded(0, 0.95)] = 0.0
    l2: Annotated[Real, _bounded(0)] = 0.0
    optimizer: Optimizer | Annotated[tuple[Optimizer, ...], *_SomeChoices] | None = None
    activation: Activation | Annotated[tuple[Activation, ...], *_SomeChoices] = "tanh"
    bidirectional: StrictBool | Annotated[tuple[StrictBool, ...], *_SomeChoices] = False
    output: Output | Annotated[tuple[Output, ...], *_SomeChoices] = "change"
    skip: Skip | Annotated[tuple[Skip, ...], *_SomeChoices] = "linear"
    scaling: ScalingKind | Annotated[tuple[ScalingKind, ...], *_SomeChoices] = "standard"
    window_normalization: (
        WindowNormalization | Annotated[tuple[WindowNormalization, ...], *_SomeChoices]
    ) = "none"
    units_per_layer: StrictBool = False

    @property
    def largest_timesteps(self) -> int:
        """The longest window of the space, in rows."""
        return int(max(_extremes(self.timesteps)))

    @property
    def conditional(self) -> bool:
        """Whether some parameters exist only for some depths."""
        return self.units_per_layer and not isinstance(self.depth, int)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Every varied parameter with its Optuna distribution; fixed values are left out."""
        found = {}
        for name, entry in self._entries():
            if isinstance(entry, WholeRange | RealRange):
                found[name] = entry.distribution()
            elif isinstance(entry, tuple):
                found[name] = CategoricalDistribution(entry)
        return found

    def size(self) -> int | None:
        """Number of different points, None where a range is continuous."""
        total = 1
        for distribution in self.distributions().values():
            values = grid_values(distribution)
            if values is None:
                return None
            total *= len(values)
        return total

    def fixed(self) -> dict[str, Value]:
        """The parameters that are not varied."""
        varied = self.distributions()
        return {
            name: entry
            for name, entry in self._entries()
            if name not in varied and entry is not None
        }

    def _entries(self) -> Iterator[tuple[str, Any]]:
        for name in type(self).model_fields:
            if name == "units_per_layer":
                continue
            if name == "units" and self.units_per_layer:
                for layer in range(1, int(max(_extremes(self.depth))) + 1):
                    yield f"units_{layer}", self.units
            else:
                yield name, getattr(self, name)


def grid_values(distribution: BaseDistribution) -> list[Value] | None:
    """All values of a distribution in order, None where it is continuous."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)  # type: ignore[arg-type]
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        count = round((distribution.high - distribution.low) / distribution.step) + 1
        return [distribution.low + index * distribution.step for index in range(count)]
    return None


def draw(trial: optuna.Trial, space: SearchSpace, default_optimizer: str) -> Hyperparameters:
    """Ask an Optuna trial for every varied hyperparameter, and add the fixed ones."""
    varied = space.distributions()
    fixed = space.fixed()

    def value_of(name: str) -> Any:
        if name in varied:
            return _suggest(trial, name, varied[name])
        return fixed.get(name)

    depth = int(value_of("depth"))
    if space.units_per_layer:
        units = tuple(int(value_of(f"units_{layer}")) for layer in range(1, depth + 1))
    else:
        units = (int(value_of("units")),) * depth
    others = [n for n in type(space).model_fields if n not in ("depth", "units", "units_per_layer")]
    values = {name: value_of(name) for name in others}
    values["optimizer"] = values["optimizer"] or default_optimizer
    return Hyperparameters(units=units, **values)


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    return trial.suggest_categorical(name, distribution.choices)  # type: ignore[attr-defined]


def check_point(point: Mapping[str, Any], space: SearchSpace) -> None:
    """Check a point that a user wants tried first.

    Raises:
        InputError: a name that the space does not vary, or a value outside its range or choices.
    """
    varied = space.distributions()
    for name, value in point.items():
        if name not in varied:
            raise InputError(
                f"enqueue: the space does not vary {name!r}; it varies {', '.join(sorted(varied))}"
            )
        distribution = varied[name]
        try:
            inside = distribution._contains(distribution.to_internal_repr(value))
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise InputError(f"enqueue: {name} = {value!r} lies outside the space ({distribution})")
