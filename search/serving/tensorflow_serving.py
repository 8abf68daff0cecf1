"""The REST interface of TensorFlow Serving."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.bundle import Bundle, Metadata
from reports.bundle.metadata import Tensor
from search.serving.errors import RequestError
from search.serving.windows import as_inputs, shown, taken

_SIGNATURE = "serving_default"


def status(bundle: Bundle) -> dict[str, Any]:
    """What `GET /v1/models/NAME` answers."""
    state = {
        "version": str(bundle.metadata.version),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return {"model_version_status": [state]}


def about_model(bundle: Bundle) -> dict[str, Any]:
    """What `GET /v1/models/NAME/metadata` answers."""
    about = bundle.metadata
    signature = {
        "inputs": {about.input.name: _tensor(taken(about))},
        "outputs": {output.name: _tensor(output) for output in about.outputs},
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": about.name, "signature_name": "", "version": str(about.version)},
        "metadata": {"signature_def": {"signature_def": {_SIGNATURE: signature}}},
    }


def predict(bundle: Bundle, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Answer `POST /v1/models/NAME:predict`; gives the answer and how many windows it took.

    "instances" is a list of windows or texts, or of objects that name the input; "inputs" is the same as
    a batch. Where the model has one output, the answer holds its values alone, else objects by name.

    Raises:
        RequestError, reports.bundle.BundleError: the request cannot be answered.
    """
    if asked.get("signature_name", _SIGNATURE) not in (_SIGNATURE, ""):
        received = shown(asked["signature_name"])
        raise RequestError(f"signature_name: expected {_SIGNATURE!r}. Received: {received}")
    if ("instances" in asked) == ("inputs" in asked):
        raise RequestError('expected either "instances" or "inputs"')
    about = bundle.metadata
    if "instances" in asked:
        windows = _inputs_in_rows(asked["instances"], about)
        return {"predictions": _in_rows(bundle.run(windows))}, len(windows)
    windows = _inputs_in_columns(asked["inputs"], about)
    found = bundle.run(windows)
    return {"outputs": found if len(found) > 1 else next(iter(found.values()))}, len(windows)


def _inputs_in_rows(instances: Any, about: Metadata) -> NDArray[Any]:
    name = about.input.name
    if not isinstance(instances, list):
        raise RequestError(f"instances: expected a list of {name}s. Received: {shown(instances)}")
    if not any(isinstance(instance, dict) for instance in instances):
        return as_inputs(instances, "instances", about)
    for place, instance in enumerate(instances):
        if not isinstance(instance, dict) or list(instance) != [name]:
            raise RequestError(
                f'instances[{place}]: expected {{"{name}": {name}}}. Received: {shown(instance)}'
            )
    return as_inputs([instance[name] for instance in instances], "instances", about)


def _inputs_in_columns(inputs: Any, about: Metadata) -> NDArray[Any]:
    if not isinstance(inputs, dict):
        return as_inputs(inputs, "inputs", about)
    name = about.input.name
    if list(inputs) != [name]:
        raise RequestError(f"inputs: expected the key {name!r}. Received: {shown(inputs)}")
    return as_inputs(inputs[name], f"inputs.{name}", about)


def _in_rows(found: dict[str, NDArray[np.float32]]) -> Any:
    if len(found) == 1:
        return next(iter(found.values()))
    windows = len(next(iter(found.values())))
    return [{name: values[row] for name, values in found.items()} for row in range(windows)]


def _tensor(tensor: Tensor) -> dict[str, Any]:
    dimensions = [
        {"size": "-1" if isinstance(size, str) else str(size), "name": ""} for size in tensor.shape
    ]
    return {
        "name": tensor.name,
        "dtype": "DT_STRING" if tensor.dtype == "string" else "DT_FLOAT",
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
    }
