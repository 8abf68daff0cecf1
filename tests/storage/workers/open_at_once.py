"""Open a database that does not exist yet while others do the same, and use its turn."""

import sys

import optuna

from storage.database import open_storage
from storage.turn import give_back, take_turn

url, name = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
storage = open_storage(url)
optuna.create_study(study_name="shared", storage=storage, load_if_exists=True)
take_turn(storage, "shared", name)
give_back(storage, "shared", name)
print("opened")
