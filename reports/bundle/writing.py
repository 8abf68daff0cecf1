"""Everything in a bundle beside the model itself: what it needs, what it is, and how to check it."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from reports.bundle.calendar import PERIOD_SECONDS
from reports.bundle.checksums import write_checksums
from reports.bundle.metadata import METADATA_FILE, Metadata, Tensor, TimeAxis
from reports.wording import baseline_label, counted, number

_NEEDED = ("numpy", "onnxruntime")  # to run model.onnx


def complete_bundle(folder: Path, metadata: Metadata, golden: Mapping[str, NDArray[Any]]) -> None:
    """Add to a folder that holds the model all that makes it a bundle, the checksums last.

    Args:
        folder: holds the artefacts that the metadata list.
        metadata: what is known of the model; `provenance.versions` has those of numpy, onnx,
            onnxruntime and python.
        golden: some windows or texts by the input's name, and what the Keras model makes of them by
            output.
    """
    versions = metadata.provenance.versions
    texts = {
        METADATA_FILE: metadata.as_json(),
        "MLmodel": _mlflow_model(metadata),
        "requirements.txt": "".join(f"{name}=={versions[name]}\n" for name in _NEEDED),
        "README.md": model_card(metadata),
        "smoke_test.py": (files("reports.bundle") / "templates/smoke_test.py").read_text("utf-8"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    np.savez_compressed(folder / "golden.npz", allow_pickle=False, **golden)
    write_checksums(folder)


def model_card(metadata: Metadata) -> str:
    """The README of a bundle, with the front matter that Hugging Face reads."""
    step = step_in_words(metadata.time)
    kind = "text" if metadata.input.dtype == "string" else metadata.task
    template = _environment().get_template(f"{kind}.md.j2")
    return template.render(about=metadata, step=step, seconds=PERIOD_SECONDS)


def step_in_words(axis: TimeAxis) -> str:
    """How far apart rows are: "1 hour", "15 minutes", "calendar MS"; empty without timestamps."""
    if axis.step is None:
        return "" if axis.frequency is None else f"calendar {axis.frequency}"
    from pandas import Timedelta  # noqa: PLC0415  (large, and only this needs it)

    parts = Timedelta(axis.step).components._asdict()
    said = [counted(count, name.removesuffix("s")) for name, count in parts.items() if count]
    return " ".join(said)


def _mlflow_model(metadata: Metadata) -> str:
    """What MLflow needs to know to run model.onnx, written without MLflow."""
    created = datetime.fromisoformat(metadata.created)
    identity = f"{metadata.provenance.model}/{metadata.version}"
    template = _environment().get_template("MLmodel.j2")
    return template.render(
        versions=metadata.provenance.versions,
        identifier=uuid.uuid5(uuid.NAMESPACE_OID, identity).hex,
        inputs=[_mlflow_tensor(metadata.input)],
        outputs=[_mlflow_tensor(output) for output in metadata.outputs],
        created=f"{created:%Y-%m-%d %H:%M:%S.%f}",
    )


def _mlflow_tensor(tensor: Tensor) -> dict[str, Any]:
    shape = [-1 if isinstance(size, str) else size for size in tensor.shape]
    dtype = "object" if tensor.dtype == "string" else tensor.dtype
    spec = {"dtype": dtype, "shape": shape}
    return {"name": tensor.name, "type": "tensor", "tensor-spec": spec}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.bundle"),
        autoescape=False,  # Markdown and YAML, not HTML
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "json": json.dumps,  # as a YAML scalar
        "cell": _cell,
        "number": number,
        "counted": counted,
        "label": baseline_label,
    }
    return environment


def _cell(value: Any) -> str:
    """Text from outside in a line or a table's cell of Markdown, where it is to be taken as it is."""
    text = " ".join(str(value).split())
    return "".join(f"\\{each}" if each in "\\|`*_<>[]#$" else each for each in text)
