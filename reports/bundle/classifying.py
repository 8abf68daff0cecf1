"""What a model makes of sequences: a label and a probability for each class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.bundle.drift import measure_drift
from reports.bundle.onnx_model import OnnxModel
from reports.bundle.sequences import FreshSequences
from reports.bundle.texts import FreshTexts

_BATCH = 256  # sequences at once, so that memory does not grow with them


@dataclass(frozen=True, eq=False)
class Classified:
    """Sequences and the probabilities of their classes, (sequences, classes)."""

    sequences: FreshSequences | FreshTexts
    probabilities: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.str_]:
        """The most probable class of each sequence, (sequences,)."""
        names = np.array(self.sequences.about.labels)
        found: NDArray[np.str_] = names[self.probabilities.argmax(axis=1)]
        return found

    @property
    def warnings(self) -> list[str]:
        """What someone who relies on the labels should know about the rows, a line each."""
        found = self.sequences
        if isinstance(found, FreshTexts):
            return []
        drifts = measure_drift(found.values, found.about)
        lines = [str(drift) for drift in drifts if drift.notable]
        if found.filled:
            cells = f"{found.filled} missing cell{'s' * (found.filled > 1)}"
            lines.insert(0, f"{cells} filled as in training ({found.about.preprocessing.fill})")
        return [f"{found.source}: {line}" for line in lines]


def classify(model: OnnxModel, sequences: FreshSequences | FreshTexts) -> Classified:
    """Feed a model sequences that were made for it.

    Raises:
        BundleError: a value is beyond float32, or a probability is not finite.
    """
    batches = [
        model.run(sequences.windows(slice(start, start + _BATCH)))["probabilities"]
        for start in range(0, len(sequences.keys), _BATCH)
    ]
    return Classified(sequences, np.concatenate(batches))
