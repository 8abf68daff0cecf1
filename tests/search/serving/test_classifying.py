"""What a served classifier answers to each protocol, to sequences of any length, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.classifiers import (
    COLUMNS,
    LABELS,
    LONGEST,
    expected_probabilities,
    write_classifier,
)
from tests.search.serving.conftest import Running, Serve

INFER = "/v2/models/moves/infer"
PREDICT = "/v1/models/moves:predict"


def sequence(rows: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(0, 10, (rows, len(COLUMNS)))


def as_rows(values: NDArray[np.float64], **more: list[Any]) -> list[dict[str, Any]]:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in values.tolist()]
    return [{**row, **{name: more[name][at] for name in more}} for at, row in enumerate(rows)]


def changed(at: int, **cells: Any) -> dict[str, Any]:
    rows = as_rows(sequence(3))
    rows[at] |= cells
    return {"rows": rows}


@pytest.mark.parametrize("rows", [1, 4, LONGEST, LONGEST + 3])
def test_rows_get_a_label_and_probabilities(classifier: Running, rows: int) -> None:
    values = sequence(rows, seed=rows)
    wanted = expected_probabilities(values[-LONGEST:])
    status, answer = classifier.ask("/classify", {"rows": as_rows(values)})
    assert status == 200, answer
    assert list(answer) == ["model", "version", "label", "probabilities"]
    assert answer["label"] == LABELS[wanted.argmax()]
    assert list(answer["probabilities"]) == list(LABELS)
    np.testing.assert_allclose(list(answer["probabilities"].values()), wanted, atol=1e-5)


def test_rows_are_filled_and_told_of_as_by_predict(classifier: Running) -> None:
    values = sequence(4)
    rows = as_rows(values, time=["2024-01-01", "2024-01-03", "2024-01-04", "2024-01-09"])
    rows[2]["x"], rows[3]["y"] = None, 11.0
    values[2, 0], values[3, 1] = values[1, 0], 11.0
    status, answer = classifier.ask("/classify", {"rows": rows})
    assert status == 200, answer
    found = list(answer["probabilities"].values())
    np.testing.assert_allclose(found, expected_probabilities(values), atol=1e-5)
    assert answer["warnings"] == [
        "rows: 1 missing cell filled as in training (forward)",
        "rows: column 'y': 25.0% of 4 values lie outside of the training data's range, 0 to 10",
    ]


def test_open_inference_takes_sequences_of_any_length(classifier: Running) -> None:
    for rows in (2, LONGEST):
        values = np.stack([sequence(rows, seed) for seed in range(3)])
        tensor = {"name": "window", "shape": list(values.shape), "datatype": "FP64"}
        body = {"inputs": [{**tensor, "data": values.ravel().tolist()}]}
        status, answer = classifier.ask(INFER, body)
        assert status == 200, answer
        (output,) = answer["outputs"]
        assert (output["name"], output["shape"]) == ("probabilities", [3, len(LABELS)])
        wanted = [expected_probabilities(each) for each in values]
        np.testing.assert_allclose(np.reshape(output["data"], (3, -1)), wanted, atol=1e-5)
    about = classifier.ask("/v2/models/moves")[1]
    assert about["inputs"] == [{"name": "window", "datatype": "FP32", "shape": [-1, -1, 2]}]
    assert about["outputs"][0]["shape"] == [-1, len(LABELS)]


@pytest.mark.parametrize("named", [False, True])
def test_tensorflow_serving_takes_sequences_of_several_lengths_at_once(
    classifier: Running, named: bool
) -> None:
    values = [sequence(rows, seed=rows) for rows in (3, LONGEST, 1)]
    lists = [each.tolist() for each in values]
    wanted = [expected_probabilities(each) for each in values]
    instances = [{"window": each} for each in lists] if named else lists
    status, answer = classifier.ask(PREDICT, {"instances": instances})
    assert status == 200, answer
    np.testing.assert_allclose(answer["predictions"], wanted, atol=1e-5)
    status, answer = classifier.ask(PREDICT, {"inputs": {"window": lists} if named else lists})
    assert status == 200, answer
    np.testing.assert_allclose(answer["outputs"], wanted, atol=1e-5)


WRONG: list[tuple[str, Any, int, str]] = [
    ("/forecast", {"rows": []}, 404, "'moves' does not forecast"),
    ("/classify", {"rows": []}, 400, "rows: expected at least one"),
    ("/classify", {"rows": 1}, 400, "rows: expected a list of objects. Received: 1"),
    ("/classify", {"rows": [{}], "interval": 0.9}, 400, 'unknown key "interval"; expected "rows"'),
    ("/classify", changed(1, x="a"), 400, 'rows[1].x: expected a number. Received: "a"'),
    ("/classify", changed(0, label="sit"), 400, 'rows[0]: unknown column "label"; known are x, y'),
    ("/classify", changed(0, y=None), 400, "row 0, column 'y': no value (1 such cells)"),
    ("/classify", {"rows": [{"x": 1}]}, 400, "rows[0]: the column 'y' is missing"),
    (
        "/classify",
        {"rows": as_rows(sequence(3), time=[1, 3, 2])},
        400,
        "rows[2].time: is earlier than the row before",
    ),
    ("/classify", changed(0, time="soon"), 400, "rows[0].time: expected an ISO 8601"),
    ("/classify", changed(0, time=1), 400, "rows[1]: the column 'time' is missing"),
    ("/classify", changed(0, x=1e39), 400, "windows must be finite in float32"),
    (
        PREDICT,
        {"instances": [sequence(LONGEST + 1).tolist()]},
        400,
        "instances[0]: expected 1 to 6 time steps of 2 columns. Received: shape (7, 2)",
    ),
    (PREDICT, {"instances": [[[1, 2]], [[1, 2, 3]]]}, 400, "instances[1]: expected 1 to 6 time"),
    (PREDICT, {"instances": [[[1, 2]], []]}, 400, "instances[1]: expected 1 to 6 time"),
    (PREDICT, {"instances": []}, 400, "at least one window"),
    (PREDICT, {"inputs": 7}, 400, "expected windows of shape (batch, 6, 2)"),
    (PREDICT, {"instances": [[]] * 700_000}, 400, "too many sequences at once. Received: 700000"),
]


@pytest.mark.parametrize(("path", "body", "status", "reason"), WRONG)
def test_what_is_wrong_is_told(
    classifier: Running, path: str, body: Any, status: int, reason: str
) -> None:
    received, answer = classifier.ask(path, body)
    assert received == status, answer
    assert reason in answer["error"]


def test_a_model_without_padding_takes_whole_windows_alone(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_classifier(tmp_path / "bundle", padding=None))
    status, answer = server.ask("/classify", {"rows": as_rows(sequence(3))})
    assert status == 400
    assert "has 3 rows; the model needs 6" in answer["error"]
    assert server.ask("/classify", {"rows": as_rows(sequence(LONGEST))})[0] == 200
    status, answer = server.ask(PREDICT, {"instances": [sequence(3).tolist()]})
    assert (status, "expected windows of shape (batch, 6, 2)" in answer["error"]) == (400, True)
    assert server.ask("/v2/models/moves")[1]["inputs"][0]["shape"] == [-1, LONGEST, 2]


def test_every_route_is_described_with_an_example_that_is_answered(classifier: Running) -> None:
    document = classifier.ask("/openapi.json")[1]
    assert "/classify" in document["paths"]
    assert "/forecast" not in document["paths"]
    assert "Tells the class of a sequence (run, sit, walk)" in document["info"]["description"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {"content": {}})["content"]
            example = content.get("application/json", {}).get("example")
            assert classifier.ask(path, example, method.upper())[0] == 200, path


def test_classifications_are_counted(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_classifier(tmp_path / "bundle"))
    for rows in (as_rows(sequence(2)), []):
        server.ask("/classify", {"rows": rows})
    text = server.ask("/metrics")[1]
    assert 'lstm_search_requests_total{endpoint="classify",status="200"} 1\n' in text
    assert 'lstm_search_requests_total{endpoint="classify",status="400"} 1\n' in text
    assert "lstm_search_windows_total 1\n" in text
    assert 'lstm_search_model_info{name="moves",version="1"} 1\n' in text
