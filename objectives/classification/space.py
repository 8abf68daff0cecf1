"""The search space of a study of classification."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from objectives.classification.messages import SequenceHyperparameters, TextHyperparameters
from objectives.errors import InputError
from objectives.search_space.ranges import (
    SOME_CHOICES,
    Real,
    RealRange,
    Whole,
    WholeRange,
    bounded,
    extremes,
)
from objectives.search_space.space import Flag, ScalingKind, Skip, Space
from objectives.settings import Integer

ALL: Final = "all"
Steps = Whole | Literal["all"] | Annotated[tuple[Integer | Literal["all"], ...], *SOME_CHOICES]


class SequenceSpace(Space[SequenceHyperparameters]):
    """What a study of classification may vary; by default all but what is a single value here.

    `timesteps` "all" keeps whole sequences; it may be one of several choices. The meaning of each entry
    is told in `SequenceHyperparameters`.
    """

    timesteps: Annotated[Steps, bounded(1)] = ALL
    units: Annotated[Whole, bounded(1)] = WholeRange(low=16, high=64, step=16)
    dropout: Annotated[Real, bounded(0, 0.95)] = RealRange(low=0.0, high=0.5, step=0.1)
    batch_size: Annotated[Whole, bounded(1)] = (16, 32, 64)
    learning_rate: Annotated[Real, bounded(0, 1, open_low=True)] = RealRange(
        low=1e-3, high=1e-2, log=True
    )
    bidirectional: Flag = True
    skip: Skip | Annotated[tuple[Skip, ...], *SOME_CHOICES] = ("none", "linear")
    noise: Annotated[Real, bounded(0, 1)] = (0.0, 0.1, 0.3)
    mixup: Annotated[Real, bounded(0)] = (0.0, 0.2)
    scaling: ScalingKind | Annotated[tuple[ScalingKind, ...], *SOME_CHOICES] = "standard"

    def for_longest(self, longest: int) -> Self:
        """The same for data whose longest sequence has `longest` rows: "all" becomes that number.

        Raises:
            InputError: `timesteps` goes beyond it.
        """

        def number(entry: Any) -> Any:
            return longest if entry == ALL else entry

        entry = self.timesteps
        known = tuple(map(number, entry)) if isinstance(entry, tuple) else number(entry)
        if (most := max(extremes(known))) > longest:
            raise InputError(
                f"[space] timesteps: no sequence has more than {longest} rows; "
                f'use at most {longest}, or "all". Received: {most}'
            )
        if isinstance(known, tuple):
            known = tuple(dict.fromkeys(known))
        return self.model_copy(update={"timesteps": known})

    def settle(self, values: Mapping[str, Any]) -> SequenceHyperparameters:
        """The hyperparameters of a trial that has drawn `values`."""
        return SequenceHyperparameters(**values)


class TextSpace(SequenceSpace):
    """What a study of texts may vary; there are no measurements to scale, nor to mix."""

    embedding_dim: Annotated[Whole, bounded(1)] = (16, 32, 64, 128)
    skip: Skip | Annotated[tuple[Skip, ...], *SOME_CHOICES] = "none"
    noise: Annotated[Real, bounded(0, 1)] = 0.0
    mixup: Annotated[Real, bounded(0, 0)] = 0.0
    scaling: Literal["none"] = "none"

    def settle(self, values: Mapping[str, Any]) -> TextHyperparameters:
        """The hyperparameters of a trial that has drawn `values`."""
        return TextHyperparameters(**values)
