"""What a served bundle answers to each protocol, and what it refuses with which reason."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.bundle import load_bundle
from reports.bundle.calendar import calendar_names
from tests.bundles import HORIZON, METADATA, TIMESTEPS, expected, linear_model, write_bundle
from tests.search.serving.conftest import Running, Serve, some_rows, some_windows

INFER = "/v2/models/power/infer"
PREDICT = "/v1/models/power:predict"


def tensor(windows: Any, **changes: Any) -> dict[str, Any]:
    values = np.asarray(windows)
    found = {
        "name": "window",
        "shape": list(values.shape),
        "datatype": "FP32",
        "data": values.ravel().tolist(),
    }
    return {"inputs": [{**found, **changes}]}


def same(answer: Any, windows: Any) -> None:
    np.testing.assert_allclose(answer, expected(windows), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("path", [INFER, "/v2/models/power/versions/1/infer"])
@pytest.mark.parametrize("nested", [False, True])
def test_open_inference(server: Running, path: str, nested: bool) -> None:
    windows = some_windows(5)
    data = (windows if nested else windows.ravel()).tolist()
    status, answer = server.ask(path, {"id": "mine", **tensor(windows, data=data)})
    assert status == 200, answer
    assert answer["id"] == "mine"
    assert (answer["model_name"], answer["model_version"]) == ("power", "1")
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"]) == ("forecast", "FP32")
    assert output["shape"] == [5, HORIZON, 1]
    same(np.reshape(output["data"], output["shape"]), windows)


def test_open_inference_describes_server_and_model(server: Running) -> None:
    assert server.ask("/v2")[1]["name"] == "lstm-search"
    assert server.ask("/v2/health/live") == (200, {"live": True})
    assert server.ask("/v2/health/ready") == (200, {"ready": True})
    assert server.ask("/v2/models/power/ready") == (200, {"name": "power", "ready": True})
    status, about = server.ask("/v2/models/power/versions/1")
    assert status == 200
    assert about["versions"] == ["1"]
    assert about["inputs"] == [{"name": "window", "datatype": "FP32", "shape": [-1, TIMESTEPS, 2]}]
    assert about["outputs"] == [{"name": "forecast", "datatype": "FP32", "shape": [-1, HORIZON, 1]}]


@pytest.mark.parametrize("path", [PREDICT, "/v1/models/power/versions/1:predict"])
def test_tensorflow_serving(server: Running, path: str) -> None:
    windows = some_windows(3)
    plain = windows.tolist()
    named = [{"window": window} for window in plain]
    for instances in (plain, named):
        status, answer = server.ask(path, {"instances": instances})
        assert status == 200, answer
        same(answer["predictions"], windows)
    for inputs in (plain, {"window": plain}):
        status, answer = server.ask(path, {"inputs": inputs, "signature_name": "serving_default"})
        assert status == 200, answer
        same(answer["outputs"], windows)


def test_tensorflow_serving_describes_the_model(server: Running) -> None:
    status, found = server.ask("/v1/models/power")
    assert (status, found["model_version_status"][0]["state"]) == (200, "AVAILABLE")
    status, found = server.ask("/v1/models/power/metadata")
    assert status == 200
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    sizes = [int(d["size"]) for d in signature["inputs"]["window"]["tensor_shape"]["dim"]]
    assert sizes == [-1, TIMESTEPS, 2]


def test_a_forecast_from_the_last_rows_by_column_name(server: Running) -> None:
    rows = some_rows(TIMESTEPS + 3)
    swapped = [{"temp": row["temp"], "load": row["load"]} for row in rows]
    status, answer = server.ask("/forecast", {"rows": swapped})
    assert status == 200, answer
    assert (answer["model"], answer["version"]) == ("power", 1)
    window = [[row["load"], row["temp"]] for row in rows[-TIMESTEPS:]]
    same([[[step["load"]] for step in answer["forecast"]]], [window])
    assert [step["step"] for step in answer["forecast"]] == [1, 2, 3]
    assert "date" not in answer["forecast"][0]


def test_forecasts_have_timestamps_where_rows_have_them(server: Running) -> None:
    rows = [
        {"date": f"2024-02-28T{hour}:00", **row}
        for hour, row in zip(range(20, 24), some_rows(), strict=True)
    ]
    status, answer = server.ask("/forecast", {"rows": rows})
    assert status == 200, answer
    times = [step["date"] for step in answer["forecast"]]
    assert times == ["2024-02-29T00:00:00", "2024-02-29T01:00:00", "2024-02-29T02:00:00"]


def test_long_bodies_are_answered_too(server: Running) -> None:
    windows = some_windows(5000)  # goes to a thread
    status, answer = server.ask(INFER, tensor(windows))
    assert status == 200
    same(np.reshape(answer["outputs"][0]["data"], (-1, HORIZON, 1)), windows)


def changed(place: int, **cells: Any) -> dict[str, Any]:
    rows = some_rows()
    rows[place] |= cells
    return {"rows": rows}


def timed(*hours: str) -> dict[str, Any]:
    return {"rows": [{**row, "date": h} for h, row in zip(hours, some_rows(), strict=True)]}


HOURS = [f"2024-01-01T0{hour}:00" for hour in range(TIMESTEPS)]
WINDOW = some_windows(1)
WRONG = [
    (INFER, b"{", 400, "not JSON"),
    (INFER, b"", 400, "not JSON"),
    (INFER, b'{"inputs": NaN}', 400, "JSON has no NaN"),
    (INFER, b"[" * 100_000, 400, "not JSON"),
    (INFER, [1, 2], 400, "must be a JSON object. Received: a list of 2"),
    (INFER, {}, 400, "inputs: expected a list of one tensor"),
    (INFER, tensor(WINDOW, name="x"), 400, "expected 'window'. Received: \"x\""),
    (INFER, tensor(WINDOW, datatype="BYTES"), 400, 'FP32 or FP64. Received: "BYTES"'),
    (INFER, tensor(WINDOW, datatype=[]), 400, "FP32 or FP64. Received: a list of 0"),
    (INFER, tensor(WINDOW, shape=[1, 4]), 400, "has 8 values, and the shape [1, 4] needs 4"),
    (INFER, tensor(WINDOW, shape=[-1, 8]), 400, "expected a list of sizes"),
    (INFER, tensor(WINDOW, shape=[2, 2, 2]), 400, "expected windows of shape (batch, 4, 2)"),
    (INFER, tensor(WINDOW[:0]), 400, "at least one window"),
    (INFER, tensor(WINDOW, data=[[1, 2], [3]]), 400, "differ in length"),
    (
        INFER,
        tensor(WINDOW, data=[1, 2, None] + 5 * [0]),
        400,
        "data[2]: expected a number. Received: null",
    ),
    (INFER, tensor(WINDOW, data=7 * [0] + ["1"]), 400, 'data[7]: expected a number. Received: "1"'),
    (INFER, tensor(WINDOW, data=7 * [0] + [1e39]), 400, "windows must be finite in float32"),
    (INFER, tensor(WINDOW, data=8 * [3e38]), 400, "'forecast' is not finite"),
    (INFER, {**tensor(WINDOW), "outputs": [{"name": "x"}]}, 400, "the model has forecast"),
    (INFER, {**tensor(WINDOW), "id": 5}, 400, "id: expected a string"),
    ("/v2/models/other/infer", tensor(WINDOW), 404, "no model 'other' here, only 'power'"),
    ("/v2/models/power/versions/2/infer", tensor(WINDOW), 404, "no version '2'"),
    (PREDICT, {}, 400, 'either "instances" or "inputs"'),
    (PREDICT, {"instances": 3}, 400, "expected a list of windows"),
    (PREDICT, {"instances": [{"x": 1}]}, 400, 'expected {"window": window}'),
    (PREDICT, {"inputs": {"x": 1}}, 400, "inputs: expected the key 'window'"),
    (PREDICT, {"inputs": [[[1, 2]]]}, 400, "expected windows of shape (batch, 4, 2)"),
    (PREDICT, {"inputs": WINDOW.tolist(), "signature_name": "x"}, 400, "signature_name"),
    ("/forecast", {}, 400, "rows: expected a list of objects"),
    ("/forecast", {"rows": [], "x": 1}, 400, 'unknown key "x"'),
    ("/forecast", {"rows": some_rows(), "interval": 2}, 400, "between 0 and 1. Received: 2"),
    ("/forecast", {"rows": some_rows(), "interval": 0.5}, 400, "no intervals of level 0.5"),
    ("/forecast", {"rows": some_rows(3)}, 400, "looks back 4 rows. Received: 3"),
    (
        "/forecast",
        changed(2, load=None),
        400,
        "rows: row 2, column 'load': no value (1 such cells)",
    ),
    ("/forecast", changed(1, load="7"), 400, 'rows[1].load: expected a number. Received: "7"'),
    ("/forecast", changed(0, wind=1), 400, 'rows[0]: unknown column "wind"; known are load, temp'),
    ("/forecast", {"rows": [{"load": 1}] * 4}, 400, "rows[0]: the column 'temp' is missing"),
    ("/forecast", changed(3, date="2024-01-01"), 400, "rows[0].date: expected an ISO 8601"),
    ("/forecast", timed(*HOURS[:3], "x"), 400, "rows[3].date: expected an ISO 8601"),
    (
        "/forecast",
        timed(*HOURS[:3], HOURS[2]),
        400,
        "row 3, column 'date': 2024-01-01T02:00:00 is not",
    ),
    ("/forecast", timed(*HOURS[:3], HOURS[3] + "Z"), 400, "expected no UTC offset"),
    ("/forecast", timed(*[f"9999-12-31T{h}:00" for h in range(20, 24)]), 400, "no timestamps can"),
]


@pytest.mark.parametrize(("path", "body", "status", "reason"), WRONG)
def test_what_is_wrong_is_told(
    server: Running, path: str, body: Any, status: int, reason: str
) -> None:
    received, answer = server.ask(path, body, "POST")
    assert received == status, answer
    assert list(answer) == ["error"]
    assert reason in answer["error"]
    assert "\n" not in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/models/power/nothing", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", INFER, 405),
        ("DELETE", "/v2", 405),
        ("GET", PREDICT, 405),
        ("PUT", "/forecast", 405),
    ],
)
def test_other_paths_and_methods(server: Running, method: str, path: str, status: int) -> None:
    received, answer = server.ask(path, None, method)
    assert (received, list(answer)) == (status, ["error"])


def test_a_body_above_the_limit_is_refused(serve: Serve, tmp_path: Path) -> None:
    running = serve(write_bundle(tmp_path / "bundle"), "--body-limit", 1)
    status, answer = running.ask(INFER, b" " * (2**20 + 1))
    assert (status, "may have 1048576 bytes" in answer["error"]) == (413, True)
    connection = running.connect()  # in pieces whose length nobody announces
    pieces = (b" " * 2**18 for _ in range(5))
    connection.request(
        "POST", INFER, pieces, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    response = connection.getresponse()
    assert response.status == 413
    response.read()
    connection.request("GET", "/v2/health/live")  # the connection is still of use
    assert connection.getresponse().status == 200
    assert running.ask(INFER, b" " * 2**20)[0] == 400  # not JSON, but not too long either


def test_every_route_is_described_with_an_example_that_is_answered(server: Running) -> None:
    status, document = server.ask("/openapi.json")
    assert status == 200
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {"content": {}})["content"]
            example = content.get("application/json", {}).get("example")
            found, answer = server.ask(path, example, method.upper())
            assert found == 200, (path, answer)
            assert ("requestBody" in operation) == (example is not None)
    assert {"/forecast", INFER, PREDICT, "/metrics"} <= document["paths"].keys()


def test_who_must_send_timestamps_is_told_their_column(serve: Serve, tmp_path: Path) -> None:
    names = ("load", *calendar_names(("day",)))
    shape = ("batch", TIMESTEPS, len(names))
    bundle = write_bundle(
        tmp_path / "bundle",
        model=linear_model(np.zeros((TIMESTEPS * len(names), HORIZON), np.float32), columns=7),
        input=replace(METADATA.input, shape=shape),
        columns=tuple(replace(METADATA.columns[0], name=name) for name in names),
        calendar=("day",),
    )
    running = serve(bundle)
    (described,) = running.ask("/openapi.json")[1]["paths"]["/forecast"].values()
    content = described["requestBody"]["content"]["application/json"]
    assert content["schema"]["properties"]["rows"]["items"]["required"] == ["load", "date"]
    rows = content["example"]["rows"]
    assert running.ask("/forecast", {"rows": rows})[0] == 200
    misnamed = [{"load": row["load"], "Date": row["date"]} for row in rows]
    nameless = [{"load": row["load"]} for row in rows]
    for wrong, reason in (
        (misnamed, 'rows[0]: unknown column "Date"; known are load, date'),
        (nameless, "the rows have no timestamps in a column 'date'"),
    ):
        status, answer = running.ask("/forecast", {"rows": wrong})
        assert (status, reason in answer["error"]) == (400, True), answer


def test_the_page_of_the_routes_needs_no_other_place(server: Running) -> None:
    connection = server.connect()
    connection.request("GET", "/docs")
    response = connection.getresponse()
    page = response.read().decode()
    assert response.status == 200
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.filterwarnings("ignore:.*lie outside of the training data's range")
def test_a_forecast_is_that_of_the_bundle_in_python(serve: Serve, tmp_path: Path) -> None:
    widths = {"half_widths": {"0.90": [[1.0], [2.0], [3.0]]}}
    fill = replace(METADATA.preprocessing, fill="forward")
    bundle = write_bundle(tmp_path / "bundle", intervals=widths, preprocessing=fill)
    rows: list[dict[str, Any]] = timed(*HOURS)["rows"]
    rows[2]["load"], rows[3]["temp"] = None, 11.0
    status, answer = serve(bundle).ask("/forecast", {"rows": rows, "interval": 0.9})
    assert status == 200, answer
    frame = pd.DataFrame(rows)
    with pytest.warns(UserWarning, match="filled as in training") as warned:
        wanted = load_bundle(bundle).predict(frame, interval=0.9)
    steps = answer["forecast"]
    assert [pd.Timestamp(step["date"]) for step in steps] == list(wanted["time"])
    np.testing.assert_allclose([step["load"] for step in steps], wanted["forecast"], rtol=1e-6)
    for end in ("lower", "upper"):
        np.testing.assert_allclose([step[end]["load"] for step in steps], wanted[end], rtol=1e-6)
    told = [str(each.message).replace("DataFrame", "rows") for each in warned]
    assert answer["warnings"] == told
    assert len(told) == 2  # a cell was filled, and a value is out of range
