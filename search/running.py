"""The whole main job: data, search, refit, test, report, saved model."""

import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from functools import partial

import optuna
import pandas as pd
from joblib.externals.loky import get_reusable_executor

from objectives.errors import InputError
from objectives.messages import Compute
from reports.writing import write_report
from search.auditing import Subject, audit
from search.bundle_draft import draft_metadata, write_draft
from search.confirmation import choose_winner, confirm
from search.confirmed import no_winner, read_confirmation, read_runs
from search.devices import plan_compute
from search.exporting import export_if_changed
from search.finishing import judge_winner, make_report, write_metadata
from search.preparation import make_directory, prepare, share_rows
from search.refitting import alone, in_worker, refit_winner
from search.result import StudyResult
from search.samplers import check_sampler
from search.searching import Progress, open_study, search
from search.study import Study
from search.study_figures import importances, study_figures
from search.study_note import StudyNote
from search.tracking.following import check_trackers, follow, followers
from search.weights import load_weights
from search.worker import heartbeat
from storage.artifacts import open_artifacts
from storage.database import open_storage
from storage.records import record_of_study


def run_study(
    study: Study,
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
    preparation = prepare(study, frame)
    make_directory(study.directory)
    artifacts = open_artifacts(study.artifacts)
    storage = open_storage(study.storage_url, heartbeat=heartbeat(study.study.grace_period))
    found = open_study(storage, study, preparation)
    task = share_rows(preparation, study)
    note, trackers = StudyNote(storage, found, study, preparation), followers(study)

    def look(progress: Progress) -> None:
        watch(progress)
        note.watch(progress)
        follow(trackers, progress, study.study.name)

    try:
        compute = plan_compute(study.study)

        def carry_out(study: Study, found: optuna.Study) -> None:
            search(study, found, task, preparation.target_hash, compute, look)

        carry_out(study, found)
        confirm(storage, study, found, carry_out)
        chosen = choose_winner(storage, found)
        if chosen is None:
            raise InputError(no_winner(record_of_study(found)))
        run = chosen.study.get_trials(deepcopy=False)[chosen.run]
        kept = partial(load_weights, artifacts, run)
        with alone(study.directory):
            refitted = refit_winner(study, task, chosen.trial, compute[0], kept)
            stored = judge_winner(study, preparation, task, found, refitted, command)
            draft = draft_metadata(study, preparation, chosen.trial, refitted, stored)
            write_draft(study.directory, draft)
            exported = export_if_changed(
                storage,
                study.directory,
                study.output.formats,
                lambda request: in_worker(request, Compute()),
            )
        record = record_of_study(found)  # with what the ledger says now
        runs = read_runs(storage, record.name)
        checks = audit(Subject(preparation, record, runs, stored, study.directory))
    finally:
        with suppress(BrokenProcessPool):
            get_reusable_executor(timeout=None, reuse=True).shutdown(wait=True)
    write_metadata(study, preparation, chosen.trial, stored)
    report = make_report(study, preparation, record, refitted, stored, started)
    if exported.bundle is not None:
        report = replace(report, paths={**report.paths, "bundle": str(exported.bundle)})
    confirmation = read_confirmation(storage, record)
    report = replace(
        report, importances=importances(found), confirmation=confirmation, audit=checks
    )
    write_report(report, study.directory, study_figures(found, report.importances))
    note.finish(report)
    for tracker in trackers:
        tracker.finish(report)
    return StudyResult(report, study.directory, exported.problems, exported.warnings)
