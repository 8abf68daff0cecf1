"""Promotes the model of its own number again and again, whatever the others have promoted."""

import sys

from storage.database import open_storage
from storage.errors import StorageError
from storage.models import find_model, production_model, promote_model

storage = open_storage(sys.argv[1])
mine = find_model(storage, "one", int(sys.argv[2]) + 1)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(8):
    while True:
        try:
            promote_model(storage, mine, production_model(storage, "one"))
        except StorageError as error:
            if "meanwhile" not in str(error):
                raise
        else:
            break
    print("promoted")
