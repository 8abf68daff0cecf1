"""A few labelled sequences of equal and unequal length, and tasks made of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from objectives.classification.messages import SequenceHyperparameters, SequenceTask
from objectives.classification.sequences import SequenceFold, SequenceSplit
from objectives.classification.settings import SequenceTraining

FEATURES, LONGEST = 2, 9
SMALL = SequenceHyperparameters(
    timesteps=LONGEST,
    units=(4,),
    dropout=0.0,
    batch_size=16,
    learning_rate=0.02,
    recurrent_dropout=0.0,
    l2=0.0,
    optimizer="adam",
    bidirectional=False,
    skip="linear",
    noise=0.0,
    mixup=0.0,
    scaling="standard",
)


@pytest.fixture(scope="session")
def sequence_hyperparameters() -> Callable[..., SequenceHyperparameters]:
    """Hyperparameters of a small network, with the changes given."""

    def make(**changes: object) -> SequenceHyperparameters:
        return replace(SMALL, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def make_sequence_task(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SequenceTask]:
    """A task of 90 sequences, the last 20 of them the test: does the first column rise or fall?

    With three classes the third stays level. The keywords are those of SequenceTraining.
    """

    def make(classes: int = 2, padded: bool = False, **training: object) -> SequenceTask:
        generator = np.random.default_rng(5)
        labels = np.arange(90) % classes
        lengths = generator.integers(3, LONGEST, 90) if padded else np.full(90, LONGEST)
        lengths[0] = LONGEST
        slopes = np.array([1.0, -1.0, 0.0])[labels]
        parts = [
            np.stack([slope * np.arange(length), np.zeros(length)], axis=1)
            for slope, length in zip(slopes, lengths, strict=True)
        ]
        rows = np.concatenate(parts)
        rows = 50 + 10 * (rows + generator.normal(size=rows.shape))
        path = tmp_path_factory.mktemp("sequences") / "rows.npy"
        np.save(path, rows)
        folds = (
            SequenceFold(np.arange(35, 70), np.arange(35)),
            SequenceFold(np.arange(35), np.arange(35, 70)),
        )
        return SequenceTask(
            rows=path,
            ends=np.cumsum(lengths),
            lengths=lengths,
            labels=labels,
            names=("up", "down", "flat")[:classes],
            split=SequenceSplit(folds, np.arange(70, 90)),
            training=SequenceTraining(**{"epochs": 2, "schedule": "constant", **training}),
        )

    return make
