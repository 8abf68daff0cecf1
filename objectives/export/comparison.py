"""The gate before a bundle: an artefact is loaded as its users load it, and compared with Keras."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from objectives.export.conversion import BATCH, OPSET, Run, as_function, run_in_batches
from objectives.export.messages import (
    TEXT,
    ComparisonOutcome,
    ComparisonRequest,
    Format,
    in_one_line,
    input_name,
)
from objectives.export.words import ML_DOMAIN, TEXT_OPSET

TOLERANCE = 1e-4  # of a target's deviation, or of probability


class ArtefactError(ValueError):
    """An artefact that must not be given away; the message says why."""


def compare(request: ComparisonRequest) -> ComparisonOutcome:
    """Load the artefact, look at its names and operations, and run it on the windows.

    Each window is run alone and, where the format's batch is free, in batches of 256 too.
    """
    windows = np.load(request.windows, allow_pickle=False)
    # an interpreter of LiteRT takes one window, and one thread
    sizes, threads = ((1,), 1) if request.format == "litert" else ((1, BATCH), joblib.cpu_count())
    greatest = 0.0
    try:
        run = _OPENERS[request.format](request.path, input_name(windows), tuple(request.expected))
        for size in sizes:
            outputs = run_in_batches(run, windows, size, threads)
            for name, expected in request.expected.items():
                difference = _difference(outputs[name], expected, request.units[name])
                greatest = max(greatest, difference)
                if not difference <= TOLERANCE:
                    raise ArtefactError(
                        f"its {name} differs from the Keras model's by {difference:.2g} "
                        f"at batch {size}, and {TOLERANCE:g} is allowed"
                    )
    except ArtefactError as error:
        return ComparisonOutcome(greatest, str(error))
    except Exception as error:  # runtimes raise whatever they like
        return ComparisonOutcome(greatest, f"it cannot be run: {in_one_line(error)}")
    return ComparisonOutcome(greatest, None)


def _difference(
    found: NDArray[np.float32], expected: NDArray[np.float32], unit: NDArray[np.float64]
) -> float:
    if found.shape != expected.shape:
        raise ArtefactError(f"it gives shape {found.shape} where Keras gives {expected.shape}")
    if not np.isfinite(found).all():
        raise ArtefactError("it gives values that are not finite")
    return float(np.max(np.abs(found.astype(np.float64) - expected) / unit))


def _check_names(
    inputs: list[str], outputs: list[str], fed: str, expected: tuple[str, ...]
) -> None:
    if inputs != [fed] or sorted(outputs) != sorted(expected):
        raise ArtefactError(f"it maps {inputs} to {outputs}; expected {[fed]} to {list(expected)}")


def _check_operations(operations: set[str]) -> None:
    refused = sorted(op for op in operations if "cudnn" in op.lower() or op.startswith("Flex"))
    if refused:
        raise ArtefactError(f"it needs the operations {', '.join(refused)}")


def _open_onnx(path: Path, fed: str, expected: tuple[str, ...]) -> Run:
    import onnx  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415

    content = path.read_bytes()
    model = onnx.load_from_string(content)  # with data outside the file this could not be run
    versions = {found.domain: found.version for found in model.opset_import}
    wanted, domains = (TEXT_OPSET, {"", ML_DOMAIN}) if fed == TEXT else (OPSET, {"", "ai.onnx"})
    if versions.get("") != wanted:
        raise ArtefactError(f"it is of opset {versions}, not {wanted}")
    foreign = {node.domain for node in model.graph.node} - domains
    if foreign:
        raise ArtefactError(f"it needs the operations of {', '.join(sorted(foreign))}")
    _check_operations({node.op_type for node in model.graph.node})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # since several windows are run at once
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [found.name for found in session.get_outputs()]
    _check_names([found.name for found in session.get_inputs()], names, fed, expected)
    return lambda batch: dict(zip(names, session.run(names, {fed: batch}), strict=True))


def _open_keras(path: Path, fed: str, expected: tuple[str, ...]) -> Run:
    import keras  # noqa: PLC0415

    with zipfile.ZipFile(path) as archive:
        foreign = _foreign_classes(json.loads(archive.read("config.json")))
    if foreign:
        raise ArtefactError(f"it needs classes that Keras does not have: {', '.join(foreign)}")
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    _check_names([found.name for found in model.inputs], list(model.output), fed, expected)
    alone, together = as_function(model, 1), as_function(model)
    return lambda batch: (alone if len(batch) == 1 else together)(batch)


def _foreign_classes(config: Any) -> list[str]:
    """The classes of a model's config that are defined outside of Keras."""
    if isinstance(config, list):
        return [name for part in config for name in _foreign_classes(part)]
    if not isinstance(config, dict):
        return []
    module = config.get("module")
    outside = isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins")
    own = [f"{module}.{config.get('class_name')}"] if outside else []
    return own + [name for part in config.values() for name in _foreign_classes(part)]


def _open_saved_model(path: Path, fed: str, expected: tuple[str, ...]) -> Run:
    import tensorflow as tf  # noqa: PLC0415

    model = tf.saved_model.load(str(path))
    serve = model.signatures["serving_default"]
    graph = serve.graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    _check_operations({node.op for node in nodes})
    inputs = list(serve.structured_input_signature[1])
    _check_names(inputs, list(serve.structured_outputs), fed, expected)
    return lambda batch: {
        name: output.numpy() for name, output in serve(**{fed: tf.constant(batch)}).items()
    }


def _open_litert(path: Path, fed: str, expected: tuple[str, ...]) -> Run:
    # not TensorFlow's own interpreter, which has operations that LiteRT's lacks
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    interpreter = Interpreter(model_path=str(path))
    _check_operations({found["op_name"] for found in interpreter._get_ops_details()})
    (signature,) = interpreter.get_signature_list().items()
    _check_names(signature[1]["inputs"], signature[1]["outputs"], fed, expected)
    run = interpreter.get_signature_runner(signature[0])
    return lambda batch: run(**{fed: batch})


_OPENERS: Mapping[Format, Callable[[Path, str, tuple[str, ...]], Run]] = {
    "onnx": _open_onnx,
    "keras": _open_keras,
    "saved_model": _open_saved_model,
    "litert": _open_litert,
}
