"""Artifacts in an S3 bucket; the only module that needs boto3."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from optuna.artifacts import Boto3ArtifactStore
from optuna.artifacts._protocol import ArtifactStore

from storage.address import HIDDEN
from storage.errors import StorageError, reason

CONNECT_TIMEOUT = 8  # seconds until a server that does not answer counts as unreachable

_ACCOUNT = re.compile(r"//\S*@")  # a password may hold a slash


class _Bucket(Boto3ArtifactStore):
    """Optuna's store in a bucket, but for a prefix, which that lacks, and errors of one line.

    The client repeats what fails in passing. Optuna's own means for that, `Backoff`, waits for a minute
    where the bucket is a wrong one, and removes ten times what has to be removed once.
    """

    def __init__(self, bucket: str, prefix: str, client: Any) -> None:
        super().__init__(bucket, client)
        self._prefix = f"{prefix}/" if prefix else ""
        self._place = f"s3://{bucket}/{prefix}"

    def open_reader(self, artifact_id: str) -> BinaryIO:
        with (
            _s3_errors(f"cannot read the artifacts in {self._place}"),
            super().open_reader(self._prefix + artifact_id) as body,
        ):
            return io.BytesIO(body.read())  # whole, so that whoever reads it meets no more errors

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        with _s3_errors(f"cannot write artifacts to {self._place}"):
            super().write(self._prefix + artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        with _s3_errors(f"cannot remove artifacts from {self._place}"):
            super().remove(self._prefix + artifact_id)


def open_bucket(name: str, prefix: str) -> ArtifactStore:
    """Open a bucket of the server that AWS_ENDPOINT_URL names, else of Amazon's.

    Credentials come from where boto3 looks for them. Nothing is asked of the server yet.

    Args:
        name: The bucket's.
        prefix: The beginning of the keys of all artifacts, without a slash at its end; it may be empty.

    Raises:
        StorageError: boto3's settings cannot be used.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        retries={"mode": "standard"},
        # Few servers but Amazon's have a host name for each bucket.
        s3={"addressing_style": "path"} if endpoint else None,
    )
    try:
        with _s3_errors(f"cannot open s3://{name}/{prefix}"):
            return _Bucket(name, prefix, boto3.Session().client("s3", config=config))
    except ValueError as error:  # an endpoint that is no URL
        raise StorageError(f"cannot open s3://{name}/{prefix}: {_without_account(error)}") from None


@contextmanager
def _s3_errors(task: str) -> Iterator[None]:
    try:
        yield
    except (OSError, Boto3Error, BotoCoreError, ClientError) as error:
        raise StorageError(f"{task}: {_without_account(error)}") from None


def _without_account(error: Exception) -> str:
    """What an error says, less an account and a password that stand in the server's URL."""
    return _ACCOUNT.sub(f"//{HIDDEN}@", reason(error))
