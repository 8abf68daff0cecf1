"""The whole main job: data, search, refit, test, report, saved model."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import optuna
import pandas as pd

from objectives.errors import InputError
from reports.writing import write_report
from search.abandoned import remove_abandoned
from search.ending import Ending, end_study
from search.preparation import make_directory
from search.reporting.study_figures import importances, study_figures
from search.result import StudyResult
from search.searching import Progress, deletion_told, open_study, search
from search.selection.confirmation import choose_winner, confirm
from search.selection.confirmed import no_winner, read_confirmation
from search.selection.refitting import alone, refit_winner
from search.study import AnyStudy
from search.tasks import prepare_study, share_data
from search.tracking.following import check_trackers, follow, followers
from search.watching.study_note import StudyNote
from search.workers.devices import plan_compute
from search.workers.processes import workers_ended
from search.workers.samplers import check_sampler
from search.workers.weights import load_kept
from search.workers.worker import heartbeat
from storage.artifacts import open_artifacts
from storage.database import open_storage
from storage.records import record_of_study
from storage.sqlite import put_back


def run_study(
    study: AnyStudy,
    frame: pd.DataFrame | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
    command: str = "run_study",
) -> StudyResult:
    """Create a study or go on with it, until it has its trials, its winner and its report.

    Args:
        study: what is wanted.
        frame: the table, where it is not read from [data] path.
        watch: called about twice a second while the search runs.
        command: what the user has called, for the test ledger.

    Returns:
        The winner, its scores and histories, and the model.

    Raises:
        InputError: the data, the study or its place cannot be used, or no trial was completed.
        storage.errors.StorageError: the database or the place for artifacts cannot be used.
        SearchInterruptedError: on Ctrl-C; run the same study again to go on.
    """
    started = time.perf_counter()
    check_sampler(study.study.sampler)
    check_trackers(study)
    study, preparation = prepare_study(study, frame)
    make_directory(study.directory)
    artifacts = open_artifacts(study.artifacts)
    remove_abandoned(study.directory, study.artifacts)
    storage = open_storage(study.storage_url, heartbeat=heartbeat(study.study.grace_period))
    found = open_study(storage, study, preparation)
    task = share_data(study, preparation)
    note, trackers = StudyNote(storage, found, study, preparation), followers(study)

    def look(progress: Progress) -> None:
        watch(progress)
        note.watch(progress)
        follow(trackers, progress, study.study.name)

    with deletion_told(storage, study.study.name):
        with put_back(storage.engine), workers_ended():
            compute = plan_compute(study.study)

            def carry_out(study: AnyStudy, found: optuna.Study) -> None:
                search(study, found, task, preparation.target_hash, compute, look)

            carry_out(study, found)
            confirm(storage, study, found, carry_out)
            chosen = choose_winner(storage, found)
            if chosen is None:
                raise InputError(no_winner(record_of_study(found)))
            runs = chosen.study.get_trials(deepcopy=False)
            others = [runs[number] for number in chosen.others]
            kept = partial(load_kept, artifacts, runs[chosen.run], others)
            with alone(study.directory):
                refitted = refit_winner(study, found, task, chosen.candidates, compute[0], kept)
                ending = Ending(study, preparation, task, chosen.trial, refitted, started)
                report, exported = end_study(ending, storage, found, command)
        if exported.bundle is not None:
            report = replace(report, paths={**report.paths, "bundle": str(exported.bundle)})
        confirmation = read_confirmation(storage, report.study)
        report = replace(report, importances=importances(found), confirmation=confirmation)
        write_report(report, study.directory, study_figures(found, report.importances))
        note.finish(report)
        for tracker in trackers:
            tracker.finish(report)
    return StudyResult(report, study.directory, exported.problems, exported.warnings)
