"""The Open Inference Protocol, version 2, as KServe, Triton and MLServer speak it; JSON only."""

import math
from importlib.metadata import version
from typing import Any

from numpy.typing import NDArray

from reports.bundle import Bundle, Metadata
from reports.bundle.metadata import Tensor
from search.serving.errors import RequestError
from search.serving.windows import as_numbers, as_text_batch, as_windows, shown, taken

_NUMBERS = (  # no set, since what is looked for may be a list
    *("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64"),
    *("UINT8", "UINT16", "UINT32", "UINT64"),
)


def about_server() -> dict[str, Any]:
    """What `GET /v2` answers."""
    return {"name": "lstm-search", "version": version("lstm-search"), "extensions": []}


def about_model(bundle: Bundle) -> dict[str, Any]:
    """What `GET /v2/models/NAME` answers; a dimension that is free is -1."""
    about = bundle.metadata
    return {
        "name": about.name,
        "versions": [str(about.version)],
        "platform": "onnxruntime_onnx",
        "inputs": [_tensor(taken(about))],
        "outputs": [_tensor(output) for output in about.outputs],
    }


def infer(bundle: Bundle, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Answer `POST /v2/models/NAME/infer`; gives the answer and how many windows it took.

    Raises:
        RequestError, reports.bundle.BundleError: the request cannot be answered.
    """
    windows = _inputs(asked.get("inputs"), bundle.metadata)
    wanted = _wanted(asked.get("outputs"), bundle)
    found = bundle.run(windows)
    answer: dict[str, Any] = {
        "model_name": bundle.metadata.name,
        "model_version": str(bundle.metadata.version),
        "outputs": [
            {
                "name": name,
                "shape": list(found[name].shape),
                "datatype": "FP32",
                "data": found[name].ravel(),
            }
            for name in wanted
        ],
    }
    if "id" in asked:
        if not isinstance(asked["id"], str):
            raise RequestError(f"id: expected a string. Received: {shown(asked['id'])}")
        answer["id"] = asked["id"]
    return answer, len(windows)


def _inputs(inputs: Any, about: Metadata) -> NDArray[Any]:
    expected, texts = about.input, about.text_column is not None
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RequestError(f"inputs: expected a list of one tensor, named {expected.name!r}")
    tensor = inputs[0]
    if tensor.get("name") != expected.name:
        received = shown(tensor.get("name"))
        raise RequestError(f"inputs[0].name: expected {expected.name!r}. Received: {received}")
    if tensor.get("datatype") not in (("BYTES",) if texts else _NUMBERS):
        received, wanted = shown(tensor.get("datatype")), "BYTES" if texts else "FP32 or FP64"
        raise RequestError(f"inputs[0].datatype: expected {wanted}. Received: {received}")
    if "data" not in tensor:
        raise RequestError("inputs[0].data: is missing; binary data are not taken")
    data, where = tensor["data"], "inputs[0].data"
    values = as_text_batch(data, where, about) if texts else as_numbers(data, where)
    shape = _shape(tensor.get("shape"))
    if values.size != math.prod(shape):
        raise RequestError(
            f"inputs[0].data: has {values.size} values, and the shape {shape} needs "
            f"{math.prod(shape)}"
        )
    if texts:
        return _one_to_a_row(values, shape)
    return as_windows(values.reshape(shape), where, about)


def _one_to_a_row(texts: NDArray[Any], shape: list[int]) -> NDArray[Any]:
    """Texts (batch,), which clients that know only tables send as (batch, 1)."""
    return texts.reshape(shape[:1] if shape[1:] == [1] else shape)


def _shape(shape: Any) -> list[int]:
    if (
        not isinstance(shape, list)
        or len(shape) > 8
        or not all(type(size) is int and 0 <= size < 2**31 for size in shape)
    ):
        raise RequestError(f"inputs[0].shape: expected a list of sizes. Received: {shown(shape)}")
    return shape


def _wanted(outputs: Any, bundle: Bundle) -> list[str]:
    """The names of the outputs asked for; all where none is named."""
    known = [output.name for output in bundle.metadata.outputs]
    if not outputs:
        return known
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise RequestError(f"outputs: expected a list of tensors. Received: {shown(outputs)}")
    for output in outputs:
        if output.get("name") not in known:
            received = shown(output.get("name"))
            raise RequestError(f"outputs: the model has {', '.join(known)}. Received: {received}")
    return [output["name"] for output in outputs]


def _tensor(tensor: Tensor) -> dict[str, Any]:
    shape = [-1 if isinstance(size, str) else size for size in tensor.shape]
    datatype = "BYTES" if tensor.dtype == "string" else "FP32"
    return {"name": tensor.name, "datatype": datatype, "shape": shape}
