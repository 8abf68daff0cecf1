"""A real S3 server for tests, and what a user's environment says of it."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "hidden-key",
    "AWS_EC2_METADATA_DISABLED": "true",  # no question to a cloud's own address
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@contextmanager
def s3_server() -> Iterator[str]:
    """Run an S3 server on a free port of this machine until the block ends; gives its URL."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket() -> str:
    """Make a bucket on the server that the environment names; gives its name."""
    name = f"bucket-{uuid.uuid4()}"
    boto3.Session().client("s3").create_bucket(Bucket=name)
    return name


def keys(bucket: str) -> list[str]:
    """The keys of all that is in a bucket."""
    found = boto3.Session().client("s3").list_objects_v2(Bucket=bucket)
    return [item["Key"] for item in found.get("Contents", [])]


def drop(bucket: str) -> None:
    """Remove a bucket, whatever it holds."""
    resource = boto3.Session().resource("s3").Bucket(bucket)
    resource.objects.delete()
    resource.delete()
