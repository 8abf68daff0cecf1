"""`lstm-search best`: the best trial so far."""

import json
from pathlib import Path

from objectives.errors import InputError
from reports.numbers import confirmation_numbers
from reports.optimism import decision_in_words
from search.commands.opening import open_existing
from search.commands.terminal import make_table, open_console
from search.selection.confirmed import crowned, no_winner, read_confirmation
from storage.studies import read_study


def execute(name: str, storage: str | None, out: Path | None, *, as_json: bool) -> int:
    """Print the confirmed winner, or the best trial so far: its value and hyperparameters."""
    database = open_existing(storage, out)
    record = read_study(database, name, epochs=False)
    confirmation = read_confirmation(database, record)
    best = crowned(record, confirmation)
    if best is None:
        raise InputError(no_winner(record))
    hyperparameters = best.attributes.get("hyperparameters", dict(best.params))
    if as_json:
        found = {
            "study": name,
            "trial": best.number,
            "value": best.value,
            "params": hyperparameters,
            "best_epoch": best.attributes.get("best_epoch"),
            "seed": best.attributes.get("seed"),
            "confirmation": None if confirmation is None else confirmation_numbers(confirmation),
        }
        print(json.dumps(found, indent=2))
        return 0
    table = make_table("hyperparameter", "value")
    for key, value in hyperparameters.items():
        table.add_row(key, f"{value:.6g}" if isinstance(value, float) else str(value))
    console = open_console()
    console.print(f"trial {best.number} of study {name}: {best.value:.6g} on validation")
    console.print(table)
    if confirmation is not None:
        console.print(decision_in_words(confirmation), highlight=False)
    return 0
