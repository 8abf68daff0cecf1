"""The cache of trials: what it tells is what is in the database, however trials come and go."""

import random
from collections.abc import Callable, Sequence

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import event

from storage.database import Database
from storage.studies import find_study


def told(study: optuna.Study) -> list[tuple[object, ...]]:
    return [
        (
            t.number,
            t.state,
            t.value,
            dict(t.params),
            dict(t.user_attrs),
            dict(t.intermediate_values),
        )
        for t in study.get_trials(deepcopy=False)
    ]


def carry_out(what: str, study: optuna.Study, running: list[int], value: float) -> None:
    """One step of a worker's."""
    if what == "enqueue":
        study.enqueue_trial({"x": value}, user_attrs={"why": "asked"})
    elif what == "ask":
        trial = study.ask()
        trial.suggest_float("x", 0.0, 1.0)
        running.append(trial.number)
    elif running:
        number = running.pop(0)
        if what == "report":
            running.append(number)
            trial_id = study.get_trials(deepcopy=False)[number]._trial_id
            study._storage.set_trial_intermediate_value(trial_id, len(running), value)
            study._storage.set_trial_user_attr(trial_id, "epochs", len(running))
        else:
            study.tell(number, value)


@pytest.mark.parametrize("seed", range(3))
def test_two_workers_see_what_is_stored(storage: Database, seed: int) -> None:
    optuna.create_study(study_name="shared", storage=storage)
    workers = [find_study(storage, "shared"), find_study(storage, "shared")]
    generator, running = random.Random(seed), []
    for _ in range(40):
        what = generator.choice(["enqueue", "ask", "ask", "report", "report", "tell"])
        carry_out(what, generator.choice(workers), running, generator.random())
        stored = told(optuna.load_study(study_name="shared", storage=storage))
        looking = generator.choice(workers)  # the other one has more to catch up with
        assert told(looking) == stored
    assert [told(worker) for worker in workers] == [stored, stored]


def test_trials_that_wait_are_read_once(sqlite_url: str, opened: Callable[..., Database]) -> None:
    storage = opened(sqlite_url)
    study = optuna.create_study(study_name="queued", storage=storage)
    for number in range(30):
        study.enqueue_trial({"x": number / 30})
    known = find_study(storage, "queued")
    assert len(known.get_trials(deepcopy=False)) == 30
    read: list[int] = []

    def note(_connection: object, _cursor: object, statement: str, ids: Sequence[int], *_: object):
        if "FROM trial_system_attributes" in statement:
            read.extend(ids)

    event.listen(storage.engine, "before_cursor_execute", note)
    assert len(known.get_trials(deepcopy=False)) == 30
    assert read == []
    claimed = known.ask()
    assert claimed.number == 0
    states = [trial.state for trial in known.get_trials(deepcopy=False)]
    assert states == [TrialState.RUNNING, *[TrialState.WAITING] * 29]
    claimed.suggest_float("x", 0.0, 1.0)
    known.tell(claimed, 0.5)
    assert known.ask().number == 1
    assert set(read) <= {claimed._trial_id, claimed._trial_id + 1}
