"""The beginning of a study by what it learns: forecasts or classes."""

import pandas as pd

from objectives.trials.messages import Task
from search.classification.preparation import (
    SequencePreparation,
    prepare_sequences,
    settled_study,
    share_sequences,
)
from search.preparation import Preparation, prepare, share_rows
from search.study import AnyStudy, ClassificationStudy, Study

AnyPreparation = Preparation | SequencePreparation


def prepare_study(
    study: AnyStudy, frame: pd.DataFrame | None = None
) -> tuple[AnyStudy, AnyPreparation]:
    """Read and check a study's data, and cut them; the study comes back with what the data decide.

    Raises:
        InputError: anything about the data or the split that cannot be.
    """
    if isinstance(study, ClassificationStudy):
        sequences = prepare_sequences(study, frame)
        return settled_study(study, sequences), sequences
    return study, prepare(study, frame)


def share_data(study: AnyStudy, preparation: AnyPreparation) -> Task:
    """Write the data where every trial can map them into its memory."""
    if isinstance(study, ClassificationStudy) and isinstance(preparation, SequencePreparation):
        return share_sequences(preparation, study)
    if isinstance(study, Study) and isinstance(preparation, Preparation):
        return share_rows(preparation, study)
    raise TypeError(f"a {type(study).__name__} was prepared as {type(preparation).__name__}")
