"""From a table of rows to the classes of its sequences, or of windows of a stream; what is refused."""

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
from reports.bundle.metadata import SequenceRows, Tensor, TimeAxis
from tests.bundles import METADATA, TIMESTEPS, as_bytes, write_bundle

Load = Callable[..., Bundle]
PADDING = -1e9
LABELS = ("a", "b", "c")
WHOLE = SequenceRows("id", "label", "group", None, None)
STREAM = SequenceRows("id", "label", "group", 5, 2)
WEIGHTS = np.random.default_rng(3).normal(size=(TIMESTEPS * 2, 3)).astype(np.float32)


def model() -> bytes:
    """Linear in the rows that are no padding, which count as zeros."""
    constants = [
        numpy_helper.from_array(np.array(PADDING, np.float32), "padding"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
        numpy_helper.from_array(np.array([-1, TIMESTEPS * 2]), "flat"),
        numpy_helper.from_array(WEIGHTS, "weights"),
    ]
    nodes = [
        helper.make_node("Equal", ["window", "padding"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "window"], ["present"]),
        helper.make_node("Reshape", ["present", "flat"], ["flattened"]),
        helper.make_node("MatMul", ["flattened", "weights"], ["probabilities"]),
    ]
    window = helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", TIMESTEPS, 2])
    found = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])
    return as_bytes(helper.make_graph(nodes, "classes", [window], [found], constants))


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The bundle of a classifier whose metadata are replaced in part."""
    about: dict[str, Any] = {
        "task": "classification",
        "outputs": (Tensor("probabilities", "float32", ("batch", 3), "probabilities"),),
        "targets": (),
        "horizon": 0,
        "time": TimeAxis(None, None, None, None),
        "labels": LABELS,
        "class_shares": (0.5, 0.25, 0.25),
        "sequences": WHOLE,
        "padding": PADDING,
    }
    return lambda **changes: load_bundle(
        write_bundle(tmp_path / "bundle", model=model(), **(about | changes))
    )


def rows(*lengths: int) -> pd.DataFrame:
    """Sequences "s0", "s1" … within the range of the training data, one after the other."""
    values = np.random.default_rng(1).uniform(0, 10, size=(sum(lengths), 2))
    frame = pd.DataFrame(values, columns=["temp", "load"])
    frame["id"] = np.repeat([f"s{number}" for number in range(len(lengths))], lengths)
    return frame.assign(time=np.concatenate([np.arange(length) for length in lengths]))


def answers(*sequences: pd.DataFrame) -> NDArray[np.float32]:
    """What the model says of sequences whose rows are these."""
    windows = np.zeros((len(sequences), TIMESTEPS, 2), np.float32)
    for window, frame in zip(windows, sequences, strict=True):
        kept = frame[["load", "temp"]].to_numpy()[-TIMESTEPS:]
        window[TIMESTEPS - len(kept) :] = kept
    found: NDArray[np.float32] = windows.reshape(len(sequences), -1) @ WEIGHTS
    return found


def check(found: pd.DataFrame, expected: NDArray[np.float32]) -> None:
    columns = [f"probability_{label}" for label in LABELS]
    np.testing.assert_allclose(found[columns], expected, rtol=1e-4, atol=1e-4)
    assert list(found["label"]) == [LABELS[place] for place in expected.argmax(axis=1)]


def test_sequences_of_any_length_in_any_order_of_rows(load: Load) -> None:
    frame = rows(2, 7, 4)
    mixed = frame.sample(frac=1, random_state=1)
    found = load().predict(mixed)
    assert list(found.columns) == ["id", "label", *(f"probability_{label}" for label in LABELS)]
    check(found, answers(*(frame[frame["id"] == name] for name in found["id"])))
    assert sorted(found["id"]) == ["s0", "s1", "s2"]


def test_rows_without_times_are_in_order(load: Load) -> None:
    frame = rows(5, 3)
    found = load().predict(frame.drop(columns="time"))
    check(found, answers(frame[:5], frame[5:]))


def test_a_stream_is_cut_as_in_training_and_at_every_row(load: Load) -> None:
    bundle = load(sequences=STREAM, padding=None)
    frame = rows(12).drop(columns=["id", "time"])
    found = bundle.predict(frame)
    assert list(found["row"]) == [4, 6, 8, 10]
    check(found, answers(*(frame[: row + 1] for row in found["row"])))
    every = bundle.predict(frame, rolling=True)
    assert list(every["row"]) == list(range(TIMESTEPS - 1, 12))
    check(every, answers(*(frame[: row + 1] for row in every["row"])))


def test_windows_of_a_stream_stay_within_their_group_and_have_times(load: Load) -> None:
    bundle = load(sequences=STREAM, padding=None, time=TimeAxis("when", None, None, None))
    when = pd.date_range("2024-01-01", periods=12, freq="s")
    frame = rows(12).drop(columns="time").assign(when=when, group=[1] * 6 + [2] * 6)
    found = bundle.predict(frame.assign(when=when.astype(str)))
    assert list(found["time"]) == [when[4], when[10]]
    check(found, answers(frame[:5], frame[6:11]))
    with pytest.raises(BundleError, match=r"column 'when', row 3: .* is not later than"):
        bundle.predict(frame.assign(when=[*when[:3], when[0], *when[4:]]))
    with pytest.raises(BundleError, match="no column 'when', which has the times"):
        bundle.predict(frame.drop(columns="when"))


def test_holes_are_filled_within_a_sequence(load: Load) -> None:
    frame = rows(4, 4)
    holed = frame.copy()
    holed.loc[[1, 4], "load"] = np.nan
    filling = replace(METADATA.preprocessing, fill="forward")
    bundle = load(preprocessing=filling)
    with pytest.raises(BundleError, match=r"id s1, step 0, column 'load': no value \(1 such"):
        bundle.predict(holed)
    holed.loc[4, "load"] = frame.loc[4, "load"]
    filled = frame.copy()
    filled.loc[1, "load"] = frame.loc[0, "load"]
    with pytest.warns(UserWarning, match=r"1 missing cell filled as in training \(forward\)"):
        check(bundle.predict(holed), answers(filled[:4], filled[4:]))


@pytest.mark.parametrize(
    ("changes", "edit", "message"),
    [
        ({}, {"drop": "id"}, "no column 'id', which tells sequences apart"),
        ({}, {"drop": "load"}, "no column 'load'; the model needs load, temp"),
        ({}, {"time": [0, 0, 1, 0, 1, 2, 3, 4]}, "column 'time', row 1: id s0 has 0 twice"),
        ({}, {"id": ["x", None, *"yyyyyy"]}, "column 'id', row 1: no id"),
        ({}, {"load": ["x"] * 8}, "column 'load': expected numbers"),
        ({"padding": None}, {}, "id s0 has 3 rows; the model needs 4"),
        ({"sequences": STREAM}, {"head": 3}, "the model looks at 5 rows. Received: 3"),
        ({"sequences": None}, {}, "does not say how rows make up sequences"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    load: Load, changes: dict[str, Any], edit: dict[str, Any], message: str
) -> None:
    frame = rows(3, 5)
    frame = frame.drop(columns=edit.pop("drop", [])).head(edit.pop("head", 8)).assign(**edit)
    with pytest.raises(BundleError, match=message) as raised:
        load(**changes).predict(frame)
    assert "\n" not in str(raised.value)


def test_intervals_and_rolling_sequences_are_refused(load: Load) -> None:
    bundle = load()
    with pytest.raises(BundleError, match="does not forecast"):
        bundle.predict(rows(4), interval=0.9)
    with pytest.raises(BundleError, match="whole sequences: none can be rolling"):
        bundle.predict(rows(4), rolling=True)


def test_values_unlike_those_of_training_are_told(load: Load) -> None:
    frame = rows(4)
    frame.loc[0, "load"] = 11
    with pytest.warns(UserWarning, match=r"'load': 25\.0% of 4 values lie outside"):
        load().predict(frame)
