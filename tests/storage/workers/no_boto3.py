"""Open artifacts in a bucket where boto3 cannot be imported, and print the error."""

import sys

sys.modules["boto3"] = None  # as if it were not installed, whatever this environment holds

from storage.artifacts import open_artifacts  # noqa: E402
from storage.errors import StorageError  # noqa: E402

try:
    open_artifacts("s3://bucket/prefix")
except StorageError as error:
    print(error)
