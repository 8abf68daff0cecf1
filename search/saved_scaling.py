"""The constants of scaling inside a saved Keras model, read from its file without loading it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from objectives.scaling import Scaling


@dataclass(frozen=True, eq=False)
class SavedScaling:
    """What a model takes off its inputs and divides them by, (columns,), and undoes, (targets,)."""

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    restored_center: NDArray[np.float64]
    restored_scale: NDArray[np.float64]

    def distance(self, other: Scaling) -> float:
        """How far it is from another scaling, in the other's units, where they differ most."""
        targets, center, scale = len(self.restored_center), other.center, other.scale
        return max(
            float(np.max(np.abs(found - wanted) / unit))
            for found, wanted, unit in (
                (self.center, center, scale),
                (self.scale, scale, scale),
                (self.restored_center, center[:targets], scale[:targets]),
                (self.restored_scale, scale[:targets], scale[:targets]),
            )
        )


def saved_scaling(model: Path) -> SavedScaling:
    """Read the Rescaling layers of a deployable model, as `objectives.network` builds it.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is damaged, or no such model.
    """
    with ZipFile(model) as archive:
        config = json.loads(archive.read("config.json"))
    layers = {layer["config"]["name"]: layer["config"] for layer in config["config"]["layers"]}
    restore = layers["restored"] if "restored" in layers else layers["forecast"]
    return SavedScaling(
        center=-_numbers(layers["centre"]["offset"]),
        scale=1.0 / _numbers(layers["scale"]["scale"]),
        restored_center=_numbers(restore["offset"]),
        restored_scale=_numbers(restore["scale"]),
    )


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.asarray(values, np.float64).ravel()
