"""Artifacts on the command line: copied with a study, deleted with it, and where a study keeps them."""

from pathlib import Path

import optuna
import pytest
from typer.testing import CliRunner

from objectives.errors import InputError
from search.cli import app
from search.study import Study, make_study
from storage.artifacts import LOCATION, attach_file, open_artifacts
from storage.database import open_storage
from storage.errors import StorageError

DATA = {"data": {"targets": ["level"]}}


def call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of results with a study of one trial, whose one artifact is in artifacts/."""
    folder = tmp_path / "runs"
    (folder / "wave").mkdir(parents=True)
    study = optuna.create_study(
        study_name="wave", storage=open_storage(f"sqlite:///{folder}/studies.db")
    )
    study.set_user_attr(LOCATION, str(folder / "artifacts"))
    (tmp_path / "weights.npz").write_bytes(b"some weights")
    trial = study.ask()
    attach_file(open_artifacts(str(folder / "artifacts")), trial, tmp_path / "weights.npz")
    study.tell(trial, 0.5)
    return folder


def test_a_study_is_copied_with_its_artifacts(runs: Path, tmp_path: Path) -> None:
    source, target = (f"sqlite:///{path}" for path in (runs / "studies.db", tmp_path / "copy.db"))
    kept = tmp_path / "kept"
    code, output, error = call("storage", "copy", source, target, "--artifacts", kept)
    assert code == 0, error
    assert f"artifacts into {kept}" in output
    names = [path.name for path in kept.iterdir()]
    assert names == [path.name for path in (runs / "artifacts").iterdir()]
    assert [path.read_bytes() for path in kept.iterdir()] == [b"some weights"]


def test_a_study_is_not_copied_where_its_artifacts_cannot_be(runs: Path, tmp_path: Path) -> None:
    source, target = (f"sqlite:///{path}" for path in (runs / "studies.db", tmp_path / "copy.db"))
    code, _, error = call("storage", "copy", source, target, "--artifacts", "gs://bucket")
    assert code == 1
    assert "Received: 'gs://bucket'" in error
    assert error.count("\n") == 1
    assert open_storage(target).get_all_studies() == []


def test_backup_says_that_artifacts_stay_and_how_to_copy_them() -> None:
    help_text = " ".join(call("storage", "backup", "--help")[1].replace("│", "").split())
    assert "weights stay where they are" in help_text
    assert "storage copy with --artifacts" in help_text.replace("`", "")


@pytest.mark.parametrize(("option", "left"), [((), 0), (("--keep-files",), 2)])
def test_a_study_is_deleted_with_its_artifacts_unless_files_are_kept(
    runs: Path, option: tuple[str, ...], left: int
) -> None:
    (runs / "artifacts" / "wave" / "checkpoints").mkdir(parents=True)
    code, output, error = call("delete", "wave", "--out", runs, "--yes", *option)
    assert code == 0, error
    assert len(list((runs / "artifacts").iterdir())) == left
    assert ("its artifacts in" in " ".join(output.split())) == (not option)
    assert "another --out" not in output
    assert open_storage(f"sqlite:///{runs}/studies.db").get_all_studies() == []


def test_a_study_takes_along_no_more_of_a_general_folder_than_its_checkpoints(
    runs: Path, tmp_path: Path
) -> None:
    code, _, error = call(
        "storage", "copy", f"sqlite:///{runs}/studies.db", f"sqlite:///{tmp_path}/studies.db",
        "--artifacts", tmp_path,
    )  # fmt: skip
    assert code == 0, error
    for folder in ("wave", "wave/confirmation"):
        (tmp_path / folder / "checkpoints").mkdir(parents=True)
    (tmp_path / "wave" / "draft.txt").write_text("mine")
    code, output, error = call(
        "delete", "wave", "--storage", f"sqlite:///{tmp_path}/studies.db", "--yes"
    )
    assert code == 0, error
    assert f"{tmp_path}/wave/checkpoints" in "".join(output.split())
    assert [each.name for each in (tmp_path / "wave").iterdir()] == ["draft.txt"]


def test_who_deletes_a_study_is_told_that_results_elsewhere_are_left(
    runs: Path, tmp_path: Path
) -> None:
    (runs / "wave").rename(tmp_path / "wave")
    code, output, error = call("delete", "wave", "--out", runs, "--yes")
    assert code == 0, error
    said = " ".join(output.split())
    assert f"there was no folder {runs / 'wave'}: where `run` had another --out" in said
    assert (tmp_path / "wave").is_dir()


def test_a_study_whose_name_is_a_path_takes_no_folder_along(runs: Path, tmp_path: Path) -> None:
    for name in ("..", "wave/../../other", str(tmp_path / "other")):
        (tmp_path / "other").mkdir(exist_ok=True)
        optuna.create_study(study_name=name, storage=open_storage(f"sqlite:///{runs}/studies.db"))
        code, output, error = call("delete", name, "--out", runs, "--yes")
        assert code == 0, error
        assert "folder" not in output
        assert (tmp_path / "other").is_dir()


def study_of(**sections: object) -> Study:
    return make_study({**DATA, **sections}, "test")


def test_artifacts_are_kept_beside_the_studies_unless_another_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert study_of().artifacts == str(tmp_path / "runs" / "artifacts")
    output = {"directory": "results"}
    assert study_of(output=output).artifacts == str(tmp_path / "results" / "artifacts")
    for place, kept in (("kept", str(tmp_path / "kept")), ("s3://bucket/a", "s3://bucket/a")):
        study = study_of(output={"artifacts": place})
        assert study.artifacts == kept
        assert study.identity() == study_of().identity()


def test_a_place_that_artifacts_cannot_have_is_refused() -> None:
    with pytest.raises(StorageError, match="s3://bucket/prefix"):
        _ = study_of(output={"artifacts": "ftp://host/place"}).artifacts


def test_no_study_has_the_folder_of_all_artifacts_for_its_own() -> None:
    with pytest.raises(InputError, match=r"\[study\] name: 'Artifacts'"):
        study_of(study={"name": "Artifacts"})
