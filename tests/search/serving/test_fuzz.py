"""Two thousand requests that nobody would send, to each kind of model: none gets a 5xx, and it lives."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bundles import expected
from tests.classifiers import expected_probabilities
from tests.search.serving.conftest import Running, some_rows, some_windows
from tests.text_classifiers import expected_probabilities as expected_of_texts


@dataclass(frozen=True)
class Kind:
    """What a model is asked: valid requests with their paths, and "inputs" with the answer to them."""

    server: str
    model: str
    valid: tuple[tuple[str, Any], ...]
    inputs: Any
    answer: Any

    @property
    def paths(self) -> list[str]:
        """Where requests go."""
        model = f"/v2/models/{self.model}"
        return [*(path for path, _ in self.valid), f"{model}/versions/1/infer", model, "/metrics"]


KEYS = [
    "inputs",
    "instances",
    "rows",
    "interval",
    "name",
    "shape",
    "datatype",
    "data",
    "outputs",
    "id",
]
VALUES = [
    None,
    True,
    "window",
    "FP32",
    "forecast",
    "probabilities",
    "BYTES",
    "2024-01-01",
    0,
    1,
    4,
    -1,
    2**63,
    1e308,
    [],
    {},
]
WINDOWS = some_windows(2).tolist()
SEQUENCES = [WINDOWS[0], WINDOWS[1][:1]]
TENSOR = {"name": "window", "shape": [2, 4, 2], "datatype": "FP32", "data": WINDOWS}
HOURS = [f"2024-01-01T0{hour}:00" for hour in range(4)]
ROWS = [{"date": hour, **row} for hour, row in zip(HOURS, some_rows(), strict=True)]
TEXTS = ["The food was\tnot bad", "été \r\n good"]
STRINGS = {"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS}
POWER, MOVES = "/v1/models/power:predict", "/v1/models/moves:predict"
REVIEWS = "/v1/models/reviews:predict"
KINDS = {
    "forecast": Kind(
        server="server",
        model="power",
        valid=(
            (
                "/v2/models/power/infer",
                {"inputs": [TENSOR], "outputs": [{"name": "forecast"}], "id": "a"},
            ),
            (POWER, {"instances": WINDOWS, "signature_name": "serving_default"}),
            (POWER, {"inputs": {"window": WINDOWS}}),
            ("/forecast", {"rows": ROWS}),
        ),
        inputs=WINDOWS,
        answer=expected(WINDOWS),
    ),
    "classification": Kind(
        server="classifier",
        model="moves",
        valid=(
            (
                "/v2/models/moves/infer",
                {"inputs": [TENSOR], "outputs": [{"name": "probabilities"}]},
            ),
            (MOVES, {"instances": SEQUENCES}),
            (MOVES, {"instances": [{"window": each} for each in SEQUENCES]}),
            (MOVES, {"inputs": {"window": SEQUENCES}}),
            ("/classify", {"rows": [{"time": x, "x": x, "y": y} for x, y in WINDOWS[0]]}),
            ("/classify", {"rows": [{"x": x, "y": y} for x, y in WINDOWS[0]]}),
        ),
        inputs=SEQUENCES,
        answer=np.array([expected_probabilities(each) for each in SEQUENCES]),
    ),
    "texts": Kind(
        server="text_classifier",
        model="reviews",
        valid=(
            (
                "/v2/models/reviews/infer",
                {"inputs": [STRINGS], "outputs": [{"name": "probabilities"}]},
            ),
            (REVIEWS, {"instances": TEXTS}),
            (REVIEWS, {"instances": [{"text": text} for text in TEXTS]}),
            (REVIEWS, {"inputs": {"text": TEXTS}}),
            ("/classify", {"rows": [{"review": text} for text in TEXTS]}),
        ),
        inputs=TEXTS,
        answer=expected_of_texts(TEXTS),
    ),
}

leaves = st.one_of(
    st.sampled_from(VALUES), st.integers(), st.floats(), st.text(max_size=8), st.booleans()
)
names = st.one_of(
    st.sampled_from([*KEYS, "load", "temp", "x", "y", "time", "text", "review"]),
    st.text(max_size=4),
)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5)
)


@st.composite
def nearly_valid(draw: st.DrawFn, kind: Kind) -> tuple[str, str, bytes]:
    """A request that would be answered, with something in it exchanged or taken away."""
    path, valid = draw(st.sampled_from(kind.valid))
    request = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(0, 3))):
        place = request
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if draw(st.booleans()) or not isinstance(place[key], dict | list):
                if draw(st.booleans()):
                    place[key] = draw(anything)
                else:
                    del place[key]
                break
            place = place[key]
    return "POST", path, json.dumps(request).encode()


safe = st.characters(min_codepoint=33, max_codepoint=126)
methods = st.sampled_from(["POST"] * 6 + ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
types = st.sampled_from(["application/json", "text/plain", "application/octet-stream", ""])


def requests_for(kind: Kind) -> st.SearchStrategy[tuple[str, str, bytes]]:
    """Methods, paths and bodies, most of which nearly fit each other."""
    paths = st.sampled_from(kind.paths) | st.text(safe, max_size=12).map("/{}".format)
    bodies = anything.map(json.dumps).map(str.encode) | st.binary(max_size=200)
    return st.one_of(nearly_valid(kind), nearly_valid(kind), st.tuples(methods, paths, bodies))


@pytest.mark.parametrize("name", list(KINDS))
def test_no_request_is_the_servers_fault(request: pytest.FixtureRequest, name: str) -> None:
    kind = KINDS[name]
    server: Running = request.getfixturevalue(kind.server)
    connection = server.connect()
    statuses: dict[int, int] = {}

    @settings(
        max_examples=2000,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests_for(kind), types)
    def ask(request: tuple[str, str, bytes], content: str) -> None:
        method, path, body = request
        try:
            connection.request(method, path, body, {"content-type": content})
            response = connection.getresponse()
            response.read()
        except http.client.HTTPException:
            connection.close()
            raise
        statuses[response.status] = statuses.get(response.status, 0) + 1
        assert response.status < 500, (method, path, body)

    ask()
    assert sum(statuses.values()) >= 2000
    assert statuses[200] > 50  # some of them were right
    assert statuses[400] > 200
    assert server.process.poll() is None
    status, answer = server.ask(f"/v1/models/{kind.model}:predict", {"inputs": kind.inputs})
    assert status == 200
    np.testing.assert_allclose(answer["outputs"], kind.answer, atol=1e-4)
    assert not [line for line in server.lines if line["event"] in ("bug", "error", "critical")]
