"""Artifacts: files of trials in a folder or an S3 bucket, linked to their trials in the database."""

import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import optuna
from optuna.artifacts import ArtifactMeta, FileSystemArtifactStore, upload_artifact
from optuna.artifacts._protocol import ArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from storage.address import HIDDEN
from storage.errors import StorageError

LOCATION = "artifacts"  # the study's user attribute that says where its artifacts are

_S3 = re.compile(r"s3://(?P<bucket>[A-Za-z0-9._-]+)(?:/(?P<prefix>[^@]*))?")
_LINK = "artifacts:"  # begins the system attributes that Optuna and its dashboard keep as links


class _Folder(FileSystemArtifactStore):
    """Optuna's store in a folder, but for files that are whole or not there, and errors of one line."""

    def open_reader(self, artifact_id: str) -> BinaryIO:
        with _file_errors(f"cannot read the artifacts in {self._base_path}"):
            return super().open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        path = self._get_filepath(artifact_id)
        unfinished = path.with_name(f"unfinished_{path.name}")
        with _file_errors(f"cannot write artifacts to {self._base_path}"):
            try:
                with unfinished.open("wb") as file:
                    shutil.copyfileobj(content_body, file)
                    file.flush()
                    os.fsync(file.fileno())  # else a power cut may keep the name and lose the rest
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)

    def remove(self, artifact_id: str) -> None:
        with _file_errors(f"cannot remove artifacts from {self._base_path}"):
            super().remove(artifact_id)


def open_artifacts(location: str, *, check: bool = True) -> ArtifactStore:
    """Open the store of artifacts at a location, which several studies and databases may share.

    Whatever goes wrong when the store is used raises StorageError, or Optuna's ArtifactNotFound where
    there is no such artifact. What is written is whole or not there at all.

    Args:
        location: A folder, or "s3://bucket/prefix". The server is Amazon's unless AWS_ENDPOINT_URL
            names another; credentials come from where boto3 looks for them, never from the location.
        check: Whether a folder is made where it is missing, and something is written and removed.

    Raises:
        StorageError: The location is neither, boto3 is not installed, or `check` finds that nothing
            can be written there.
    """
    folder = artifact_folder(location)
    store = _open_bucket(location) if folder is None else _Folder(folder)
    if check:
        try:
            if folder is not None:
                with _file_errors(f"cannot make the folder {folder} for artifacts"):
                    folder.mkdir(parents=True, exist_ok=True)
            probe = f"probe_{uuid.uuid4()}"
            store.write(probe, io.BytesIO())
            store.remove(probe)
        except StorageError as error:
            advice = "check the bucket, the credentials and AWS_ENDPOINT_URL"
            if folder is not None:
                advice = "name another place for artifacts"
            raise StorageError(f"{error}; {advice}") from None
    return store


def artifact_folder(location: str) -> Path | None:
    """The folder at a location of artifacts, None where it is a bucket.

    Raises:
        StorageError: The location is neither a folder nor a bucket.
    """
    if _S3.fullmatch(location):
        return None
    if not location or "://" in location:
        # Around an "@" there may be a password.
        shown = f"{location.partition('://')[0]}://{HIDDEN}" if "@" in location else location
        raise StorageError(
            "artifacts are kept in a folder or in s3://bucket/prefix, named without credentials. "
            f"Received: {shown!r}"
        )
    return Path(location)


def absolute_location(location: str) -> str:
    """The location in a form that means the same wherever a command runs.

    Raises:
        StorageError: The location is neither a folder nor a bucket.
    """
    folder = artifact_folder(location)
    return location if folder is None else str(folder.resolve())


def attach_file(store: ArtifactStore, trial: optuna.Trial, file: Path) -> str:
    """Write a file into the store, then link it to a running trial.

    Returns:
        The artifact's id; Optuna's dashboard shows the artifact under the file's name.

    Raises:
        StorageError: The store cannot be written to; there is neither a file nor a link then.
    """
    links: list[tuple[int, str, str]] = []
    # Optuna links a file before it writes it, and no link can be taken back from the database.
    later = SimpleNamespace(set_trial_system_attr=lambda *link: links.append(link))
    artifact_id = upload_artifact(
        artifact_store=store,
        file_path=str(file),
        study_or_trial=trial,
        storage=cast(BaseStorage, later),
    )
    try:
        for link in links:
            trial.storage.set_trial_system_attr(*link)
    except BaseException:
        with suppress(StorageError):
            store.remove(artifact_id)
        raise
    return artifact_id


def linked_artifacts(attributes: Mapping[str, Any]) -> tuple[ArtifactMeta, ...]:
    """The artifacts that the system attributes of a study or a trial link.

    Optuna's own `get_all_artifact_meta` fails where one of them has been deleted in its dashboard.
    """
    links = (json.loads(value) for key, value in attributes.items() if key.startswith(_LINK))
    return tuple(
        ArtifactMeta(link["artifact_id"], link["filename"], link["mimetype"], link["encoding"])
        for link in links
        if link is not None
    )


def artifacts_of(study: optuna.Study, trials: Sequence[FrozenTrial]) -> tuple[ArtifactMeta, ...]:
    """The artifacts of a study itself and of some of its trials."""
    own = study._storage.get_study_system_attrs(study._study_id)
    return tuple(
        artifact
        for attributes in (own, *(trial.system_attrs for trial in trials))
        for artifact in linked_artifacts(attributes)
    )


def remove_artifacts(store: ArtifactStore, artifacts: Sequence[ArtifactMeta]) -> None:
    """Remove artifacts from a store, passing over those that are not there.

    Raises:
        StorageError: The store cannot be reached or changed.
    """
    for artifact in artifacts:
        with suppress(ArtifactNotFound):
            store.remove(artifact.artifact_id)


@contextmanager
def copied_artifacts(artifacts: Sequence[ArtifactMeta], source: str, target: str) -> Iterator[None]:
    """Copy artifacts under their ids from one location to another; they stay if the block succeeds.

    What `target` holds already is left as it is.

    Raises:
        StorageError: An artifact is not in `source`, or one of the two cannot be used.
    """
    from_store, to_store = open_artifacts(source, check=False), open_artifacts(target)
    copied: list[ArtifactMeta] = []
    try:
        for artifact in artifacts:
            if not _holds(to_store, artifact):
                _copy(artifact, from_store, to_store, source)
                copied.append(artifact)
        yield
    except BaseException:
        with suppress(StorageError):
            remove_artifacts(to_store, copied)
        raise


def _copy(
    artifact: ArtifactMeta, source: ArtifactStore, target: ArtifactStore, location: str
) -> None:
    try:
        with source.open_reader(artifact.artifact_id) as body:
            target.write(artifact.artifact_id, body)
    except ArtifactNotFound:
        raise StorageError(
            f"artifact {artifact.artifact_id} ({artifact.filename}) is not in {location}; copy on the "
            "machine that has it, or leave the artifacts where they are"
        ) from None


def _holds(store: ArtifactStore, artifact: ArtifactMeta) -> bool:
    try:
        store.open_reader(artifact.artifact_id).close()
    except ArtifactNotFound:
        return False
    return True


def _open_bucket(location: str) -> ArtifactStore:
    try:
        from storage.bucket import open_bucket  # noqa: PLC0415  (needs an extra)
    except ImportError:
        raise StorageError(
            f"boto3 for {location} is not installed: pip install 'lstm-search[s3]'"
        ) from None
    found = _S3.fullmatch(location)
    name, prefix = found.groups("") if found else ("", "")
    return open_bucket(name, prefix.strip("/"))


@contextmanager
def _file_errors(task: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{task}: {error.strerror or error}") from None
