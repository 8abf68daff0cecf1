"""Ask for trials, one a turn, until the study has as many as it may have."""

import sys

import optuna

from storage.database import open_storage
from storage.turn import wait_for_turn

url, name, most, holder = sys.argv[1:]
storage = open_storage(url)
study = optuna.load_study(study_name=name, storage=storage)
print("ready", flush=True)
sys.stdin.readline()
wanting = True
while wanting:
    with wait_for_turn(storage, name, holder):
        wanting = len(study.get_trials(deepcopy=False)) < int(most)
        if wanting:
            print(study.ask().number)
