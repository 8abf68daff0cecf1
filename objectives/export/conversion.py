"""The deployable Keras model written as ONNX, Keras file, SavedModel and LiteRT."""

import shutil
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from objectives.classification.text_network import FROM_IDS, known_words
from objectives.export.messages import (
    TEXT,
    ConversionOutcome,
    ConversionRequest,
    Format,
    in_one_line,
)
from objectives.export.words import with_words

OPSET = 18  # the newest that tf2onnx writes
BATCH = 256
Run = Callable[[NDArray[Any]], Mapping[str, NDArray[np.float32]]]
_WITHOUT_EFFECT: Mapping[str, Any] = {
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "kernel_regularizer": None,
    "recurrent_regularizer": None,
    "bias_regularizer": None,
}
# `use_cudnn` is not in an LSTM's get_config(), but from_config() takes it
_OF_CLASS: Mapping[str, Mapping[str, Any]] = {
    "Dropout": {"rate": 0.0},
    "LSTM": {"use_cudnn": False},
}


def convert(request: ConversionRequest) -> ConversionOutcome:
    """Run the Keras model on the windows and write it in every format asked for.

    A format that cannot be written leaves no file and is among the failures, with the reason.
    """
    tf.get_logger().setLevel("ERROR")  # it warns of tables of words that no format keeps
    loaded = keras.saving.load_model(request.model, compile=False, safe_mode=True)
    model = rebuild(loaded)
    windows = np.load(request.windows, allow_pickle=False)
    outputs = run_in_batches(as_function(loaded), windows, BATCH)
    failures: dict[Format, str] = {}
    for name, path in request.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _WRITERS[name](model, path, request.properties)
        except Exception as error:  # converters raise whatever they like
            _remove(path)
            failures[name] = f"it cannot be made: {in_one_line(error)}"
    return ConversionOutcome(outputs, failures)


def rebuild(model: keras.Model) -> keras.Model:
    """Build the model again with nothing in it that serves training, its outputs named.

    Optimiser slots, random states, penalties and cuDNN kernels would else get into the formats. A
    single output is called "forecast".
    """
    config = _for_inference(keras.saving.serialize_keras_object(model))
    rebuilt = keras.saving.deserialize_keras_object(config, safe_mode=True)
    rebuilt.set_weights(model.get_weights())
    return keras.Model(rebuilt.inputs, named_outputs(rebuilt.output), name=model.name)


def _for_inference(config: Any) -> Any:
    if isinstance(config, list):
        return [_for_inference(part) for part in config]
    if not isinstance(config, dict):
        return config
    kept: dict[str, Any] = {
        key: _for_inference(value) for key, value in config.items() if key != "compile_config"
    }
    settings = kept.get("config")
    if isinstance(settings, dict):
        settings.update({key: value for key, value in _WITHOUT_EFFECT.items() if key in settings})
        settings.update(_OF_CLASS.get(str(kept.get("class_name")), {}))
    return kept


def named_outputs(outputs: Any) -> dict[str, Any]:
    """The outputs by name; a single one is called "forecast"."""
    return outputs if isinstance(outputs, dict) else {"forecast": outputs}


def as_function(model: keras.Model, size: int | None = None) -> Run:
    """A Keras model as a graph that takes batches of this or any size and gives each output by name.

    Of a known size it is compiled, unless it takes strings, which XLA lacks: TensorFlow's own loop over
    time steps is slow where each step is small.
    """

    def run(batch: Any) -> dict[str, Any]:
        return named_outputs(model(batch, training=False))

    (taken,) = model.inputs
    spec = tf.TensorSpec((size, *taken.shape[1:]), taken.dtype)
    compiled = size is not None and taken.dtype != "string"
    traced = tf.function(run, [spec], jit_compile=compiled, autograph=False)
    return lambda batch: {
        name: output.numpy() for name, output in traced(tf.constant(batch)).items()
    }


def run_in_batches(
    run: Run, windows: NDArray[Any], size: int, threads: int = 1
) -> dict[str, NDArray[np.float32]]:
    """Feed windows in batches of at most `size`, several at once, and put the outputs together again."""
    starts = range(0, len(windows), size)
    with ThreadPoolExecutor(threads) as pool:
        batches = list(pool.map(lambda start: run(windows[start : start + size]), starts))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _signature(model: keras.Model, batch: int | None) -> list[keras.InputSpec]:
    (window,) = model.inputs
    shape = (batch, *window.shape[1:])
    return [keras.InputSpec(dtype=window.dtype, shape=shape, name=window.name)]


def _write_keras(model: keras.Model, path: Path, _: Mapping[str, str]) -> None:
    model.save(path)


def _write_onnx(model: keras.Model, path: Path, properties: Mapping[str, str]) -> None:
    text = model.inputs[0].name == TEXT
    numeric = model.get_layer(FROM_IDS) if text else model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tf2onnx about old names in numpy
        signature = _signature(numeric, None)
        numeric.export(path, "onnx", False, signature, opset_version=OPSET)
    written = onnx.load(path)
    if text:
        written = with_words(written, known_words(model), numeric.input_shape[1])
    for value in (*written.graph.input, *written.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(written, dict(properties))
    written.producer_name, written.producer_version = "lstm-search", ""
    onnx.checker.check_model(written, full_check=True)
    onnx.save(written, path)


def _write_saved_model(model: keras.Model, path: Path, _: Mapping[str, str]) -> None:
    model.export(path, "tf_saved_model", False, _signature(model, None))


def _write_litert(model: keras.Model, path: Path, _: Mapping[str, str]) -> None:
    if model.inputs[0].name == TEXT:
        raise ValueError("LiteRT's own runtime has no operations on texts")
    # without this, operations get in that LiteRT's own runtime lacks
    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    model.export(path, "litert", False, _signature(model, 1), target_spec=built_in)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


_WRITERS: Mapping[Format, Callable[[keras.Model, Path, Mapping[str, str]], None]] = {
    "keras": _write_keras,
    "onnx": _write_onnx,
    "saved_model": _write_saved_model,
    "litert": _write_litert,
}
