"""Take the turn of a study and do nothing more."""

import sys

from storage.database import open_storage
from storage.turn import take_turn

url, name, lease_seconds = sys.argv[1:]
print(take_turn(open_storage(url), name, "holder", float(lease_seconds)), flush=True)
sys.stdin.readline()
