"""What goes between an export and the processes that convert and compare; free of TensorFlow."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Format = Literal["onnx", "keras", "saved_model", "litert"]
WINDOW, TEXT = "window", "text"  # what inputs are called
_LONGEST = 240  # characters; a converter's message may have thousands


@dataclass(frozen=True)
class ConversionRequest:
    """A Keras `model` to be written in other formats.

    `files` maps each format to where it goes, and `windows` is a .npy file of float32 (windows,
    timesteps, columns) in the data's units, or of texts (texts,), on which the Keras model is run.
    `properties` are written into the ONNX file.
    """

    model: Path
    files: Mapping[Format, Path]
    windows: Path
    properties: Mapping[str, str]


@dataclass(frozen=True)
class ConversionOutcome:
    """What the Keras model makes of the windows, by output, and why formats could not be written."""

    outputs: Mapping[str, NDArray[np.float32]]
    failures: Mapping[Format, str]


@dataclass(frozen=True)
class ComparisonRequest:
    """One artefact, to be loaded in a fresh process and run on `windows` (a .npy file).

    `expected` are the Keras model's outputs, and `units` those in which differences are counted: they
    broadcast to the outputs.
    """

    format: Format
    path: Path
    windows: Path
    expected: Mapping[str, NDArray[np.float32]]
    units: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class ComparisonOutcome:
    """The greatest difference to the Keras model in units, or the `problem` with the artefact."""

    greatest_difference: float
    problem: str | None


def in_one_line(error: Exception) -> str:
    """What a converter or a runtime complained of, as much of it as a line bears."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", _LONGEST, placeholder=" …")


def input_name(windows: NDArray[Any]) -> str:
    """What the input is called that takes windows, or texts."""
    return TEXT if windows.dtype.kind == "U" else WINDOW
