"""`lstm-search predict` with a classifier: files of sequences in, classes as CSV out."""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.bundle import load_bundle

Run = tuple[Path, str]


def predict(command: list[str], run: Run, data: Path, code: int = 0) -> tuple[str, str]:
    bundle = run[0] / "runs" / "order" / "bundle"
    done = subprocess.run(
        [*command, "predict", str(bundle), str(data)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def fresh(run: Run) -> pd.DataFrame:
    """The test part."""
    rows = pd.read_parquet(run[0] / "order.parquet")
    return rows[rows["split"] == "test"]


@pytest.fixture(scope="module")
def cases(fresh: pd.DataFrame) -> list[np.ndarray]:
    names = [f"channel_{number}" for number in range(12)]
    return [rows[names].to_numpy() for _, rows in fresh.groupby("id", sort=False)]


@pytest.fixture(scope="module")
def expected(run: Run, fresh: pd.DataFrame) -> pd.DataFrame:
    with pytest.warns(UserWarning, match="outside of the training data's range"):
        return load_bundle(run[0] / "runs" / "order" / "bundle").predict(fresh)


def test_answers_are_those_that_the_report_scored(
    fresh: pd.DataFrame, expected: pd.DataFrame, run: Run
) -> None:
    truth = fresh.groupby("id", sort=False)["label"].first()
    found = expected.set_index("id")["label"]
    report = json.loads((run[0] / "runs" / "order" / "report.json").read_text())
    assert (found == truth).mean() == pytest.approx(report["test"]["accuracy"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_long_table_needs_no_labels(
    command: list[str],
    run: Run,
    fresh: pd.DataFrame,
    expected: pd.DataFrame,
    tmp_path: Path,
    suffix: str,
) -> None:
    path, rows = tmp_path / f"rows{suffix}", fresh.drop(columns=["label", "split"])
    rows.to_csv(path, index=False) if suffix == ".csv" else rows.to_parquet(path)
    printed, said = predict(command, run, path)
    found = pd.read_csv(io.StringIO(printed))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-4)
    assert "warning" in said


@pytest.mark.parametrize("labelled", [True, False])
def test_ts_files_are_taken_by_position(
    command: list[str],
    run: Run,
    cases: list[np.ndarray],
    expected: pd.DataFrame,
    tmp_path: Path,
    labelled: bool,
) -> None:
    path = tmp_path / "cases.ts"
    lines = [":".join(",".join(map(repr, column)) for column in case.T.tolist()) for case in cases]
    ending = ":x" if labelled else ""
    header = f"@classLabel {'true x' if labelled else 'false'}\n@data\n"
    path.write_text(header + "".join(f"{line}{ending}\n" for line in lines))
    found = pd.read_csv(io.StringIO(predict(command, run, path)[0]))
    assert list(found["id"]) == list(range(len(cases)))
    pd.testing.assert_frame_equal(
        found.drop(columns="id"), expected.drop(columns="id"), check_dtype=False, rtol=1e-4
    )


def test_arrays_need_no_labels(
    command: list[str], run: Run, cases: list[np.ndarray], expected: pd.DataFrame, tmp_path: Path
) -> None:
    x = np.full((len(cases), 30, 12), np.nan)
    for padded, case in zip(x, cases, strict=True):
        padded[: len(case)] = case
    np.savez(tmp_path / "cases.npz", x=x)
    found = pd.read_csv(io.StringIO(predict(command, run, tmp_path / "cases.npz")[0]))
    pd.testing.assert_frame_equal(
        found.drop(columns="id"), expected.drop(columns="id"), check_dtype=False, rtol=1e-4
    )
    np.savez(tmp_path / "cases.npz", x=x[:, :, :3])
    said = predict(command, run, tmp_path / "cases.npz", code=1)[1]
    assert "has 3 inputs, and the model needs channel_0" in said
    assert said.count("\n") == 1
