"""Claim the waiting trials of a study until there is none left, and print their numbers."""

import sys

import optuna

from storage.database import open_storage

url, name, _ = sys.argv[1:]
study = optuna.load_study(study_name=name, storage=open_storage(url))
print("ready", flush=True)
sys.stdin.readline()
while True:
    trial = study.ask()
    if "waited" not in trial.user_attrs:
        break
    print(trial.number)
