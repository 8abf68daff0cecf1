"""Artifacts in a folder and in a bucket: whole or not there, and linked only where they are."""

import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import get_all_artifact_meta, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from storage.artifacts import (
    LOCATION,
    absolute_location,
    artifact_folder,
    artifacts_of,
    attach_file,
    linked_artifacts,
    open_artifacts,
)
from storage.errors import StorageError
from storage.maintenance import back_up, copy_studies, restore
from storage.studies import delete_study
from tests.s3 import drop, keys, make_bucket

MEBIBYTE = 2**20


def bucket_of(location: str) -> str:
    return location.split("/")[2]


def held(location: str) -> list[str]:
    """The ids of all that a location holds, and whatever else is there."""
    folder = artifact_folder(location)
    if folder is not None:
        return sorted(path.name for path in folder.iterdir())
    prefix = location.split("/", maxsplit=3)[3] + "/"
    return sorted(key.removeprefix(prefix) for key in keys(bucket_of(location)))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "kept" / "artifacts")


@pytest.fixture(params=["folder", "s3"])
def location(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["folder", "s3"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A second location, of either kind."""
    if request.param == "folder":
        return str(tmp_path / "elsewhere")
    request.getfixturevalue("s3")
    return f"s3://{make_bucket()}/elsewhere"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here (that takes root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def study(sqlite_url: str, opened: Callable[[str], RDBStorage], location: str) -> optuna.Study:
    found = optuna.create_study(study_name="one", storage=opened(sqlite_url))
    found.set_user_attr(LOCATION, location)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.npz"
    path.write_bytes(b"some weights")
    return path


def frozen(study: optuna.Study, number: int = 0) -> optuna.trial.FrozenTrial:
    return study.get_trials()[number]


def content(location: str, artifact_id: str) -> bytes:
    with open_artifacts(location, check=False).open_reader(artifact_id) as body:
        return body.read()


@pytest.mark.parametrize("size", [0, 12, 9 * MEBIBYTE])  # S3 takes the last in two parts
def test_an_attached_file_is_linked_and_comes_back(
    location: str, study: optuna.Study, file: Path, size: int
) -> None:
    file.write_bytes(os.urandom(size))
    trial = study.ask()
    artifact_id = attach_file(open_artifacts(location), trial, file)
    study.tell(trial, 0.5)
    assert held(location) == [artifact_id]
    assert content(location, artifact_id) == file.read_bytes()
    linked = linked_artifacts(frozen(study).system_attrs)
    assert [artifact.filename for artifact in linked] == ["weights.npz"]
    assert list(linked) == get_all_artifact_meta(frozen(study), storage=study._storage)


def test_a_store_that_is_gone_leaves_no_link_and_the_trial_as_it_was(
    location: str, study: optuna.Study, file: Path
) -> None:
    trial = study.ask()
    store = open_artifacts(location)
    folder = artifact_folder(location)
    if folder is None:
        drop(bucket_of(location))
    else:
        folder.rmdir()
    with pytest.raises(StorageError, match="cannot write artifacts to") as raised:
        attach_file(store, trial, file)
    assert location in str(raised.value)
    assert "\n" not in str(raised.value)
    study.tell(trial, 0.5)
    assert linked_artifacts(frozen(study).system_attrs) == ()
    assert study.best_value == 0.5


def test_a_full_disk_leaves_neither_half_a_file_nor_a_link(
    small_disk: Path, sqlite_url: str, opened: Callable[[str], RDBStorage], file: Path
) -> None:
    study = optuna.create_study(storage=opened(sqlite_url))
    trial = study.ask()
    store = open_artifacts(str(small_disk))
    file.write_bytes(bytes(2 * MEBIBYTE))
    with pytest.raises(
        StorageError, match=f"cannot write artifacts to {small_disk}: No space left"
    ):
        attach_file(store, trial, file)
    assert list(small_disk.iterdir()) == []
    file.write_bytes(bytes(MEBIBYTE // 2))
    artifact_id = attach_file(store, trial, file)
    study.tell(trial, 0.5)
    assert [a.artifact_id for a in linked_artifacts(frozen(study).system_attrs)] == [artifact_id]


class _Ending(io.BytesIO):
    """A body of which half can be read; then it calls `at_half`, and fails."""

    def __init__(self, at_half: Callable[[], None]) -> None:
        super().__init__(bytes(MEBIBYTE))
        self._at_half = at_half

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() < MEBIBYTE // 2:
            return super().read(MEBIBYTE // 2)
        self._at_half()
        raise OSError("the other half is unreadable")


def test_half_a_file_is_never_seen_under_its_id(location: str) -> None:
    store = open_artifacts(location)
    looked = []

    def look() -> None:
        with pytest.raises(ArtifactNotFound):
            store.open_reader("half")
        looked.append(True)

    with pytest.raises(StorageError, match="the other half is unreadable"):
        store.write("half", _Ending(look))
    assert looked == [True]
    assert held(location) == []


def test_a_trial_that_others_have_ended_leaves_no_file(
    location: str, study: optuna.Study, file: Path
) -> None:
    trial = study.ask()
    study.tell(trial, state=TrialState.FAIL)
    with pytest.raises(UpdateFinishedTrialError):
        attach_file(open_artifacts(location), trial, file)
    assert held(location) == []


def test_what_is_not_there_is_told_apart_from_a_store_that_is_not(location: str) -> None:
    store = open_artifacts(location)
    with pytest.raises(ArtifactNotFound):
        store.open_reader("nothing")
    assert held(location) == []  # nor has the check left anything


def test_looking_at_a_folder_does_not_make_it(folder: str) -> None:
    with pytest.raises(ArtifactNotFound):
        open_artifacts(folder, check=False).open_reader("nothing")
    assert not Path(folder).exists()


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for location in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match=f"{location}.*; name another place"):
            open_artifacts(str(location))


def test_a_bucket_is_shared_under_prefixes(s3: str) -> None:
    bucket = bucket_of(s3)
    for place in ("", "/one", "/two/deep/"):
        open_artifacts(f"s3://{bucket}{place}").write("same", io.BytesIO(place.encode()))
    assert sorted(keys(bucket)) == ["one/same", "same", "two/deep/same"]
    assert content(f"s3://{bucket}/one/", "same") == b"/one"
    open_artifacts(f"s3://{bucket}/one").remove("same")
    assert sorted(keys(bucket)) == ["same", "two/deep/same"]


def test_a_server_without_host_names_for_buckets_is_reached(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = os.environ["AWS_ENDPOINT_URL"].replace("127.0.0.1", "localhost")
    monkeypatch.setenv("AWS_ENDPOINT_URL", named)
    assert open_artifacts(s3).client.meta.config.s3 == {"addressing_style": "path"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect"),
        ({"AWS_ENDPOINT_URL": "http://me:hidden-password@127.0.0.1:9"}, "Could not connect"),
        ({"AWS_ENDPOINT_URL": "http://me:hidden/password@127.0.0.1:9"}, "not a valid URI"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "nonsense"),
        ({"AWS_PROFILE": "absent"}, "absent"),
        ({"AWS_ACCESS_KEY_ID": ""}, "credentials"),
    ],
)
def test_a_bucket_that_cannot_be_reached_is_told_in_one_line_without_secrets(
    s3: str, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], words: str
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=words) as raised:
        open_artifacts(s3)
    assert s3 in str(raised.value)
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_bucket_is_told_with_what_to_look_at(s3: str) -> None:
    with pytest.raises(StorageError, match=r"NoSuchBucket.*check the bucket"):
        open_artifacts("s3://no-such-bucket/place")


@pytest.mark.parametrize(
    "location",
    [
        "",
        "gs://bucket/place",
        "S3://bucket/place",
        "s3://",
        "s3://key:hidden@bucket/place",
        "s3://key:hid/den@bucket/place",
        "https://me:hidden@host/bucket",
    ],
)
def test_what_is_no_location_is_refused_without_its_secrets(location: str) -> None:
    for use in (open_artifacts, artifact_folder, absolute_location):
        with pytest.raises(StorageError, match="a folder or in s3://bucket/prefix") as raised:
            use(location)
        assert "hid" not in str(raised.value)


def test_boto3_is_asked_for_by_the_name_of_its_extra(start_worker) -> None:
    printed, errors = start_worker("no_boto3.py").communicate(timeout=60)
    assert "pip install 'lstm-search[s3]'" in printed, errors


def test_a_location_means_the_same_wherever_a_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_location("runs/artifacts") == str(tmp_path / "runs" / "artifacts")
    assert absolute_location("s3://bucket/place") == "s3://bucket/place"
    assert artifact_folder("s3://bucket/place") is None
    assert artifact_folder("runs") == Path("runs")


def fill(study: optuna.Study, location: str, file: Path) -> dict[str, str]:
    """Attach files to the study, a finished trial and a running one; gives their ids."""
    store = open_artifacts(location)
    of_study = upload_artifact(artifact_store=store, file_path=str(file), study_or_trial=study)
    finished, running = study.ask(), study.ask()
    ids = {
        "study": of_study,
        "finished": attach_file(store, finished, file),
        "running": attach_file(store, running, file),
    }
    study.tell(finished, 0.5)
    return ids


def test_artifacts_deleted_in_the_dashboard_are_passed_over(
    location: str, study: optuna.Study, file: Path
) -> None:
    ids = fill(study, location, file)
    deleted = ids.pop("running")
    link = f"artifacts:{deleted}"
    study._storage.set_trial_system_attr(frozen(study, 1)._trial_id, link, "null")  # as it does
    found = artifacts_of(study, study.get_trials())
    assert {artifact.artifact_id for artifact in found} == set(ids.values())


@pytest.mark.parametrize("keep", [False, True])
def test_a_deleted_study_takes_its_own_artifacts_along_unless_they_are_kept(
    location: str, study: optuna.Study, file: Path, keep: bool
) -> None:
    ids = fill(study, location, file)
    open_artifacts(location).write("of another study", io.BytesIO())
    delete_study(study._storage._backend, "one", keep_artifacts=keep)
    assert held(location) == sorted([*(ids.values() if keep else ()), "of another study"])


def test_a_study_is_not_deleted_where_its_artifacts_cannot_be(
    s3: str, sqlite_url: str, opened, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened(sqlite_url)
    study = optuna.create_study(study_name="one", storage=storage)
    study.set_user_attr(LOCATION, s3)
    fill(study, s3, file)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="cannot remove artifacts from s3://"):
        delete_study(storage, "one")
    assert [found.study_name for found in storage.get_all_studies()] == ["one"]
    delete_study(storage, "one", keep_artifacts=True)
    assert storage.get_all_studies() == []


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, opened, tmp_path: Path) -> RDBStorage:
    """An empty database to copy to."""
    if request.param == "sqlite":
        return opened(f"sqlite:///{tmp_path}/target.db")
    return opened(request.getfixturevalue("postgresql_url"))


def test_a_copy_takes_the_artifacts_of_what_it_copies_along(
    location: str, elsewhere: str, study: optuna.Study, file: Path, target: RDBStorage
) -> None:
    ids = fill(study, location, file)
    copy_studies(study._storage._backend, target, ("one",), elsewhere)
    copied = optuna.load_study(study_name="one", storage=target)
    assert copied.user_attrs[LOCATION] == elsewhere
    kept = sorted(ids.values())
    assert held(elsewhere) == kept
    assert sorted(a.artifact_id for a in artifacts_of(copied, copied.get_trials())) == kept
    assert content(elsewhere, ids["finished"]) == file.read_bytes()
    assert held(location) == kept


def test_a_copy_and_a_backup_link_the_artifacts_where_they_are(
    location: str, study: optuna.Study, file: Path, sqlite_url: str, opened, tmp_path
) -> None:
    ids = fill(study, location, file)
    copy_studies(study._storage._backend, opened(f"sqlite:///{tmp_path}/target.db"), ("one",))
    back_up(sqlite_url, tmp_path / "backup.db")
    restore(tmp_path / "backup.db", f"sqlite:///{tmp_path}/again.db")
    for name in ("target", "again"):
        copied = optuna.load_study(
            study_name="one", storage=opened(f"sqlite:///{tmp_path}/{name}.db")
        )
        assert copied.user_attrs[LOCATION] == location
        linked = linked_artifacts(frozen(copied).system_attrs)
        assert content(copied.user_attrs[LOCATION], linked[0].artifact_id) == file.read_bytes()
    assert held(location) == sorted(ids.values())


def test_nothing_is_left_of_a_copy_whose_artifacts_are_not_all_there(
    location: str, elsewhere: str, study: optuna.Study, file: Path, opened, tmp_path
) -> None:
    ids = fill(study, location, file)
    open_artifacts(location).remove(ids["finished"])
    before = held(location)
    target = opened(f"sqlite:///{tmp_path}/target.db")
    for place in (elsewhere, location):  # the last holds already what it would be copied to
        with pytest.raises(StorageError, match=f"{ids['finished']} .*is not in {location}"):
            copy_studies(study._storage._backend, target, ("one",), place)
        assert target.get_all_studies() == []
    assert held(elsewhere) == []
    assert held(location) == before


def test_a_study_of_artifacts_without_a_place_is_not_copied_with_them(
    location: str, study: optuna.Study, file: Path, opened, tmp_path
) -> None:
    fill(study, location, file)
    study.set_user_attr(LOCATION, None)
    target = opened(f"sqlite:///{tmp_path}/target.db")
    with pytest.raises(StorageError, match="does not say where its artifacts are"):
        copy_studies(study._storage._backend, target, ("one",), str(tmp_path / "elsewhere"))
