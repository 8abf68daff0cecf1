"""How far test scores of classifiers can be trusted: intervals, and tests against the baselines."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from objectives.classification.uncertainty import LEAST_CLUSTERS, mcnemar, resampled_scores
from objectives.judging.uncertainty import RESAMPLES, adjusted_for_looks, interval
from reports.classification.contents import ClassDifference, ClassUncertainty
from reports.contents import Estimate
from search.classification.stored import StoredProbabilities

_MODEL = "refitted model"


def judge_classes(stored: StoredProbabilities, seed: int) -> ClassUncertainty | None:
    """Bound the refitted model's test scores and its distance to each baseline.

    Args:
        stored: the test set's truth and predictions.
        seed: decides the resamples.

    Returns:
        None where a probability is not finite, or the test set has fewer than `LEAST_CLUSTERS` clusters.
    """
    clusters = len(np.unique(stored.clusters))
    if clusters < LEAST_CLUSTERS or not np.isfinite(stored.test).all():
        return None
    predictions = {_MODEL: stored.test, **stored.baselines}
    classes = len(stored.classes)
    draws = resampled_scores(stored.truth, predictions, stored.clusters, classes, seed)
    tests = {
        name: mcnemar(stored.truth, stored.test, found) for name, found in stored.baselines.items()
    }
    adjusted = adjusted_for_looks([test.p for test in tests.values()])
    differences = {}
    for (name, test), adjusted_p in zip(tests.items(), adjusted, strict=True):
        apart = {metric: drawn - draws[name][metric] for metric, drawn in draws[_MODEL].items()}
        differences[name] = ClassDifference(
            scores=_estimates(apart, clusters),
            model_only=test.first_only,
            baseline_only=test.second_only,
            p=test.p,
            adjusted_p=adjusted_p,
        )
    return ClassUncertainty(
        sequences=len(stored.truth),
        clusters=clusters,
        resamples=RESAMPLES,
        scores=_estimates(draws[_MODEL], clusters),
        differences=differences,
    )


def _estimates(draws: Mapping[str, NDArray[np.float64]], clusters: int) -> dict[str, Estimate]:
    return {
        metric: Estimate(float(drawn[0]), *interval(drawn[1:], clusters))
        for metric, drawn in draws.items()
    }
