"""What classifiers are compared with."""

import numpy as np

from objectives.classification.baselines import baselines
from objectives.classification.sequences import SequenceFold, Sequences, SequenceSplit


def test_a_column_that_changes_after_training_only_does_not_decide_who_is_nearest() -> None:
    count, steps, known = 40, 6, 30
    labels = np.arange(count) % 2
    x = np.repeat(labels, steps) + 0.1 * np.random.default_rng(0).normal(size=count * steps)
    # 180 times 0.1 have a deviation that is not 0, but for rounding
    constant = np.where(np.arange(count * steps) < known * steps, 0.1, 0.2)
    sequences = Sequences(
        values=np.column_stack([x, constant]),
        ends=steps * np.arange(1, count + 1),
        lengths=np.full(count, steps),
        labels=labels,
        classes=("a", "b"),
        features=("x", "constant"),
        groups=None,
        official_test=None,
        times=None,
        source="here",
    )
    fold = SequenceFold(np.arange(20), np.arange(20, known))
    found = baselines(sequences, SequenceSplit((fold,), np.arange(known, count)))
    assert found["dtw_nearest_neighbour"].tolist() == labels[known:].tolist()
