"""What is fitted inside a saved Keras model, read from its file without loading it."""

import json
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from objectives.scaling import Scaling


@dataclass(frozen=True, eq=False)
class SavedScaling:
    """What a model that forecasts does to its inputs, and undoes for its targets."""

    inputs: Scaling
    restored: Scaling

    def distance(self, other: Scaling) -> float:
        """How far it is from another scaling, in the other's units, where they differ most."""
        targets = len(self.restored.center)
        of_targets = Scaling(other.center[:targets], other.scale[:targets])
        return max(distance(self.inputs, other), distance(self.restored, of_targets))


def distance(found: Scaling, other: Scaling) -> float:
    """How far a scaling is from another one, in the other's units, where they differ most."""
    pairs = ((found.center, other.center), (found.scale, other.scale))
    return max(float(np.max(np.abs(mine - its) / other.scale)) for mine, its in pairs)


def saved_scaling(model: Path) -> SavedScaling:
    """Read the Rescaling layers of a deployable model, as `objectives.lstm.network` builds it.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is damaged, or no such model.
    """
    layers = _layers(model)
    restore = layers["restored"] if "restored" in layers else layers["forecast"]
    restored = Scaling(_numbers(restore["offset"]), _numbers(restore["scale"]))
    return SavedScaling(_of_inputs(layers), restored)


def saved_timesteps(model: Path) -> int:
    """Read how many rows of a window a model that forecasts sees.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is damaged, or no such model.
    """
    return int(_layers(model)["window"]["batch_shape"][1])


def saved_input_scaling(model: Path) -> Scaling:
    """Read what any deployable model takes off its inputs and divides them by.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is damaged, or no such model.
    """
    return _of_inputs(_layers(model))


def saved_temperature(model: Path) -> float:
    """Read what a calibrated classifier divides its logits by.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is damaged, or no such model.
    """
    return float(1.0 / _layers(model)["temperature_1"]["scale"])


def saved_linear(model: Path) -> tuple[NDArray[np.float64], float]:
    """Read a linear part: its kernel (timesteps * features, classes), for scaled values, and share.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is damaged, or no such model.
    """
    import h5py  # noqa: PLC0415  (what Keras writes weights with)

    with ZipFile(model) as archive, h5py.File(BytesIO(archive.read("model.weights.h5"))) as weights:
        # Networks have weights below their own names, so that this is the only layer of its kind.
        kernel = np.asarray(weights["layers/dense/vars/0"], np.float64)
    return kernel, float(_layers(model)["share_of_linear"]["scale"])


def saved_vocabulary(model: Path) -> tuple[str, ...]:
    """Read the words that a classifier of texts knows, in the order of their ids.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is damaged, or no such model.
    """
    return tuple(_layers(model)["words"]["vocabulary"])


def _layers(model: Path) -> dict[str, Mapping[str, Any]]:
    """The configuration of each layer by its name, those of models inside the model too."""
    with ZipFile(model) as archive:
        config = json.loads(archive.read("config.json"))
    return _by_name(config["config"]["layers"])


def _by_name(layers: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    configurations = [layer["config"] for layer in layers]
    inside = ChainMap(*(_by_name(found.get("layers", ())) for found in configurations))
    return {**inside, **{found["name"]: found for found in configurations}}


def _of_inputs(layers: Mapping[str, Mapping[str, Any]]) -> Scaling:
    center, scale = layers["centre"]["offset"], layers["scale"]["scale"]
    return Scaling(-_numbers(center), 1.0 / _numbers(scale))


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.asarray(values, np.float64).ravel()
