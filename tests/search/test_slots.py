"""Slots: the trials asked for, each with its own seed, however often it is tried."""

import optuna
import pytest
from optuna.trial import TrialState

from search.workers.slots import MOST_RETRIES, seed_of, slots_left, try_again
from storage.retries import replaced, retry_of, slot_of


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))


def ask(study):
    """Begin a trial, and give it as it is in the storage."""
    trial = study.ask()
    trial.set_user_attr("hyperparameters", {"rate": trial.suggest_float("rate", 0.0, 1.0)})
    return study.trials[trial.number]


def lose(study, trial, *, lost=True) -> bool:
    study.tell(trial.number, state=TrialState.FAIL)
    return try_again(study, study.trials[trial.number], lost=lost)


def finish(study, trials=1):
    for _ in range(trials):
        study.tell(ask(study).number, 1.0)


def slots(study) -> list[int]:
    return [slot_of(trial, study.trials) for trial in study.trials]


def test_without_retries_slots_are_numbers(study):
    finish(study, 3)
    assert slots(study) == [0, 1, 2]


def test_a_retry_has_its_originals_slot_and_later_trials_count_on(study):
    finish(study)
    assert lose(study, ask(study))  # slot 1
    finish(study, 2)  # the retry of slot 1, then slot 2
    assert lose(study, ask(study))  # slot 3
    finish(study, 2)
    assert slots(study) == [0, 1, 1, 2, 3, 3, 4]


def test_a_retry_that_is_lost_itself_is_tried_in_the_same_slot(study):
    finish(study)
    assert lose(study, ask(study))
    assert lose(study, ask(study))
    finish(study, 2)
    assert slots(study) == [0, 1, 1, 1, 2]


def test_a_waiting_retry_does_not_shift_the_trials_that_run(study):
    running = [ask(study) for _ in range(3)]  # three workers
    assert lose(study, running[1])
    assert slots(study) == [0, 1, 2, 1]
    assert slot_of(ask(study), study.trials) == 1
    assert slot_of(ask(study), study.trials) == 3


def test_points_that_the_user_enqueued_have_slots_of_their_own(study):
    study.enqueue_trial({"rate": 0.25})
    study.enqueue_trial({"rate": 0.75})
    finish(study, 3)
    assert slots(study) == [0, 1, 2]


def test_a_retry_has_the_parameters_of_the_lost_trial(study):
    trial = ask(study)
    lose(study, trial)
    again = ask(study)
    assert again.params == trial.params
    marks = {"slot": 0, "retry_of": 0, "tries": 2}
    assert again.user_attrs == marks | {"hyperparameters": trial.params}
    assert replaced(study.trials) == {0}


def test_a_queued_point_that_is_lost_while_it_is_drawn_is_tried_again_whole(study):
    point = {"rate": 0.25, "width": 0.5}
    study.enqueue_trial(point)
    trial = study.ask()
    trial.suggest_float("rate", 0.0, 1.0)
    lose(study, trial)
    again = study.ask()
    assert {name: again.suggest_float(name, 0.0, 1.0) for name in point} == point


def test_a_lost_trial_is_tried_again_a_limited_number_of_times(study):
    queued = [lose(study, ask(study)) for _ in range(1 + MOST_RETRIES)]
    assert queued == [True] * MOST_RETRIES + [False]
    assert slots_left(study.trials, 1) == 0  # it is given up


def test_an_interruption_uses_up_no_try(study):
    for _ in range(MOST_RETRIES + 3):
        assert lose(study, ask(study), lost=False)
    assert lose(study, ask(study), lost=True)


def test_a_trial_is_queued_again_once(study):
    trial = ask(study)
    assert lose(study, trial)
    assert not try_again(study, study.trials[trial.number])
    assert not try_again(study, study.trials[trial.number], lost=False)
    assert len(study.trials) == 2


@pytest.mark.parametrize("drawn", [True, False])
def test_what_a_copy_of_the_database_queues_again_is_what_a_worker_would(study, drawn):
    finish(study)
    assert lose(study, ask(study))
    study.enqueue_trial({"rate": 0.25}, user_attrs={"confirms": 1, "run": 2, "seed": 3})
    trials = [ask(study) if drawn else study.trials[study.ask().number] for _ in range(2)]
    for trial in trials:
        known = study.trials
        assert try_again(study, trial, lost=False)
        queued, copied = study.trials[-1], retry_of(trial, known, lost=False)
        assert copied.state == queued.state
        assert (copied.user_attrs, copied.system_attrs) == (queued.user_attrs, queued.system_attrs)


def test_slots_left_counts_what_waits_and_what_is_not_created(study):
    assert slots_left(study.trials, 4) == 4
    study.enqueue_trial({"rate": 0.5})
    assert slots_left(study.trials, 4) == 4  # one waits, three are to be created
    running = ask(study)
    assert slots_left(study.trials, 4) == 3
    study.tell(running.number, 1.0)
    assert slots_left(study.trials, 4) == 3
    finish(study, 3)
    assert slots_left(study.trials, 4) == 0
    assert slots_left(study.trials, 3) == 0  # not negative, if less is asked for later
    assert slots_left(study.trials, 6) == 2


def test_a_queued_retry_is_left_and_its_original_is_not_counted_twice(study):
    finish(study)
    lose(study, ask(study))
    assert slots_left(study.trials, 3) == 2  # the retry and the third
    finish(study, 2)
    assert slots_left(study.trials, 3) == 0


def test_failed_and_pruned_trials_use_up_their_slots(study):
    study.tell(ask(study).number, state=TrialState.FAIL)
    study.tell(ask(study).number, state=TrialState.PRUNED)
    assert slots_left(study.trials, 3) == 1


def test_seeds_differ_by_study_slot_and_purpose_and_are_always_the_same():
    seeds = [
        seed_of(study_seed, slot, purpose)
        for study_seed in (0, 1, 2)
        for slot in range(100)
        for purpose in ("training", "sampling")
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)
    # Fixed for good: a study that was begun with these must go on with them.
    assert seed_of(0, 0, "training") == 2968811710
