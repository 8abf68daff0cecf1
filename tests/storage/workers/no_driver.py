"""Open a MySQL database where its driver cannot be imported, and print the error."""

import sys

from storage.database import open_storage
from storage.errors import StorageError

sys.modules["pymysql"] = None  # as if it were not installed, whatever this environment holds
try:
    open_storage("mysql://me:wr0ng-secret@127.0.0.1/studies")
except StorageError as error:
    print(error)
