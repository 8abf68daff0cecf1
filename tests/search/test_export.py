"""The bundle of a study's winner: whole, equal to Keras, current, and untouched when an export fails."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil
import pytest
import yaml

from objectives.errors import InputError
from objectives.export.messages import ComparisonRequest, ConversionOutcome, ConversionRequest
from objectives.trials.trial_process import run_in_process
from reports.bundle import load_bundle
from reports.bundle.checksums import write_checksums
from search.bundles.artefacts import ArtefactOrder, Made, make_artefacts
from search.bundles.bundle_draft import read_draft, write_draft
from search.bundles.exporting import Exported, export_if_changed, export_study
from search.study import Study
from storage.database import Database, open_storage
from storage.models import list_models
from tests.runs import PATIENCE, Start, forked_by, server_of, tree, wait_for

DEFAULT = ("onnx", "keras")
Request = ConversionRequest | ComparisonRequest


@pytest.fixture(scope="module")
def bundle(rich_study: Study) -> Path:
    """What the run of a study has left: quantiles, members, normalised windows, every format."""
    return rich_study.directory / "bundle"


@pytest.fixture
def copied(rich_study: Study, tmp_path: Path) -> Path:
    """A copy of the study's results, to export anew; gives its folder."""
    shutil.copytree(rich_study.output.directory, tmp_path / "runs")
    return tmp_path / "runs" / rich_study.study.name


@pytest.fixture
def database(copied: Path) -> Database:
    return open_storage(f"sqlite:///{copied.parent / 'studies.db'}")


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def in_process(request: Request) -> Any:
    return run_in_process(request, lambda epoch: True)


def never(order: ArtefactOrder) -> Made:
    raise AssertionError(f"nothing was to be exported: {order}")


def windows_like(bundle: Path, count: int = 1000) -> np.ndarray:
    about = load_bundle(bundle).metadata
    middle, spread = (
        np.array([getattr(column, name) for column in about.columns])
        for name in ("mean", "deviation")
    )
    shape = (count, about.timesteps, len(about.columns))
    drawn = np.random.default_rng(0).normal(middle, spread, shape)
    return drawn.astype(np.float32)


def test_a_run_leaves_a_whole_bundle_and_registers_it(rich_study: Study, bundle: Path) -> None:
    report = json.loads((rich_study.directory / "report.json").read_text())
    assert report["paths"]["bundle"] == str(bundle)
    assert {path.name for path in bundle.iterdir()} == {
        "model.onnx",
        "model.keras",
        "saved_model",
        "model.tflite",
        "metadata.json",
        "MLmodel",
        "requirements.txt",
        "golden.npz",
        "smoke_test.py",
        "README.md",
        "SHA256SUMS",
    }
    (model,) = list_models(open_storage(rich_study.storage_url), rich_study.study.name)
    assert (model.stage, model.version) == ("candidate", 1)
    sums = (bundle / "SHA256SUMS").read_bytes()
    assert model.checksum == hashlib.sha256(sums).hexdigest()
    left = {path.name for path in rich_study.directory.iterdir()}
    assert not any(name.startswith(".unfinished") for name in left)


def test_metadata_say_what_is_in_the_model(rich_study: Study, bundle: Path) -> None:
    about = load_bundle(bundle).metadata
    fingerprint = about.provenance.data["fingerprint"]
    rows = np.load(rich_study.directory / f"rows_{fingerprint[:16]}.npy")
    seen = rows[about.provenance.data["first_row"] : about.provenance.data["end_row"]]
    assert len(seen) < len(rows)  # without the test set
    for number, column in enumerate(about.columns):
        values = seen[:, number]
        assert (column.minimum, column.maximum) == (values.min(), values.max())
        edges = [-np.inf, *column.bin_edges, np.inf]
        shares = [np.mean((values > low) & (values <= high)) for low, high in pairwise(edges)]
        np.testing.assert_allclose(column.bin_shares, shares, atol=1e-12)
    model = keras.saving.load_model(bundle / "model.keras", compile=False, safe_mode=True)
    inner = model.get_layer("centre").offset, model.get_layer("scale").scale
    np.testing.assert_allclose(np.ravel(inner[0]), -np.array(about.preprocessing.center))
    np.testing.assert_allclose(np.ravel(inner[1]), 1 / np.array(about.preprocessing.scale))
    report = json.loads((rich_study.directory / "report.json").read_text())
    assert about.test.model["rmse"] == pytest.approx(report["test"]["rmse"])
    assert about.test.naive["ridge"]["mae"] == pytest.approx(
        report["baselines"]["ridge"]["test"]["mae"]
    )
    assert about.provenance.members == 2
    assert set(about.artefacts) == {"onnx", "keras", "saved_model", "litert"}
    assert all(0 <= found.greatest_difference < 1e-4 for found in about.artefacts.values())


def test_what_is_served_equals_keras_on_a_thousand_windows(rich_study: Study, bundle: Path) -> None:
    windows = windows_like(bundle)
    model = keras.saving.load_model(
        rich_study.directory / "model.keras", compile=False, safe_mode=True
    )
    expected = model.predict(windows, batch_size=256, verbose=0)
    found = load_bundle(bundle).run(windows)
    assert set(found) == set(expected) == {"forecast", "quantiles"}
    unit = load_bundle(bundle).metadata.columns[0].deviation
    for name, values in expected.items():
        assert np.max(np.abs(found[name] - values)) < 1e-4 * unit


def bare_environment(folder: Path) -> Path:
    """A virtual environment with onnxruntime and numpy and nothing else; gives its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "onnxruntime"):
        if (ours / name).exists():
            (packages / name).symlink_to(ours / name)
    return folder / "bin" / "python"


def test_the_smoke_test_needs_only_onnxruntime_and_numpy(bundle: Path, tmp_path: Path) -> None:
    python = bare_environment(tmp_path / "bare")
    copy = shutil.copytree(bundle, tmp_path / "bundle")

    def smoke() -> "subprocess.CompletedProcess[str]":
        command = [str(python), "-I", str(copy / "smoke_test.py")]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    done = smoke()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fine: ")
    with np.load(copy / "golden.npz") as golden:
        other = {name: golden[name] + (0.01 if name == "forecast" else 0) for name in golden.files}
    np.savez(copy / "golden.npz", **other)
    assert "golden.npz was changed" in smoke().stderr
    write_checksums(copy)
    done = smoke()
    assert done.returncode == 1
    assert "forecast differs from what the model gave" in done.stderr
    (copy / "model.keras").unlink()
    done = smoke()
    assert (done.returncode, done.stderr) == (1, "model.keras is missing: get a fresh copy\n")


def test_the_keras_file_loads_where_this_package_is_not(bundle: Path) -> None:
    script = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("objectives", "search", "reports", "storage"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import keras, numpy
model = keras.saving.load_model(sys.argv[1] + "/model.keras", compile=False, safe_mode=True)
golden = numpy.load(sys.argv[1] + "/golden.npz", allow_pickle=False)
found = model.predict_on_batch(golden["window"])
print(max(float(abs(found[name] - golden[name]).max()) for name in found))
"""
    command = [sys.executable, "-I", "-c", script, str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 1e-5


def test_mlflow_reads_the_bundle(bundle: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    with np.load(bundle / "golden.npz", allow_pickle=False) as golden:
        found = mlflow.pyfunc.load_model(str(bundle)).predict({"window": golden["window"]})
        for name in ("forecast", "quantiles"):
            np.testing.assert_allclose(found[name], golden[name], atol=1e-5)


def test_the_model_card_is_one_that_hugging_face_reads(bundle: Path) -> None:
    _, front, text = (bundle / "README.md").read_text().split("---\n", maxsplit=2)
    matter = yaml.safe_load(front)
    about = load_bundle(bundle).metadata
    (result,) = matter["model-index"][0]["results"]
    metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert metrics["rmse"] == about.test.model["rmse"]
    assert "onnx" in matter["tags"]
    assert f"the next 2 rows of level from the last {about.timesteps} rows" in text
    assert "a row is 1 hour." in text


def test_the_same_winner_is_not_exported_again(copied: Path, database: Database) -> None:
    draft = read_draft(copied)
    versions = {**draft.provenance.versions, "keras": "99"}
    provenance = replace(draft.provenance, versions=versions)
    write_draft(copied, replace(draft, provenance=provenance))
    assert export_if_changed(database, copied, DEFAULT, never).bundle == copied / "bundle"
    assert export_if_changed(database, copied, (), never).bundle is None


@pytest.mark.parametrize("change", ["what is known", "model", "formats", "bundle"])
def test_another_winner_or_more_to_say_is_exported(
    copied: Path, database: Database, change: str
) -> None:
    draft = read_draft(copied)
    if change == "what is known":
        write_draft(copied, replace(draft, intervals={"windows": 1}))
    elif change == "model":
        provenance = replace(draft.provenance, model="0" * 64)
        write_draft(copied, replace(draft, provenance=provenance))
    elif change == "bundle":
        (copied / "bundle" / "model.onnx").write_bytes(b"another")
    else:
        about = load_bundle(copied / "bundle").metadata
        fewer = {"onnx": about.artefacts["onnx"]}
        (copied / "bundle" / "metadata.json").write_text(replace(about, artefacts=fewer).as_json())
        write_checksums(copied / "bundle")
    if change == "model":
        with pytest.raises(InputError, match="is not the model that was tested"):
            export_if_changed(database, copied, DEFAULT, never)
    else:
        with pytest.raises(AssertionError, match="nothing was to be exported"):
            export_if_changed(database, copied, DEFAULT, never)
    assert not (copied / ".unfinished_bundle").exists()


def damaging(name: str) -> Callable[[ArtefactOrder], Made]:
    """Make artefacts, but spoil one before anybody looks at it."""

    def carry_out(request: Request) -> Any:
        outcome = in_process(request)
        if isinstance(outcome, ConversionOutcome) and isinstance(request, ConversionRequest):
            for path in request.files.values():
                if path.name == name:
                    path.write_bytes(path.read_bytes()[:-100])
        return outcome

    return lambda order: make_artefacts(order, carry_out)


def test_an_artefact_that_fails_is_left_out(copied: Path, database: Database) -> None:
    found = export_study(database, copied, DEFAULT, damaging("model.keras"))
    assert found.bundle == copied / "bundle"
    (problem,) = found.problems
    assert problem.startswith("keras: it cannot be run: ")
    assert "\n" not in problem
    about = load_bundle(found.bundle).metadata
    assert set(about.artefacts) == {"onnx"}
    assert about.version == 2
    assert not (found.bundle / "model.keras").exists()
    assert [model.version for model in list_models(database, about.name)] == [1, 2]


def test_without_onnx_the_bundle_stays_as_it_was(copied: Path, database: Database) -> None:
    before = contents(copied / "bundle")
    found = export_study(database, copied, (), damaging("model.onnx"))
    assert found == Exported(None, found.problems)
    assert found.problems[0].startswith("onnx: it cannot be run")
    assert contents(copied / "bundle") == before
    assert not (copied / ".unfinished_bundle").exists()


def test_a_killed_export_leaves_the_bundle_and_the_next_one_ends_well(
    copied: Path, start: Start
) -> None:
    before, out = contents(copied / "bundle"), ("--out", copied.parent)
    killed = start("export", copied.name, *out)
    written = copied / ".unfinished_bundle" / "bundle" / "model.onnx"
    wait_for(lambda: written.exists() or None, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert written.exists()
    assert contents(copied / "bundle") == before
    again = start("export", copied.name, *out, "--format", "keras")
    said, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert f"bundle 2 of study {copied.name} is a candidate" in said
    assert set(load_bundle(copied / "bundle").metadata.artefacts) == {"onnx", "keras"}
    assert not written.exists()


def test_an_interrupted_export_does_not_wait_for_what_it_converts(
    copied: Path, start: Start
) -> None:
    before = contents(copied / "bundle")
    process = start("export", copied.name, "--out", copied.parent)
    server = wait_for(lambda: server_of_any(process.pid), process)
    converting = wait_for(lambda: forked_by(server), process)
    converting.suspend()  # a conversion without end
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)  # until nobody has its outputs any more
    assert (process.returncode, errors) == (130, "lstm-search: interrupted\n")
    assert contents(copied / "bundle") == before
    assert not (copied / ".unfinished_bundle").exists()


def server_of_any(pid: int) -> psutil.Process | None:
    """The forkserver of a process or of one of its workers."""
    servers = (server_of(member.pid) for member in tree(pid))
    return next((server for server in servers if server is not None), None)


def test_columns_too_far_from_zero_are_warned_of(copied: Path, database: Database) -> None:
    about = load_bundle(copied / "bundle").metadata
    far = replace(about.columns[0], mean=1e6, deviation=1.0)
    changed = replace(about, columns=(far, *about.columns[1:]))
    (copied / "bundle" / "metadata.json").write_text(changed.as_json())
    write_checksums(copied / "bundle")
    write_draft(copied, changed)
    (warning,) = export_if_changed(database, copied, DEFAULT, never).warnings
    assert warning.startswith("column 'level' lies 1e+06 deviations from zero")


def test_what_cannot_be_exported_is_said_in_a_line(
    copied: Path, command: list[str], tmp_path: Path
) -> None:
    def complaint(*arguments: str) -> str:
        line = [*command, "export", *arguments, "--out", str(copied.parent)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        return done.stderr

    assert "Received: 'onx'" in complaint(copied.name, "--format", "onx")
    (copied / "bundle.json").unlink()
    assert "there is no tested winner to export" in complaint(copied.name)
