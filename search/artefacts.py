"""The model in each format, made and then compared with Keras; what does not pass is removed."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.export.messages import (
    ComparisonRequest,
    ConversionOutcome,
    ConversionRequest,
    Format,
)
from objectives.trial_process import TrialFailedError
from reports.bundle.metadata import Artefact

FILES: Mapping[Format, str] = {
    "onnx": "model.onnx",
    "keras": "model.keras",
    "saved_model": "saved_model/1",
    "litert": "model.tflite",
}
CarryOut = Callable[[ConversionRequest | ComparisonRequest], Any]


@dataclass(frozen=True)
class ArtefactOrder:
    """A Keras `model` to be put into a `folder` in some formats.

    `windows` is a .npy file of windows or texts to compare on, as `ConversionRequest` has it; `units`
    are those in which the differences of each output are counted, and `properties` are written into
    the ONNX file.
    """

    model: Path
    folder: Path
    formats: Sequence[Format]
    windows: Path
    units: Mapping[str, NDArray[np.float64]]
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Made:
    """The artefacts that passed, why others did not in one line each, and the Keras model's outputs."""

    artefacts: Mapping[str, Artefact]
    problems: Mapping[str, str]
    outputs: Mapping[str, NDArray[np.float32]]


def make_artefacts(order: ArtefactOrder, carry_out: CarryOut) -> Made:
    """Convert the model, and compare each artefact in a process that has never seen another.

    Args:
        order: what is wanted.
        carry_out: gives a request to a fresh process and waits for what comes of it.
    """
    wanted = {name: order.folder / FILES[name] for name in order.formats}
    request = ConversionRequest(order.model, wanted, order.windows, order.properties)
    try:
        converted: ConversionOutcome = carry_out(request)
    except TrialFailedError as error:
        problem = f"it cannot be made: {error}"
        return Made({}, dict.fromkeys(order.formats, problem), {})
    windows = len(next(iter(converted.outputs.values())))
    problems: dict[str, str] = dict(converted.failures.items())
    artefacts: dict[str, Artefact] = {}
    for name, path in wanted.items():
        if name in problems:
            continue
        comparison = ComparisonRequest(name, path, order.windows, converted.outputs, order.units)
        greatest, found = _compare(comparison, carry_out)
        if found is None:
            artefacts[name] = Artefact(FILES[name], greatest, windows)
        else:
            problems[name] = found
            _remove(order.folder / FILES[name].split("/", maxsplit=1)[0])
    return Made(artefacts, problems, converted.outputs)


def _compare(request: ComparisonRequest, carry_out: CarryOut) -> tuple[float, str | None]:
    try:
        outcome = carry_out(request)
    except TrialFailedError as error:  # a runtime may crash
        return 0.0, f"it cannot be run: {error}"
    return outcome.greatest_difference, outcome.problem


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
