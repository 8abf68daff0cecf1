"""The search space: what a study may vary, and how an Optuna trial draws from it."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import StrictBool

from objectives.errors import InputError
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.search_space.ranges import (
    SOME_CHOICES,
    Real,
    RealRange,
    Whole,
    WholeRange,
    bounded,
    extremes,
)
from objectives.settings import Optimizer, Section

Value = bool | int | float | str
Settled = TypeVar("Settled")

Flag = StrictBool | Annotated[tuple[StrictBool, ...], *SOME_CHOICES]
Activation = Literal["tanh", "relu"]
Output = Literal["level", "change"]
Skip = Literal["none", "linear"]
ScalingKind = Literal["standard", "min-max", "none"]
WindowNormalization = Literal["none", "standard"]


class Space(Section, Generic[Settled]):
    """One entry a hyperparameter: a fixed value, a list of choices, or a range {low, high, step, log}.

    `units_per_layer` draws a width for each layer (`units_1` is the first) where otherwise one width
    serves all. `Settled` is what a trial's values make together.
    """

    timesteps: Any
    units: Annotated[Whole, bounded(1)] = WholeRange(low=16, high=96, step=16)
    depth: Annotated[Whole, bounded(1, 8)] = WholeRange(low=1, high=2)
    dropout: Annotated[Real, bounded(0, 0.95)] = RealRange(low=0.0, high=0.4, step=0.1)
    batch_size: Annotated[Whole, bounded(1)] = (32, 64, 128)
    learning_rate: Annotated[Real, bounded(0, 1, open_low=True)] = RealRange(
        low=3e-4, high=1e-2, log=True
    )
    recurrent_dropout: Annotated[Real, bounded(0, 0.95)] = 0.0
    l2: Annotated[Real, bounded(0)] = 0.0
    optimizer: Optimizer | Annotated[tuple[Optimizer, ...], *SOME_CHOICES] | None = None
    units_per_layer: StrictBool = False

    @property
    def largest_timesteps(self) -> int:
        """The longest window of the space, in rows."""
        return int(max(extremes(self.timesteps)))

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
        if self.continuous():
            return None
        return math.prod(len(grid_values(each) or ()) for each in self.distributions().values())

    def continuous(self) -> tuple[str, ...]:
        """The parameters that have no end of values."""
        varied = self.distributions().items()
        return tuple(name for name, distribution in varied if grid_values(distribution) is None)

    def fixed(self) -> dict[str, Value]:
        """The parameters that are not varied."""
        varied = self.distributions()
        return {
            name: entry
            for name, entry in self._entries()
            if name not in varied and entry is not None
        }

    def settle(self, values: Mapping[str, Any]) -> Settled:
        """The hyperparameters of a trial that has drawn `values`, with `units` of every layer."""
        raise NotImplementedError

    def _entries(self) -> Iterator[tuple[str, Any]]:
        for name in type(self).model_fields:
            if name == "units_per_layer":
                continue
            if name == "units" and self.units_per_layer:
                for layer in range(1, int(max(extremes(self.depth))) + 1):
                    yield f"units_{layer}", self.units
            else:
                yield name, getattr(self, name)


class SearchSpace(Space[Hyperparameters]):
    """What a study of forecasts may vary; by default the first six entries.

    The meaning of each is told in `Hyperparameters`.
    """

    timesteps: Annotated[Whole, bounded(1)] = WholeRange(low=24, high=96, step=12)
    activation: Activation | Annotated[tuple[Activation, ...], *SOME_CHOICES] = "tanh"
    bidirectional: Flag = False
    output: Output | Annotated[tuple[Output, ...], *SOME_CHOICES] = "change"
    skip: Skip | Annotated[tuple[Skip, ...], *SOME_CHOICES] = "linear"
    scaling: ScalingKind | Annotated[tuple[ScalingKind, ...], *SOME_CHOICES] = "standard"
    window_normalization: (
        WindowNormalization | Annotated[tuple[WindowNormalization, ...], *SOME_CHOICES]
    ) = "none"

    def settle(self, values: Mapping[str, Any]) -> Hyperparameters:
        """The hyperparameters of a trial that has drawn `values`."""
        return Hyperparameters(**values)


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


def described(distribution: BaseDistribution) -> str:
    """A distribution in words: "12 to 96, step 12", "0.0003 to 0.01, log" or "32, 64 or 128".

    Raises:
        TypeError: the distribution is none that a space can have.
    """
    if isinstance(distribution, CategoricalDistribution):
        *others, last = map(str, distribution.choices)
        return f"{', '.join(others)} or {last}" if others else last
    if isinstance(distribution, IntDistribution | FloatDistribution):
        scale = f", step {distribution.step:g}" if distribution.step else ""
        scale = ", log" if distribution.log else scale
        return f"{distribution.low:g} to {distribution.high:g}{scale}"
    raise TypeError(f"no distribution of a space. Received: {distribution!r}")


def draw(trial: optuna.Trial, space: Space[Settled], default_optimizer: str) -> Settled:
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
    return space.settle({"units": units, **values})


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


def check_point(point: Mapping[str, Any], space: Space[Any]) -> None:
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
        # Optuna takes the text of a number for one, and gives the trial the text.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = number or isinstance(distribution, CategoricalDistribution)
        try:
            inside = fits and distribution._contains(distribution.to_internal_repr(value))
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise InputError(
                f"enqueue: {name} = {value!r} lies outside the space, {described(distribution)}"
            )
