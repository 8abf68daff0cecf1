"""The registry from the command line: bundles kept, promoted, retired, and refused when changed."""

import json
import subprocess
from pathlib import Path

import optuna
import pytest

from storage.database import open_storage
from tests.bundles import write_bundle


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_bundle_from_registration_to_retirement(
    command: list[str], tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    storage = open_storage(url)
    optuna.create_study(study_name="power", storage=storage)
    place = ["--storage", url, "--out", str(tmp_path / "runs")]

    def run(*arguments: object, code: int = 0) -> str:
        line = [*command, *map(str, arguments), *place]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def stages() -> list[str]:
        return [model["stage"] for model in json.loads(run("models", "power", "--json"))]

    bundle = write_bundle(tmp_path / "bundle")
    assert "model 1 of study power is a candidate" in run("register", bundle)
    run("register", bundle)  # once
    write_bundle(bundle, version=2)  # does not touch what is registered
    run("register", bundle)
    assert stages() == ["candidate", "candidate"]
    run("promote", "power", 1)
    assert "model 1 is retired" in run("promote", "power")
    assert stages() == ["retired", "production"]
    run("retire", "power", 2)
    assert stages() == ["retired", "retired"]
    kept = Path(json.loads(run("models", "--json"))[0]["path"])
    (kept / "model.onnx").write_bytes(b"another")
    assert "model.onnx was changed" in run("promote", "power", 1, code=1)
    assert stages() == ["retired", "retired"]
    assert "has no candidate" in run("promote", "power", code=1)
    assert "no folder of a bundle" in run("register", tmp_path / "none", code=1)
    storage.engine.dispose()
