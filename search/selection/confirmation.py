"""Confirmation: the best trials of a search trained again with fresh seeds, and the mean decides.

The best of many noisy scores is biased (Cawley & Talbot 2010), and the seed alone moves an LSTM's score
(Reimers & Gurevych 2017). The runs are trials of a second Optuna study, "NAME/confirmation", in which
every point is queued and none is sampled: the same workers carry them out, with signs of life, retries
and checkpoints, and no sampler, pruner or budget of the search ever sees them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import optuna

from search.preparation import make_directory
from search.sections import ConfirmSettings
from search.selection.candidates import choose_candidates
from search.selection.confirmed import CONFIRMS, RUN, SEED, SETTINGS, ended_runs, read_confirmation
from search.study import AnyStudy
from search.workers.budget import share_settings
from search.workers.interruption import interruptions_noted
from search.workers.orphans import experimental
from search.workers.worker_name import WorkerName
from storage.artifacts import LOCATION
from storage.database import Database
from storage.records import StudyRecord, TrialRecord, record_of_study
from storage.studies import confirmation_name, find_study
from storage.turn import wait_for_turn


@dataclass(frozen=True)
class Chosen:
    """A winner, and those that were confirmed with it.

    `candidates` are what a refit replays, under the numbers of the search's trials, the winner first.
    `study` and `run` say where its weights are linked: a trial of that study; `others` are its runs
    with other seeds.
    """

    candidates: tuple[TrialRecord, ...]
    study: optuna.Study
    run: int
    others: tuple[int, ...] = ()

    @property
    def trial(self) -> TrialRecord:
        """The winner."""
        return self.candidates[0]


def confirm(
    storage: Database,
    study: AnyStudy,
    found: optuna.Study,
    carry_out: Callable[[AnyStudy, optuna.Study], None],
) -> None:
    """Train the best trials again until each has its runs; what is stored already is not repeated.

    Whoever calls this when a search has ended comes to the same runs, so that `run` and `worker` share
    them.

    Args:
        storage: the database of both studies.
        study: the search's settings.
        found: the search's study.
        carry_out: runs the trials of a study by its settings until it has all.
    """
    settings = confirm_settings(found)
    record = record_of_study(found)
    candidates = choose_candidates(record.trials, study.space.distributions(), settings.candidates)
    if settings.off or len(candidates) < 2:
        return
    name = confirmation_name(study.study.name)
    with experimental():
        optuna.create_study(
            study_name=name, storage=storage, direction="minimize", load_if_exists=True
        )
    runs = find_study(storage, name)
    with wait_for_turn(storage, study.study.name, WorkerName.mine().text), interruptions_noted():
        _queue(runs, record, candidates, settings.seeds)
        confirming = _confirming(study, len(_first_tries(runs)))
        share_settings(runs, confirming)
        # Not where whoever comes here keeps its own: a worker's folder may be gone tomorrow.
        runs.set_user_attr(LOCATION, found.user_attrs.get(LOCATION, study.artifacts))
        if found.metric_names is not None:
            with experimental():
                runs.set_metric_names(found.metric_names)
    if any(not trial.state.is_finished() for trial in runs.get_trials(deepcopy=False)):
        make_directory(confirming.directory)
        carry_out(confirming, runs)


def confirm_settings(found: optuna.Study) -> ConfirmSettings:
    """The settings that the latest `run` stored."""
    return ConfirmSettings(**found.user_attrs.get(SETTINGS, {}))


def _confirming(study: AnyStudy, runs: int) -> AnyStudy:
    """The search's settings with so many trials, each to its end, and as many seconds again."""
    changes = {
        "name": confirmation_name(study.study.name),
        "sampler": "random",
        "pruner": "none",
        "trials": runs,
        "until": None,
        "no_improvement": None,
        "enqueue": (),
    }
    return study.model_copy(update={"study": study.study.model_copy(update=changes)})


def _queue(
    runs: optuna.Study, record: StudyRecord, candidates: Sequence[TrialRecord], seeds: int
) -> None:
    """Queue the runs that are missing, those of earlier candidates too: their evidence counts on."""
    known = {(t.user_attrs[CONFIRMS], t.user_attrs[RUN]) for t in _first_tries(runs)}
    earlier = {number for number, _ in known}
    wanted = [*candidates, *(t for t in record.trials if t.number in earlier)]
    for run in range(seeds):
        for trial in wanted:
            if (trial.number, run) not in known:
                known.add((trial.number, run))
                seed = fresh_seed(trial.attributes["seed"], run)
                marks = {CONFIRMS: trial.number, RUN: run, SEED: seed}
                runs.enqueue_trial(dict(trial.params), user_attrs=marks)


def _first_tries(runs: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    trials = runs.get_trials(deepcopy=False)
    return [trial for trial in trials if "retry_of" not in trial.user_attrs]


def fresh_seed(seed: int, run: int) -> int:
    """The seed of a confirmation run, from that of the trial in the search and the number of the run."""
    return int(np.random.SeedSequence([seed, 1 + run]).generate_state(1)[0])


def choose_winner(storage: Database, found: optuna.Study) -> Chosen | None:
    """The confirmed candidates by their median runs, or the search's best where nothing was confirmed.

    None where no trial is complete.
    """
    record = record_of_study(found)
    confirmation = read_confirmation(storage, record)
    if confirmation is None or not confirmation.ranked:
        return None if record.best is None else Chosen((record.best,), found, record.best.number)
    runs = find_study(storage, confirmation_name(record.name))
    ended = ended_runs(record_of_study(runs))
    seeds = range(confirmation.candidates[0].seeds)
    by_candidate = {number: [ended[number, run] for run in seeds] for number in confirmation.ranked}
    medians = {number: _median(each) for number, each in by_candidate.items()}
    candidates = tuple(replace(median, number=number) for number, median in medians.items())
    winner = confirmation.ranked[0]
    others = (each.number for each in by_candidate[winner] if each is not medians[winner])
    return Chosen(candidates, runs, medians[winner].number, tuple(others))


def _median(runs: Sequence[TrialRecord]) -> TrialRecord:
    """The run in the middle of all by score; of an even number the better one of the two."""
    return sorted(runs, key=lambda trial: trial.value or 0.0)[(len(runs) - 1) // 2]
