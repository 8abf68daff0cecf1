"""`lstm-search predict`: files and standard input in, CSV and Parquet out."""

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.bundle import load_bundle
from reports.bundle.metadata import TimeAxis
from search.serving.forecasting import forecast
from tests.bundles import HORIZON, METADATA, TIMESTEPS, write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", intervals={"half_widths": {"0.90": [[1.0]] * 3}})


def data(path: Path, rows: int = 6) -> pd.DataFrame:
    values = np.random.default_rng(0).uniform(0, 10, size=(rows, 2))
    frame = pd.DataFrame(values, columns=["temp", "load"])
    frame.insert(0, "date", pd.date_range("2024-01-01", periods=rows, freq="h"))
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return frame


def predict(
    command: list[str], *arguments: object, given: bytes = b"", code: int = 0
) -> tuple[str, str]:
    done = subprocess.run(
        [*command, "predict", *map(str, arguments)],
        input=given,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_or_standard_input_is_answered_as_in_python(
    command: list[str], bundle: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"rows{suffix}"
    wanted = load_bundle(bundle).predict(data(path), interval=0.9)
    printed, said = predict(command, bundle, path, "--interval", 0.9)
    assert said == ""
    found = pd.read_csv(io.StringIO(printed), parse_dates=["time"])
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-6)
    assert predict(command, bundle, "-", "--interval", 0.9, given=path.read_bytes())[0] == printed


def test_every_window_goes_to_a_file(command: list[str], bundle: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "rows.csv", tmp_path / "found.parquet"
    wanted = load_bundle(bundle).predict(data(path, 20), rolling=True)
    assert predict(command, bundle, path, "--rolling", "--out", out) == ("", "")
    pd.testing.assert_frame_equal(pd.read_parquet(out), wanted)
    assert len(wanted) == (20 - TIMESTEPS + 1) * HORIZON


def test_columns_that_are_numbered_are_found(
    command: list[str], bundle: Path, tmp_path: Path
) -> None:
    path, numbered = tmp_path / "rows.parquet", tmp_path / "numbered"
    frame = data(path).set_index("date").rename(columns={"temp": 1, "load": 0})
    frame.to_parquet(path)
    columns = tuple(replace(column, name=str(at)) for at, column in enumerate(METADATA.columns))
    write_bundle(numbered, columns=columns, targets=("0",))
    wanted = load_bundle(bundle).predict(frame.rename(columns={1: "temp", 0: "load"})).forecast
    assert load_bundle(numbered).predict(frame).forecast.tolist() == wanted.tolist()
    found = pd.read_csv(io.StringIO(predict(command, numbered, path)[0]))
    assert found.forecast.tolist() == pytest.approx(wanted.tolist(), rel=1e-6)


def test_a_calendar_goes_by_the_clocks_that_offsets_tell_of(
    command: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    monthly = write_bundle(tmp_path / "monthly", time=TimeAxis("date", None, "MS", "UTC"))
    times = pd.date_range("2024-02-01", periods=6, freq="MS", tz="Europe/Berlin")
    frame = data(path, 4).assign(date=[time.isoformat() for time in times[:4]])
    frame.to_csv(path, index=False)
    wanted = [str(time) for time in times[4:].tz_convert("UTC")]
    assert list(pd.read_csv(io.StringIO(predict(command, monthly, path)[0])).time[:2]) == wanted
    answered, _ = forecast(load_bundle(monthly), {"rows": frame.to_dict("records")})
    assert [step["date"] for step in answered["forecast"][:2]] == [
        text.replace(" ", "T") for text in wanted
    ]


def test_unusual_values_are_told_beside_the_answer(
    command: list[str], bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    data(path).assign(temp=[1, 1, 1, 1, 11, 12]).to_csv(path, index=False)
    printed, said = predict(command, bundle, path)
    assert len(printed.splitlines()) == 1 + HORIZON
    assert "warning" in said
    assert "column 'temp': 50.0% of 4 values lie outside of the training data's range" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        (
            [],
            "date,load,temp\n2024-01-01,1,x\n",
            "column 'temp', row 0: expected a number, received 'x' (1 such cells): mend it\n",
        ),
        ([], "date,load\n2024-01-01,1\n", "no column 'temp'"),
        ([], "date,load,temp\n", "no rows of data"),
        ([], "date,load,temp\nnever,1,2\n", "cannot read the timestamp 'never'"),
        (["--interval", "0.5"], None, "no intervals of level 0.5: it has 0.9"),
        (["--interval", "90"], None, "--interval: expected a number between 0 and 1"),
        (["--out", "found.txt"], None, "expected a name that ends in .csv or .parquet"),
        (["--out", "none/found.csv"], None, "non-existent directory"),
    ],
)
def test_what_cannot_be_answered_gets_one_line(
    command: list[str],
    bundle: Path,
    tmp_path: Path,
    options: list[str],
    text: str | None,
    message: str,
) -> None:
    path = tmp_path / "rows.csv"
    data(path)
    if text is not None:
        path.write_text(text)
    printed, said = predict(command, bundle, path, *options, code=1)
    assert printed == ""
    assert said.startswith("lstm-search: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_broken_bundle_gets_one_line(command: list[str], bundle: Path, tmp_path: Path) -> None:
    data(tmp_path / "rows.csv")
    (bundle / "model.onnx").write_bytes(b"another")
    said = predict(command, bundle, tmp_path / "rows.csv", code=1)[1]
    assert "model.onnx was changed" in said
    assert said.count("\n") == 1
    assert METADATA.name not in said
