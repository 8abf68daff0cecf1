"""The words of texts as ids in ONNX: what `keras.layers.TextVectorization` does, in standard operators.

With "lower" and "whitespace" that layer lowers the letters of ASCII alone and parts words at ASCII's
whitespace alone. StringNormalizer does the former in the locale "C", which every system has.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TEXT_OPSET = 20  # the first that has StringSplit
ML_OPSET, ML_DOMAIN = 2, "ai.onnx.ml"
_BLANKS = "\t\n\v\f\r"  # besides the space; onnxruntime's StringSplit parts at that alone by itself
_FIRST = (
    "A"  # a word that no lowered text has: put first, so that no text is empty, and not counted
)
_INITIALIZERS = {
    "padding_id": np.array(0),
    "one": np.array(1),
    "steps_axis": np.array([1]),
    "backwards": np.array([-1]),
    "beginning": np.array([np.iinfo(np.int64).min]),
}


def with_words(model: onnx.ModelProto, words: Sequence[str], timesteps: int) -> onnx.ModelProto:
    """Put texts in front of a model of ids.

    Args:
        model: its input "ids" is (batch, timesteps) int64, padded in front with 0.
        words: those whose ids are 2 and on; any other word's is 1.
        timesteps: of a text so many words count, the last ones.

    Returns:
        The same with the input "text" (batch,) of strings.
    """
    inputs = [helper.make_tensor_value_info("text", TensorProto.STRING, ["batch"])]
    outputs = [helper.make_tensor_value_info("last_ids", TensorProto.INT64, ["batch", timesteps])]
    constants = [
        *(numpy_helper.from_array(value, name) for name, value in _INITIALIZERS.items()),
        numpy_helper.from_array(np.array([timesteps]), "timesteps"),
        numpy_helper.from_array(np.array([0, timesteps, 0, 0]), "pads"),
        helper.make_tensor("first", TensorProto.STRING, [1], [f"{_FIRST} ".encode()]),
    ]
    nodes = [*_words(), _ids(words), *_last()]
    graph = helper.make_graph(nodes, "words", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", TEXT_OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
    front = helper.make_model(graph, opset_imports=opsets)
    newer = onnx.version_converter.convert_version(model, TEXT_OPSET)
    newer.opset_import.append(opsets[1])
    newer.ir_version = front.ir_version = model.ir_version
    joined: onnx.ModelProto = onnx.compose.merge_models(
        onnx.compose.add_prefix(front, "words/", rename_inputs=False),
        newer,
        io_map=[("words/last_ids", "ids")],
    )
    return joined


def _words() -> list[Any]:
    """Texts (batch,) to words (batch, some), "" where there is none, `_FIRST` the first of each."""
    nodes = [
        helper.make_node(
            "StringNormalizer", ["text"], ["lower"], case_change_action="LOWER", locale="C"
        ),
        helper.make_node("StringConcat", ["first", "lower"], ["parts_0"]),
    ]
    for number, blank in enumerate(_BLANKS):
        parted = helper.make_node(
            "StringSplit",
            [f"parts_{number}"],
            [f"split_{number}", f"counts_{number}"],
            delimiter=blank,
        )
        nodes += [parted, *_joined(number)]
    return [*nodes, helper.make_node("StringSplit", [f"parts_{len(_BLANKS)}"], ["words", "counts"])]


def _joined(number: int) -> list[Any]:
    """The parts of each text (batch, parts) put together again with spaces between them, (batch,).

    Parts that are split again are padded to as many words as the product of all counts.
    """
    body = [
        helper.make_node("Constant", [], ["space"], value_strings=[" "]),
        helper.make_node("Gather", [f"split_{number}", "place"], ["part"], axis=1),
        helper.make_node("StringConcat", ["joined", "space"], ["spaced"]),
        helper.make_node("StringConcat", ["spaced", "part"], ["longer"]),
        helper.make_node("Identity", ["going_on"], ["going_on_still"]),
    ]
    place = helper.make_tensor_value_info("place", TensorProto.INT64, [])
    conditions, texts = (
        [helper.make_tensor_value_info(name, kind, shape) for name in names]
        for names, kind, shape in (
            (("going_on", "going_on_still"), TensorProto.BOOL, []),
            (("joined", "longer"), TensorProto.STRING, ["batch"]),
        )
    )
    inputs, outputs = zip(conditions, texts, strict=True)
    graph = helper.make_graph(body, f"join_{number}", [place, *inputs], outputs)
    return [
        helper.make_node("Shape", [f"split_{number}"], [f"size_{number}"], start=1, end=2),
        helper.make_node("Squeeze", [f"size_{number}"], [f"count_{number}"]),
        helper.make_node(
            "Loop", [f"count_{number}", "", "first"], [f"parts_{number + 1}"], body=graph
        ),
    ]


def _ids(words: Sequence[str]) -> Any:
    """Words to ids; what is no word has that of padding."""
    return helper.make_node(
        "LabelEncoder",
        ["words"],
        ["ids"],
        domain=ML_DOMAIN,
        keys_strings=["", _FIRST, *words],
        values_int64s=[0, 0, *range(2, 2 + len(words))],
        default_int64=1,
    )


def _last() -> list[Any]:
    """Ids (batch, some) to the last ones that are no padding (batch, timesteps), the padding before."""
    return [
        helper.make_node("Pad", ["ids", "pads"], ["longer"]),
        helper.make_node("Shape", ["longer"], ["width"], start=1, end=2),
        helper.make_node("Squeeze", ["width"], ["count"]),
        helper.make_node("Range", ["padding_id", "count", "one"], ["places"]),
        helper.make_node("Equal", ["longer", "padding_id"], ["empty"]),
        helper.make_node("Where", ["empty", "padding_id", "places"], ["keys"]),
        helper.make_node("TopK", ["keys", "timesteps"], ["latest", "order"], axis=1),
        helper.make_node("GatherElements", ["longer", "latest"], ["latest_first"], axis=1),
        helper.make_node(
            "Slice",
            ["latest_first", "backwards", "beginning", "steps_axis", "backwards"],
            ["last_ids"],
        ),
    ]
