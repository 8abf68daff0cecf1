"""The description of the routes in OpenAPI 3.1, made for the bundle that is served, and its page."""

import base64
import hashlib
import re
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np

from reports.bundle import Bundle, Metadata
from search.serving.rows import column_names, example_inputs, example_rows

Operation = dict[str, Any]


def openapi(bundle: Bundle) -> dict[str, Any]:
    """The document at /openapi.json, whose examples the model served answers."""
    about = bundle.metadata
    paths: dict[str, dict[str, Operation]] = {}
    if about.task == "forecast":
        paths["/forecast"] = {"post": _forecast(about)}
    else:
        paths["/classify"] = {"post": _classify(about)}
    paths |= _open_inference(about)
    paths |= _tensorflow_serving(about)
    paths["/metrics"] = {"get": _operation("server", "Counters in Prometheus' text format")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{about.name}, version {about.version}",
            "version": version("lstm-search"),
            "description": _description(about),
        },
        "paths": paths,
        "components": {"schemas": {"Error": _object({"error": {"type": "string"}}, ["error"])}},
    }


@cache
def docs_page() -> str:
    """The page at /docs, which reads /openapi.json and nothing from any other place."""
    return files("search.serving").joinpath("docs.html").read_text(encoding="utf-8")


def _policy() -> str:
    """Allow the page its own script and style and requests to its own server, and nothing else."""
    found = {
        kind: re.findall(rf"<{kind}>(.*?)</{kind}>", docs_page(), re.DOTALL)
        for kind in ("script", "style")
    }
    hashes = {
        kind: base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for kind, (content,) in found.items()
    }
    return (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; "
        f"style-src 'sha256-{hashes['style']}'; connect-src 'self'; frame-ancestors 'none'"
    )


DOCS_HEADERS = {"content-security-policy": _policy(), "x-content-type-options": "nosniff"}


def _description(about: Metadata) -> str:
    classes = ", ".join(about.labels)
    if about.text_column is not None:
        return f"Tells the class of a text ({classes}) from its last {about.timesteps} words."
    columns = ", ".join(column_names(about))
    if about.task == "forecast":
        does = f"Forecasts {', '.join(about.targets)} for the next {about.horizon} rows"
    else:
        does = f"Tells the class of a sequence ({classes})"
    most = "" if about.padding is None else "up to "
    return f"{does} from {most}{about.timesteps} rows of {columns}, all in the data's units."


def _forecast(about: Metadata) -> Operation:
    level = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    asked = _object({"rows": _rows(about), "interval": level}, ["rows"])
    return _with_example(_operation("forecast", "Forecast from rows by column name", asked), about)


def _classify(about: Metadata) -> Operation:
    asked = _object({"rows": _rows(about)}, ["rows"])
    what = "a sequence of rows" if about.text_column is None else "the text in each row"
    operation = _operation("classify", f"Tell the class of {what}", asked)
    return _with_example(operation, about)


def _rows(about: Metadata) -> dict[str, Any]:
    numeric = {*about.numeric_columns}
    cells: dict[str, Any] = {
        name: {"type": "number" if name in numeric else "string"} for name in column_names(about)
    }
    whole = about.padding is None and about.text_column is None
    least = about.timesteps if whole else 1
    return {"type": "array", "items": _object(cells, list(cells)), "minItems": least}


def _with_example(operation: Operation, about: Metadata) -> Operation:
    content = operation["requestBody"]["content"]["application/json"]
    content["example"] = {"rows": example_rows(about)}
    return operation


def _open_inference(about: Metadata) -> dict[str, dict[str, Operation]]:
    inputs, tag = example_inputs(about), "Open Inference Protocol"
    tensor = {
        "name": about.input.name,
        "shape": np.shape(inputs),
        "datatype": "FP32" if about.text_column is None else "BYTES",
        "data": inputs,
    }
    asked = _object({"inputs": {"type": "array"}, "id": {"type": "string"}}, ["inputs"])
    infer = _operation(tag, "Feed the model", asked)
    infer["requestBody"]["content"]["application/json"]["example"] = {"inputs": [tensor]}
    paths = {
        "/v2": {"get": _operation(tag, "About the server")},
        "/v2/health/live": {"get": _operation(tag, "Whether the server runs")},
        "/v2/health/ready": {"get": _operation(tag, "Whether it answers")},
    }
    for place in _places(f"/v2/models/{about.name}", about):
        paths[place] = {"get": _operation(tag, "Inputs and outputs of the model")}
        paths[f"{place}/ready"] = {"get": _operation(tag, "Whether the model answers")}
        paths[f"{place}/infer"] = {"post": infer}
    return paths


def _tensorflow_serving(about: Metadata) -> dict[str, dict[str, Operation]]:
    tag = "TensorFlow Serving"
    asked = _object({"instances": {"type": "array"}, "inputs": {}}, [])
    predict = _operation(tag, "Feed the model", asked)
    example = {"instances": example_inputs(about)}
    predict["requestBody"]["content"]["application/json"]["example"] = example
    paths = {}
    for place in _places(f"/v1/models/{about.name}", about):
        paths[place] = {"get": _operation(tag, "The state of the model's version")}
        paths[f"{place}/metadata"] = {"get": _operation(tag, "Inputs and outputs of the model")}
        paths[f"{place}:predict"] = {"post": predict}
    return paths


def _places(model: str, about: Metadata) -> tuple[str, str]:
    return model, f"{model}/versions/{about.version}"


def _operation(tag: str, summary: str, asked: dict[str, Any] | None = None) -> Operation:
    operation: Operation = {
        "tags": [tag],
        "summary": summary,
        "responses": {"200": {"description": "The answer"}},
    }
    if asked is not None:
        wrong = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": asked}},
        }
        operation["responses"] |= {
            "400": {"description": "What is wrong with the request", "content": wrong},
            "413": {"description": "The body is too long", "content": wrong},
        }
    return operation


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}
