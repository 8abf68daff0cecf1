"""What costs nothing: majority class, linear models and nearest neighbour, on the same sequences."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.classification.linear import MOST_CELLS, STRENGTHS, fit_logistic, standardised
from objectives.classification.metrics import Prediction, log_losses
from objectives.classification.sequences import Sequences, SequenceSplit
from objectives.classification.vocabulary import joined_texts, words_of
from objectives.scaling import one_where_constant

_MOST_SEQUENCES = 5_000  # whose pairwise distances fit into memory
_MOST_WARPING = 3e9  # cells of alignment tables, about ten seconds on one core


def baselines(sequences: Sequences, split: SequenceSplit) -> dict[str, Prediction]:
    """Predict the test sequences.

    "majority_class" gives each class its share of the training data. "linear_summary" is logistic
    regression on summary statistics, "linear_flattened" on all values in order, where sequences are of
    equal length; of texts "linear_bag_of_words" is one on how often each word occurs, and
    "linear_tfidf" on that weighed by how few texts have the word. Their penalty is chosen by the mean
    log loss over the study's folds, and they are fitted on train+validation as the winner is.
    "dtw_nearest_neighbour" takes the label of the sequence that is nearest by dynamic time warping
    (Sakoe & Chiba 1978), without a band. What would take too long on so many sequences is left out.
    """
    known = split.train_and_validation()
    shares = np.bincount(sequences.labels[known], minlength=len(sequences.classes)) / len(known)
    found: dict[str, Prediction] = {"majority_class": np.tile(shares, (len(split.test), 1))}
    if sequences.words:
        texts = np.array(_texts(sequences), np.object_)
        for name, prepared in _text_inputs().items():
            found[f"linear_{name}"] = _linear(texts, prepared, sequences, split)
        return found
    for name, inputs in _linear_inputs(sequences).items():
        if inputs.size <= MOST_CELLS:
            found[f"linear_{name}"] = _linear(inputs, standardised, sequences, split)
    if _warps_quickly(sequences, len(known), len(split.test)):
        found["dtw_nearest_neighbour"] = _nearest(sequences, known, split.test)
    return found


def _linear_inputs(sequences: Sequences) -> Mapping[str, NDArray[np.float64]]:
    parts = _parts(sequences)
    inputs = {"summary": np.stack([_summary(part) for part in parts])}
    if len(np.unique(sequences.lengths)) == 1:
        inputs["flattened"] = np.stack([part.reshape(-1) for part in parts])
    return inputs


def _texts(sequences: Sequences) -> list[str]:
    return joined_texts(sequences.values, sequences.ends, sequences.lengths, sequences.words)


def _text_inputs() -> Mapping[str, Callable[[], Any]]:
    """What makes columns of texts, to be fitted on those that train."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer  # noqa: PLC0415

    return {
        "bag_of_words": partial(CountVectorizer, analyzer=words_of),
        "tfidf": partial(TfidfVectorizer, analyzer=words_of),
    }


def _parts(sequences: Sequences) -> list[NDArray[np.float64]]:
    bounds = zip(sequences.ends - sequences.lengths, sequences.ends, strict=True)
    return [sequences.values[first:end] for first, end in bounds]


def _summary(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, deviation, extremes, first and last value and mean step of each column; the length."""
    step = (part[-1] - part[0]) / max(len(part) - 1, 1)
    of_columns = [part.mean(0), part.std(0), part.min(0), part.max(0), part[0], part[-1], step]
    return np.concatenate([*of_columns, [len(part)]])


def _linear(
    inputs: NDArray[Any],
    prepared: Callable[[], Any],
    sequences: Sequences,
    split: SequenceSplit,
) -> NDArray[np.float64]:
    """Probabilities of the test sequences by logistic regression on inputs (sequences, ...).

    `prepared` makes the transformer that inputs pass first.
    """
    labels, classes = sequences.labels, len(sequences.classes)

    def loss(strength: float) -> float:
        losses = []
        for fold in split.folds:
            model = fit_logistic(prepared(), strength, inputs[fold.train], labels[fold.train])
            found = _probabilities(model, inputs[fold.validation], classes)
            losses.append(log_losses(labels[fold.validation], found).mean())
        return float(np.mean(losses))

    best = min(STRENGTHS, key=loss)
    known = split.train_and_validation()
    model = fit_logistic(prepared(), best, inputs[known], labels[known])
    return _probabilities(model, inputs[split.test], classes)


def _probabilities(model: Any, inputs: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """What a model says of inputs, in the order of all classes, also of those it has not seen."""
    found = np.zeros((len(inputs), classes))
    found[:, model.classes_] = model.predict_proba(inputs)
    return found


def _warps_quickly(sequences: Sequences, known: int, asked: int) -> bool:
    cells = known * asked * float(sequences.lengths.mean()) ** 2 * sequences.values.shape[1]
    return len(sequences.labels) <= _MOST_SEQUENCES and cells <= _MOST_WARPING


def _nearest(
    sequences: Sequences, known: NDArray[np.int64], asked: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The labels of the nearest known sequences, columns being in units of their deviation in these."""
    from dtaidistance import dtw_ndim  # noqa: PLC0415  (imports for a while)

    parts = _parts(sequences)
    rows = np.concatenate([parts[number] for number in known])
    deviation = one_where_constant(rows.std(axis=0), rows)
    compared = [np.ascontiguousarray(parts[n] / deviation) for n in (*asked, *known)]
    block = ((0, len(asked)), (len(asked), len(compared)))
    distances = dtw_ndim.distance_matrix_fast(compared, block=block, parallel=False)
    nearest = distances[: len(asked), len(asked) :].argmin(axis=1)
    labels: NDArray[np.int64] = sequences.labels[known[nearest]]
    return labels
