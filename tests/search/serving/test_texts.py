"""What a served classifier of texts answers to each protocol, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession

from reports.bundle import load_bundle
from tests.search.serving.conftest import Running, Serve
from tests.text_classifiers import LABELS, LONGEST, expected_probabilities, write_text_classifier

INFER, PREDICT = "/v2/models/reviews/infer", "/v1/models/reviews:predict"
TEXTS = [
    "It was NOT\tbad",
    "good\x0bgood bad été a 日本 unheard",
    "",
    "bad \r\n",
    "not\u00a0bad good\x1cbad",
]


def tensor(texts: Any, **changes: Any) -> dict[str, Any]:
    found = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    return {"inputs": [{**found, **changes}]}


def same(found: Any, texts: list[str]) -> None:
    np.testing.assert_allclose(found, expected_probabilities(texts), atol=1e-5)


def test_open_inference_takes_strings(text_classifier: Running) -> None:
    status, answer = text_classifier.ask(INFER, tensor(TEXTS))
    assert status == 200, answer
    (output,) = answer["outputs"]
    assert (output["name"], output["shape"]) == ("probabilities", [len(TEXTS), len(LABELS)])
    same(np.reshape(output["data"], output["shape"]), TEXTS)
    column = tensor(TEXTS, shape=[len(TEXTS), 1])
    assert text_classifier.ask(INFER, column) == (200, answer)
    about = text_classifier.ask("/v2/models/reviews")[1]
    assert about["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert about["outputs"][0]["datatype"] == "FP32"


@pytest.mark.parametrize("named", [False, True])
def test_tensorflow_serving_takes_strings(text_classifier: Running, named: bool) -> None:
    instances = [{"text": text} for text in TEXTS] if named else TEXTS
    status, answer = text_classifier.ask(PREDICT, {"instances": instances})
    assert status == 200, answer
    same(answer["predictions"], TEXTS)
    status, answer = text_classifier.ask(PREDICT, {"inputs": {"text": TEXTS} if named else TEXTS})
    assert status == 200, answer
    same(answer["outputs"], TEXTS)
    about = text_classifier.ask("/v1/models/reviews/metadata")[1]
    signature = about["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["text"]["dtype"] == "DT_STRING"
    assert signature["outputs"]["probabilities"]["dtype"] == "DT_FLOAT"


def test_every_row_is_a_text_with_a_label_and_probabilities(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_text_classifier(tmp_path / "bundle"))
    texts = [TEXTS[0], TEXTS[1], TEXTS[3]]
    status, answer = server.ask("/classify", {"rows": [{"review": text} for text in texts]})
    assert status == 200, answer
    assert (answer["model"], answer["version"]) == ("reviews", 1)
    found, wanted = answer["texts"], expected_probabilities(texts)
    assert [each["label"] for each in found] == [LABELS[best] for best in wanted.argmax(axis=1)]
    same([[each["probabilities"][label] for label in LABELS] for each in found], texts)
    assert server.ask("/classify", {"rows": [{"review": 1}]})[0] == 400
    counted = server.ask("/metrics")[1]
    assert 'lstm_search_requests_total{endpoint="classify",status="200"} 1\n' in counted
    assert 'lstm_search_requests_total{endpoint="classify",status="400"} 1\n' in counted
    assert "lstm_search_windows_total 3\n" in counted


WRONG: list[tuple[str, Any, str]] = [
    (INFER, tensor([]), "expected at least one text"),
    (INFER, tensor([1.5], datatype="FP32"), 'datatype: expected BYTES. Received: "FP32"'),
    (INFER, tensor(["good", 2]), "inputs[0].data[1]: expected a text. Received: 2"),
    (INFER, tensor(["good"], shape=[2]), "has 1 values, and the shape [2] needs 2"),
    (INFER, tensor(["good"], shape=[1, 1, 1]), "expected at least one text, as (batch,)"),
    (INFER, tensor(["good"], name="window"), "expected 'text'. Received: \"window\""),
    (INFER, tensor(["good"], data="good"), 'expected a list of texts. Received: "good"'),
    (PREDICT, {"instances": []}, "expected at least one text"),
    (PREDICT, {"instances": [[1.0, 2.0]]}, "instances[0]: expected a text. Received: a list of 2"),
    (PREDICT, {"instances": "good"}, 'expected a list of texts. Received: "good"'),
    (PREDICT, {"instances": [{"words": "good"}]}, 'instances[0]: expected {"text": text}'),
    (PREDICT, {"inputs": {"text": [None]}}, "inputs.text[0]: expected a text. Received: null"),
    (PREDICT, {"inputs": ["a"] * 300_000}, "at most 209715 texts at once. Received: 300000"),
    ("/classify", {"rows": []}, "rows: expected at least one"),
    ("/classify", {"rows": ["good"]}, "rows: expected a list of objects"),
    ("/classify", {"rows": [{}]}, "rows[0]: the column 'review' is missing"),
    ("/classify", {"rows": [{"review": 7}]}, "rows[0]: expected a text. Received: 7"),
    ("/classify", {"rows": [{"review": "a", "b": 1}]}, 'unknown column "b"; known are review'),
    ("/classify", {"rows": [{"review": "a"}, {"review": " \n"}]}, "row 1: the text has no words"),
]


@pytest.mark.parametrize(("path", "body", "reason"), WRONG)
def test_what_is_wrong_is_told(text_classifier: Running, path: str, body: Any, reason: str) -> None:
    status, answer = text_classifier.ask(path, body)
    assert status == 400, answer
    assert reason in answer["error"]


def test_every_route_is_described_with_an_example_that_is_answered(
    text_classifier: Running,
) -> None:
    document = text_classifier.ask("/openapi.json")[1]
    said = "Tells the class of a text (panned, praised) from its last 5 words."
    assert document["info"]["description"] == said
    content = document["paths"]["/classify"]["post"]["requestBody"]["content"]["application/json"]
    rows = content["schema"]["properties"]["rows"]
    assert rows["minItems"] == 1
    assert rows["items"]["properties"] == {"review": {"type": "string"}}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {"content": {}})["content"]
            example = content.get("application/json", {}).get("example")
            assert text_classifier.ask(path, example, method.upper())[0] == 200, path


def test_blanks_of_many_kinds_take_no_memory(tmp_path: Path) -> None:
    """Padded to the product of their counts, this text would have 300 * 300 * 300,000 words."""
    path = write_text_classifier(tmp_path / "bundle")
    graph = InferenceSession(path / "model.onnx", providers=["CPUExecutionProvider"])
    text = "\t" * 300 + "\n" * 300 + "good " * (300_000 - LONGEST) + "bad\x0cnot " + "good " * 3
    texts = np.array([text, "bad"], np.object_)
    (found,) = graph.run(["probabilities"], {"text": texts})
    same(found, [text, "bad"])
    same(load_bundle(path).run(texts)["probabilities"], [text, "bad"])
