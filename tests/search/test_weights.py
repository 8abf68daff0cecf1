"""Weights of trials as artifacts: what was saved comes back, and nothing else is read."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.artifacts import upload_artifact

from search.workers.weights import load_weights, save_weights
from storage.artifacts import artifact_folder, linked_artifacts, open_artifacts
from storage.database import open_storage
from storage.errors import StorageError


def some_weights(count: int) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(count)
    shapes = [(3, 4), (7,), (2, 3, 4)]
    return tuple(
        generator.normal(size=shapes[index % 3]).astype(np.float32) for index in range(count)
    )


@pytest.fixture(params=["folder", "s3"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "artifacts")
    found: str = request.getfixturevalue("s3")
    return found


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return optuna.create_study(storage=open_storage(f"sqlite:///{tmp_path}/studies.db"))


def told(study: optuna.Study, trial: optuna.Trial) -> optuna.trial.FrozenTrial:
    return study.tell(trial, 0.5)


@pytest.mark.parametrize("count", [1, 3, 23])
def test_weights_come_back_in_their_order(location: str, study: optuna.Study, count: int) -> None:
    # with more than ten, "arr_10" comes before "arr_2" in the alphabet
    weights, store, trial = some_weights(count), open_artifacts(location), study.ask()
    save_weights(store, trial, weights)
    loaded = load_weights(store, told(study, trial))
    assert loaded is not None
    assert len(loaded) == count
    for ours, theirs in zip(loaded, weights, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, theirs)


def test_each_trial_has_its_own_and_some_have_none(
    location: str, study: optuna.Study, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_artifacts(location)
    trials = [study.ask() for _ in range(3)]
    for trial, count in zip(trials, (2, 3), strict=False):
        save_weights(store, trial, some_weights(count))
    loaded = [load_weights(store, told(study, trial)) for trial in trials]
    assert [None if weights is None else len(weights) for weights in loaded] == [2, 3, None]
    assert not caplog.records


def test_other_artifacts_of_a_trial_are_not_its_weights(
    location: str, study: optuna.Study, tmp_path: Path
) -> None:
    store, trial = open_artifacts(location), study.ask()
    (tmp_path / "plot.png").write_bytes(b"a plot")
    upload_artifact(
        artifact_store=store, file_path=str(tmp_path / "plot.png"), study_or_trial=trial
    )
    save_weights(store, trial, some_weights(2))
    assert len(load_weights(store, told(study, trial)) or ()) == 2


def test_weights_that_are_elsewhere_are_done_without(
    location: str, study: optuna.Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trial = study.ask()
    save_weights(open_artifacts(location), trial, some_weights(2))
    done = told(study, trial)
    for place in (str(tmp_path / "elsewhere"), location + "/deeper"):
        assert load_weights(open_artifacts(place, check=False), done) is None
    assert caplog.messages == 2 * [
        "the weights of trial 0 cannot be used: they are on another machine, or removed"
    ]


def test_weights_in_a_bucket_that_is_not_reached_are_done_without(
    s3: str, study: optuna.Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trial = study.ask()
    save_weights(open_artifacts(s3), trial, some_weights(2))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert load_weights(open_artifacts(s3, check=False), told(study, trial)) is None
    assert "Could not connect" in caplog.text


def test_what_cannot_be_written_is_told_as_one_error(
    study: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, trial = open_artifacts(str(tmp_path / "artifacts")), study.ask()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no" / "such" / "folder"))
    with pytest.raises(StorageError, match="cannot write the weights of trial 0: No such file"):
        save_weights(store, trial, some_weights(2))
    assert linked_artifacts(told(study, trial).system_attrs) == ()


class _Trap:
    """What a pickle can do when it is read: make a file, here."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._path,)  # type: ignore[return-value]


def trapped(path: Path, trap: Path) -> None:
    np.savez(path, np.array([_Trap(trap)], dtype=object))


def truncated(path: Path, trap: Path) -> None:
    del trap
    np.savez(path, *some_weights(3))
    path.write_bytes(path.read_bytes()[:-100])


def altered(path: Path, trap: Path) -> None:
    del trap
    np.savez(path, *some_weights(3))
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


def emptied(path: Path, trap: Path) -> None:
    del trap
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [trapped, truncated, altered, emptied])
def test_files_that_are_not_plain_whole_weights_are_refused(
    study: optuna.Study, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil
) -> None:
    location = str(tmp_path / "artifacts")
    store, trial = open_artifacts(location), study.ask()
    save_weights(store, trial, some_weights(3))
    (kept,) = (artifact_folder(location) or tmp_path).iterdir()
    spoil(tmp_path / "spoilt.npz", tmp_path / "sprung")
    kept.write_bytes((tmp_path / "spoilt.npz").read_bytes())
    assert load_weights(store, told(study, trial)) is None
    assert not (tmp_path / "sprung").exists()
    assert "the file is damaged" in caplog.text


def test_an_unsaved_kind_of_array_is_no_weights(study: optuna.Study, tmp_path: Path) -> None:
    store, trial = open_artifacts(str(tmp_path / "artifacts")), study.ask()
    with pytest.raises(ValueError, match=r"pickle|[oO]bject"):
        save_weights(store, trial, (*some_weights(2), np.array([{}], dtype=object)))
    assert list((tmp_path / "artifacts").iterdir()) == []
    assert load_weights(store, told(study, trial)) is None
