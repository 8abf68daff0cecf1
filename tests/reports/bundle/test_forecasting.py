"""From a table of rows to forecasts, intervals and warnings; and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reports.bundle import Bundle, BundleError, load_bundle
from reports.bundle.drift import measure_drift
from reports.bundle.metadata import Preprocessing, Tensor, TimeAxis
from tests.bundles import HORIZON, METADATA, TIMESTEPS, as_bytes, expected, kernel, write_bundle

Load = Callable[..., Bundle]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A bundle whose metadata are replaced in part."""
    return lambda **changes: load_bundle(write_bundle(tmp_path / "bundle", **changes))


def filling(rule: str | float) -> Preprocessing:
    return replace(METADATA.preprocessing, fill=rule)


def rows(count: int, start: str = "2024-02-28 18:00", freq: str = "h", **zone: Any) -> pd.DataFrame:
    """Rows of load and temp within the range of the training data, and a column that no model wants."""
    values = np.random.default_rng(count).uniform(0, 10, size=(count, 2))
    times = pd.date_range(start, periods=count, freq=freq, **zone)
    return pd.DataFrame({"note": "x", "temp": values[:, 1], "date": times, "load": values[:, 0]})


def windows(frame: pd.DataFrame, *ends: int) -> NDArray[np.float64]:
    values = frame[["load", "temp"]].to_numpy()
    return np.stack([values[end - TIMESTEPS : end] for end in ends])


def test_the_last_window_is_answered_in_a_tidy_table(load: Load) -> None:
    frame = rows(7)
    found = load().predict(frame)
    assert list(found.columns) == ["time", "target", "step", "forecast"]
    np.testing.assert_allclose(found["forecast"], expected(windows(frame, 7)).ravel(), rtol=1e-5)
    assert list(found["step"]) == [1, 2, 3]
    assert list(found["target"]) == ["load"] * 3
    assert list(found["time"]) == list(pd.date_range("2024-02-29 01:00", periods=3, freq="h"))


def test_every_window_is_answered(load: Load) -> None:
    frame, ends = rows(600), range(TIMESTEPS, 601)
    found = load().predict(frame, rolling=True)
    np.testing.assert_allclose(
        found["forecast"], expected(windows(frame, *ends)).ravel(), rtol=1e-4, atol=1e-5
    )
    assert len(found) == len(ends) * HORIZON
    steps = pd.to_timedelta(found["step"] - 1, unit="h")
    origins = (found["time"] - steps).to_numpy().reshape(-1, HORIZON)
    assert (origins == origins[:, :1]).all()
    after = pd.date_range("2024-02-28 22:00", periods=len(ends), freq="h")
    assert list(origins[:, 0]) == list(after)


def test_texts_and_indices_are_timestamps_too(load: Load) -> None:
    bundle, frame = load(), rows(5)
    wanted = bundle.predict(frame)
    pd.testing.assert_frame_equal(
        bundle.predict(frame.assign(date=frame["date"].astype(str))), wanted
    )
    pd.testing.assert_frame_equal(bundle.predict(frame.set_index("date")), wanted)


def test_an_index_without_a_name_has_the_timestamps_where_training_had_it(load: Load) -> None:
    bundle = load(time=TimeAxis(None, "P0DT1H0M0S", None, None))
    found = bundle.predict(rows(5).set_index("date").rename_axis(None))
    assert list(found["time"]) == list(pd.date_range("2024-02-28 23:00", periods=3, freq="h"))
    assert list(bundle.predict(rows(5).drop(columns="date"))["row"]) == [5, 6, 7]


def test_rows_without_timestamps_are_counted(load: Load) -> None:
    found = load(time=TimeAxis(None, None, None, None)).predict(rows(6).drop(columns="date"))
    assert list(found["row"]) == [6, 7, 8]


def test_calendars_and_offsets_go_on(load: Load, tmp_path: Path) -> None:
    monthly = load(time=TimeAxis("date", None, "MS", None))
    found = monthly.predict(rows(4, "2023-11-01", "MS"))
    assert list(found["time"].astype(str)) == ["2024-03-01", "2024-04-01", "2024-05-01"]
    in_utc = write_bundle(tmp_path / "utc", time=TimeAxis("date", "P0DT1H0M0S", None, "UTC"))
    found = load_bundle(in_utc).predict(rows(4, "2024-03-31", tz="Europe/Berlin"))
    assert str(found["time"].iloc[0]) == "2024-03-31 03:00:00+00:00"  # clocks were put on meanwhile


def test_a_calendar_of_utc_is_followed_whatever_clocks_show(load: Load) -> None:
    bundle, frame = (
        load(time=TimeAxis("date", None, "MS", "UTC")),
        rows(4, "2024-02-01", "MS", tz="UTC"),
    )
    local = frame.assign(date=frame["date"].dt.tz_convert("Europe/Berlin"))
    pd.testing.assert_frame_equal(bundle.predict(local), bundle.predict(frame))


@pytest.mark.parametrize(("freq", "start"), [("MS", "2024-02-01"), ("D", "2024-03-29")])
def test_calendars_go_by_local_clocks(load: Load, freq: str, start: str) -> None:
    bundle = load(time=TimeAxis("date", None, freq, "UTC"), preprocessing=filling("forward"))
    frame = rows(6, start, freq, tz="Europe/Berlin")  # clocks are put on at the end of March
    wanted = [str(time) for time in frame["date"].dt.tz_convert("UTC")[-2:]]
    found = bundle.predict(frame[:4])
    assert [str(time) for time in found["time"][:2]] == wanted
    texts = frame.assign(date=[time.isoformat() for time in frame["date"]])[:4]
    pd.testing.assert_frame_equal(bundle.predict(texts), found)
    pd.testing.assert_frame_equal(bundle.predict(frame[:4].set_index("date")), found)
    with pytest.warns(UserWarning, match="2 missing cells filled"):
        bundle.predict(texts.drop(index=2))
    with pytest.raises(BundleError, match="does not fit rows that are"):
        bundle.predict(frame.assign(date=frame["date"] + pd.Timedelta(hours=1) * np.arange(6)))
    with pytest.raises(BundleError, match="expected timestamps"):
        bundle.predict(texts.assign(date=[*texts["date"][:3], "2024-06-01"]))


@pytest.mark.filterwarnings("ignore:.*lie outside of the training data's range")
@pytest.mark.parametrize(
    ("rule", "filled"),
    [
        ("forward", [3.0, 3.0, 3.0, 6.0]),
        ("interpolate", [3.0, 4.0, 5.0, 6.0]),
        (-1, [3, -1, -1, 6]),
    ],
)
def test_holes_are_filled_as_in_training(
    load: Load, rule: str | float, filled: list[float]
) -> None:
    frame = rows(6)
    whole = frame.copy()
    frame.loc[2:, "load"] = [3.0, np.nan, 5.5, 6.0]
    frame = frame.drop(index=4)  # a timestamp is missing too
    whole.loc[2:, "load"] = filled
    temp = whole["temp"].to_numpy().copy()
    temp[4] = {"forward": temp[3], "interpolate": (temp[3] + temp[5]) / 2}.get(str(rule), rule)
    whole["temp"] = temp
    bundle = load(preprocessing=filling(rule))
    with pytest.warns(UserWarning, match="3 missing cells filled as in training"):
        found = bundle.predict(frame)
    np.testing.assert_allclose(found["forecast"], expected(windows(whole, 6)).ravel(), rtol=1e-5)


def test_holes_before_the_window_are_nobodys_concern(load: Load) -> None:
    frame = rows(8)
    frame.loc[1, "load"] = np.nan
    bundle = load()
    assert len(bundle.predict(frame.drop(index=2))) == HORIZON
    with pytest.raises(BundleError, match="at 2024-02-28T19:00:00, column 'load': no value"):
        bundle.predict(frame, rolling=True)


TIMES = rows(5)["date"]
WRONG: list[tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = [
    (
        lambda f: f.drop(columns="temp"),
        "no column 'temp'; the model needs load, temp. Received: note",
    ),
    (lambda f: f.drop(columns="date"), "no column 'date', which has the timestamps"),
    (lambda f: f.head(3), "the model looks back 4 rows. Received: 3"),
    (lambda f: f.head(0), "the model looks back 4 rows. Received: 0"),
    (lambda f: f.assign(load="x"), "column 'load': expected numbers"),
    (lambda f: f.assign(load=np.inf), "at 2024-02-28T19:00:00, column 'load': no value (4 such"),
    (
        lambda f: f[::-1],
        "row 1, column 'date': 2024-02-28T21:00:00 is not later than 2024-02-28T22",
    ),
    (lambda f: f.assign(date=TIMES[0]), "row 1, column 'date': 2024-02-28T18:00:00 is not later"),
    (
        lambda f: f.assign(date=TIMES.where(f.index < 4, TIMES + pd.Timedelta("30min"))),
        "does not fit",
    ),
    (
        lambda f: f.assign(date=TIMES.where(f.index < 4, pd.Timestamp("2300-01-01"))),
        "mend the time",
    ),
    (lambda f: f.assign(date=TIMES.dt.tz_localize("UTC")), "expected no UTC offset"),
    (lambda f: f.assign(date="yesterday"), "column 'date': expected timestamps"),
    (lambda f: f.drop(index=3), "at 2024-02-28T21:00:00, column 'load': no value (2 such cells)"),
    (lambda f: f.assign(load=1e39), "windows must be finite in float32"),
    (lambda f: f.assign(load=3e38, temp=-3e38), "'forecast' is not finite"),
    (lambda f: pd.concat([f, f[["load"]]], axis=1), "more than one column 'load'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_rows_that_do_not_fit_are_refused(
    load: Load, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    with pytest.raises(BundleError) as raised:
        load().predict(change(rows(5)))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


WIDTHS = {"windows": 600, "half_widths": {"0.90": [[1.0], [2.0], [3.0]], "0.95": [[4.0]] * 3}}


def test_intervals_are_as_wide_as_measured(load: Load) -> None:
    found = load(intervals=WIDTHS).predict(rows(5), interval=0.9)
    assert list(found.columns) == ["time", "target", "step", "forecast", "lower", "upper"]
    np.testing.assert_allclose(found["upper"] - found["forecast"], [1.0, 2.0, 3.0], rtol=1e-5)
    np.testing.assert_allclose(found["forecast"] - found["lower"], [1.0, 2.0, 3.0], rtol=1e-5)


def test_intervals_that_nobody_measured_are_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no intervals of level 0\.8: it has 0\.9, 0\.95"):
        load(intervals=WIDTHS).predict(rows(5), interval=0.8)
    with pytest.raises(BundleError, match="validation had too few windows"):
        load_bundle(write_bundle(tmp_path / "none")).predict(rows(5), interval=0.9)


def test_quantiles_are_columns_and_intervals(load: Load) -> None:
    bundle = load(model=model_of("quantiles", (HORIZON, 1, 3)), **QUANTILES)
    frame = rows(5)
    found = bundle.predict(frame, interval=0.8)
    flat = windows(frame, 5).reshape(1, -1).astype(np.float32) @ weights(HORIZON * 3)
    quantiles = flat.reshape(HORIZON, 3)
    for place, name in enumerate(["quantile_0.1", "quantile_0.5", "quantile_0.9"]):
        np.testing.assert_allclose(found[name], quantiles[:, place], rtol=1e-4)
    np.testing.assert_array_equal(found["lower"], found["quantile_0.1"])
    np.testing.assert_array_equal(found["upper"], found["quantile_0.9"])


def weights(outputs: int) -> NDArray[np.float32]:
    return np.random.default_rng(outputs).normal(size=(TIMESTEPS * 2, outputs)).astype(np.float32)


def model_of(name: str, shape: tuple[int, ...]) -> bytes:
    """A linear model with an output of this name and shape, and "forecast" beside it."""
    nodes = [
        helper.make_node("Reshape", ["window", "flat"], ["flattened"]),
        helper.make_node("MatMul", ["flattened", "weights"], ["product"]),
        helper.make_node("Reshape", ["product", "shape"], [name]),
        helper.make_node("MatMul", ["flattened", "kernel"], ["steps"]),
        helper.make_node("Unsqueeze", ["steps", "end"], ["forecast"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([-1, TIMESTEPS * 2]), "flat"),
        numpy_helper.from_array(weights(int(np.prod(shape))), "weights"),
        numpy_helper.from_array(np.array([-1, *shape]), "shape"),
        numpy_helper.from_array(kernel(), "kernel"),
        numpy_helper.from_array(np.array([2]), "end"),
    ]
    window = helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", TIMESTEPS, 2])
    shapes = {name: shape, "forecast": (HORIZON, 1)}
    outputs = [
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", *sizes])
        for output, sizes in shapes.items()
    ]
    return as_bytes(helper.make_graph(nodes, name, [window], outputs, constants))


QUANTILES = {
    "outputs": (
        *METADATA.outputs,
        Tensor("quantiles", "float32", ("batch", HORIZON, 1, 3), "those of the data"),
    ),
    "quantiles": (0.1, 0.5, 0.9),
}


def test_drift_is_the_share_outside_and_the_stability_index() -> None:
    same = np.tile([2.5, 5.0, 7.5, 9.0], 50)  # a bin has its upper edge
    shifted = np.concatenate([np.full(150, 9.0), np.full(48, 1.0), [11.0, -1.0]])
    load, temp = measure_drift(np.column_stack([same, shifted]), METADATA)
    assert (load.outside, load.stability, load.notable) == (0.0, pytest.approx(0.0), False)
    assert temp.outside == pytest.approx(2 / 200)
    shares, training = np.array([49, 0.02, 0.02, 151]) / 200, np.full(4, 0.25)
    wanted = ((shares - training) * np.log(shares / training)).sum()
    assert temp.stability == pytest.approx(wanted, rel=1e-6)
    assert "'temp': 1.0% of 200 values lie outside of the training data's range, 0 to 10" in str(
        temp
    )
    assert measure_drift(np.zeros((10, 2)), METADATA)[0].stability is None  # too few rows to tell
    assert "'temp': 1 of 3000 values lie" in str(replace(temp, outside=1 / 3000, rows=3000))


def test_a_bundle_that_knows_no_bins_is_used_all_the_same(load: Load) -> None:
    plain = tuple(replace(column, bin_edges=(), bin_shares=()) for column in METADATA.columns)
    frame = rows(300)
    frame.loc[299, "temp"] = 12.5
    with pytest.warns(UserWarning, match=r"column 'temp': 25\.0% of 4 values lie outside"):
        load(columns=plain).predict(frame)


def test_predicting_imports_neither_tensorflow_nor_keras_nor_optuna(tmp_path: Path) -> None:
    code = (
        "import sys, pandas; from reports.bundle import load_bundle; "
        "load_bundle(sys.argv[1]).predict(pandas.read_csv(sys.argv[2])); "
        "print([m for m in ('tensorflow', 'keras', 'optuna', 'sklearn') if m in sys.modules])"
    )
    rows(5).to_csv(tmp_path / "rows.csv", index=False)
    bundle = write_bundle(tmp_path / "bundle")
    command = [sys.executable, "-c", code, str(bundle), str(tmp_path / "rows.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


KINDS: dict[str, Any] = {  # "temp" is an indicator here: whether the weather is fair
    "columns": tuple(
        replace(column, name={"temp": "sky=fair"}.get(column.name, column.name))
        for column in METADATA.columns
    ),
    "categories": {"sky": ["fair"]},
}


@pytest.mark.filterwarnings("ignore:.*filled as in training")
def test_categories_are_columns_of_the_table(load: Load) -> None:
    frame = rows(5).drop(columns="temp")
    bundle = load(**KINDS, preprocessing=filling(5.0))
    fair = frame.assign(sky=["x", " fair ", "rain", None, "fair"], temp=[0, 1, 0, 0, 1])
    with pytest.warns(UserWarning, match="'sky': 2 of 5 rows have a category .* such as 'x'"):
        found = bundle.predict(fair)
    np.testing.assert_allclose(found["forecast"], expected(windows(fair, 5)).ravel(), rtol=1e-5)
    with pytest.raises(BundleError, match="no column 'sky'; the model needs load, sky"):
        bundle.predict(frame)


@pytest.mark.filterwarnings("ignore:.*a category that training did not have")
def test_codes_are_the_same_with_and_without_missing_cells(load: Load) -> None:
    kinds = KINDS | {"columns": (METADATA.columns[0], replace(METADATA.columns[1], name="sky=7.0"))}
    bundle = load(**(kinds | {"categories": {"sky": ["7.0"]}}))
    frame = rows(4).drop(columns="temp").assign(sky=[7, 7, 1, 7], temp=[1, 1, 0, 1])
    found = bundle.predict(frame)
    np.testing.assert_allclose(found["forecast"], expected(windows(frame, 4)).ravel(), rtol=1e-5)
