"""Two thousand requests that nobody would send: none gets a 5xx, and the server lives."""

import http.client
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bundles import METADATA, expected
from tests.search.serving.conftest import Running, some_rows, some_windows

PATHS = [
    "/v2/models/power/infer",
    "/v2/models/power/versions/1/infer",
    "/v1/models/power:predict",
    "/forecast",
    "/v2/models/power",
    "/v1/models/power/metadata",
    "/metrics",
    "/docs",
]
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
VALUES = [None, True, "window", "FP32", "forecast", "2024-01-01", 0, 1, 4, -1, 2**63, 1e308, [], {}]
WINDOWS = some_windows(2).tolist()
VALID: list[Any] = [
    {
        "inputs": [{"name": "window", "shape": [2, 4, 2], "datatype": "FP32", "data": WINDOWS}],
        "outputs": [{"name": "forecast"}],
        "id": "a",
    },
    {"instances": WINDOWS, "signature_name": "serving_default"},
    {"inputs": {"window": WINDOWS}},
    {"rows": [{"date": f"2024-01-01T0{at}:00", **row} for at, row in enumerate(some_rows())]},
]

leaves = st.one_of(
    st.sampled_from(VALUES), st.integers(), st.floats(), st.text(max_size=8), st.booleans()
)
names = st.one_of(
    st.sampled_from([*KEYS, *(c.name for c in METADATA.columns)]), st.text(max_size=4)
)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5)
)


@st.composite
def nearly_valid(draw: st.DrawFn) -> Any:
    """A request that would be answered, with something in it exchanged or taken away."""
    request = json.loads(json.dumps(draw(st.sampled_from(VALID))))
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
    return request


bodies = st.one_of(
    nearly_valid().map(json.dumps).map(str.encode),
    anything.map(json.dumps).map(str.encode),
    st.binary(max_size=200),
)
safe = st.characters(min_codepoint=33, max_codepoint=126)
paths = st.one_of(
    st.sampled_from(PATHS), st.sampled_from(PATHS), st.text(safe, max_size=12).map("/{}".format)
)
methods = st.sampled_from(["POST"] * 6 + ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
types = st.sampled_from(["application/json", "text/plain", "application/octet-stream", ""])


def test_no_request_is_the_servers_fault(server: Running) -> None:
    connection = server.connect()
    statuses: dict[int, int] = {}

    @settings(
        max_examples=2000,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(methods, paths, bodies, types)
    def ask(method: str, path: str, body: bytes, kind: str) -> None:
        try:
            connection.request(method, path, body, {"content-type": kind})
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
    status, answer = server.ask("/v1/models/power:predict", {"inputs": WINDOWS})
    assert status == 200
    assert abs(answer["outputs"] - expected(WINDOWS)).max() < 1e-4
    assert not [line for line in server.lines if line["event"] in ("bug", "error", "critical")]
