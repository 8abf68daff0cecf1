"""What a bundle will say of a study's winner, known once it is tested and kept until it is exported."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.objective import any_hyperparameters, resolved_hyperparameters
from objectives.scaling import fit_scaling
from reports.bundle import BundleError, Metadata
from reports.bundle.metadata import (
    SCHEMA,
    Column,
    Preprocessing,
    Provenance,
    Tensor,
    TestScores,
    TimeAxis,
    read_metadata,
)
from reports.files import write_text_atomically
from search.preparation import Preparation
from search.reporting.common_ending import model_versions
from search.reporting.intervals import interval_metadata
from search.reporting.stored_forecasts import StoredForecasts, scorer
from search.selection.refitting import Refitted
from search.study import AnyStudy, Study
from storage.records import TrialRecord

DRAFT = "bundle.json"
UNITS = "those of the data"
_TIME = "time"  # as the forecasts of `predict` call it
_DECILES = np.linspace(0.1, 0.9, 9)


def draft_metadata(
    study: Study,
    preparation: Preparation,
    winner: TrialRecord,
    refitted: Refitted,
    stored: StoredForecasts,
) -> Metadata:
    """Say all that a bundle of the refitted winner shall say; its version and artefacts come later.

    Columns are described over the rows that the model was trained on, train+validation.
    """
    dataset, part = preparation.dataset, preparation.split.train_and_validation()
    rows, times = dataset.values[part.first : part.end], dataset.times
    hyperparameters = resolved_hyperparameters(winner.attributes)
    scaling = fit_scaling(hyperparameters.scaling, rows)
    shape = ("batch", refitted.timesteps, len(dataset.columns))
    return Metadata(
        schema=SCHEMA,
        name=study.study.name,
        version=0,
        created="",
        task="forecast",
        input=Tensor("window", "float32", shape, UNITS),
        outputs=_outputs(study, len(dataset.targets)),
        columns=tuple(
            describe_column(name, name in dataset.targets, rows[:, number])
            for number, name in enumerate(dataset.columns)
        ),
        targets=dataset.targets,
        timesteps=refitted.timesteps,
        horizon=study.data.horizon,
        time=_time_axis(study, preparation),
        preprocessing=Preprocessing(
            kind=hyperparameters.scaling,
            center=tuple(scaling.center.tolist()),
            scale=tuple(scaling.scale.tolist()),
            output=hyperparameters.output,
            fill=study.data.fill,
        ),
        test=_test_scores(stored),
        provenance=provenance(
            study,
            winner,
            refitted,
            {
                "source": Path(dataset.source).name,
                "fingerprint": dataset.fingerprint,
                "rows": len(dataset.values),
                "trained_on": preparation.dates(part),
                "first_row": part.first,
                "end_row": part.end,
                "fitted_until": None if times is None else times[part.end - 1].isoformat(),
            },
        ),
        artefacts={},
        quantiles=study.training.forecast_quantiles,
        intervals=interval_metadata(stored),
        categories=dataset.categories,
        calendar=study.data.calendar,
    )


def provenance(
    study: AnyStudy, winner: TrialRecord, refitted: Refitted, data: Mapping[str, Any]
) -> Provenance:
    """Say where a refitted winner comes from; `data` describes the rows."""
    return Provenance(
        study=study.study.name,
        trial=winner.number,
        hyperparameters=any_hyperparameters(winner.attributes).as_dict(),
        seeds={"study": study.study.seed, "trial": refitted.seed},
        members=len(refitted.members),
        data=data,
        versions=model_versions(),
        model=refitted.model,
    )


def write_draft(directory: Path, metadata: Metadata) -> None:
    """Keep it in the study's folder."""
    write_text_atomically(directory / DRAFT, metadata.as_json())


def read_draft(directory: Path) -> Metadata:
    """Read what the run that tested the winner wrote down.

    Raises:
        InputError: there is none.
    """
    path = directory / DRAFT
    try:
        return read_metadata(path.read_bytes(), str(path))
    except (OSError, BundleError):
        raise InputError(
            f"{path}: there is no tested winner to export; `lstm-search run` with the study's file "
            "finds one"
        ) from None


def same_model(one: Metadata, other: Metadata) -> bool:
    """Whether two say the same of the same model, however and whenever it was exported."""
    return _without_export(one) == _without_export(other)


def _without_export(metadata: Metadata) -> Metadata:
    provenance = replace(metadata.provenance, versions={})
    plain = replace(metadata, version=0, created="", artefacts={}, provenance=provenance)
    return read_metadata(plain.as_json(), metadata.name)  # lists as they are when read


def _outputs(study: Study, targets: int) -> tuple[Tensor, ...]:
    shape = ("batch", study.data.horizon, targets)
    outputs = [Tensor("forecast", "float32", shape, UNITS)]
    if quantiles := study.training.forecast_quantiles:
        outputs.append(Tensor("quantiles", "float32", (*shape, len(quantiles)), UNITS))
    return tuple(outputs)


def describe_column(name: str, target: bool, values: NDArray[np.float64]) -> Column:
    """Describe a column (rows,); its bins are bounded by the deciles, each of them once."""
    edges = np.unique(np.quantile(values, _DECILES))
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return Column(
        name=name,
        target=target,
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean()),
        deviation=float(values.std()),
        bin_edges=tuple(edges.tolist()),
        bin_shares=tuple((counts / len(values)).tolist()),
    )


def _time_axis(study: Study, preparation: Preparation) -> TimeAxis:
    dataset = preparation.dataset
    if dataset.times is None:
        return TimeAxis(None, None, None, None)
    return TimeAxis(
        column=study.data.time or _named_index(study, dataset.columns),
        step=None if dataset.step is None else dataset.step.isoformat(),
        frequency=dataset.frequency,
        zone=None if dataset.times.tz is None else "UTC",
    )


def _named_index(study: Study, columns: Sequence[str]) -> str | None:
    # A model that is told the time needs timestamps, and neither files nor requests have an index.
    return _TIME if study.data.calendar and _TIME not in columns else None


def _test_scores(stored: StoredForecasts) -> TestScores:
    score = scorer(stored.measure)

    def figures(forecast: NDArray[np.float64]) -> Mapping[str, float | None]:
        return finite_scores(score(stored.truth, forecast).data_units.overall)

    return TestScores(
        model=figures(stored.test),
        naive={name: figures(forecast) for name, forecast in stored.naive.items()},
    )


def finite_scores(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures as JSON can hold them, None for what is not finite."""
    return {name: float(each) if np.isfinite(each) else None for name, each in figures.items()}
