"""Words of texts as ids in ONNX: the same ids as Python's and Keras's, whatever the text."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from objectives.classification.vocabulary import words_of
from objectives.export.words import with_words

WORDS = ["good", "bad", "not", "été", "Été", "a", "it's", "\u00c4rger"]
TIMESTEPS = 5
TEXTS = [
    "",
    " \t\n",
    "good BAD Not",
    "  the\tfood\nwas \r\n  GOOD\x0b\x0cgood",
    "unheard, good. It's A a",
    "Été été ÉTÉ Ärger ÄRGER straße İ ı 日本 😀",
    "no\u00a0break good\u2003bad\u2028not\x1ca",
    "good " * 30 + "not bad",
    "A",
]


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    """A model that gives the ids it is fed."""
    shape = ["batch", TIMESTEPS]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["ids"], ["probabilities"])],
        "identity",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.INT64, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return onnxruntime.InferenceSession(with_words(model, WORDS, TIMESTEPS).SerializeToString())


def ids_of(text: str) -> list[int]:
    ids = [WORDS.index(word) + 2 if word in WORDS else 1 for word in words_of(text)]
    return ([0] * TIMESTEPS + ids)[-TIMESTEPS:]


def test_ids_are_those_of_the_last_words(session: onnxruntime.InferenceSession) -> None:
    (found,) = session.run(None, {"text": np.array(TEXTS, np.object_)})
    assert found.tolist() == [ids_of(text) for text in TEXTS]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_alone_has_the_same_ids(session: onnxruntime.InferenceSession, text: str) -> None:
    (found,) = session.run(None, {"text": np.array([text], np.object_)})
    assert found.tolist() == [ids_of(text)]
