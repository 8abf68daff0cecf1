"""`lstm-search audit`: a finished study checked for leakage."""

import json
from dataclasses import asdict

from rich.text import Text

from objectives.errors import InputError
from reports.audit import audit_in_words
from reports.contents import Check
from search.audit.auditing import Subject, audit
from search.classification.audit_subject import ClassSubject
from search.classification.auditing import audit_classifier
from search.classification.preparation import prepare_sequences, settled_study
from search.classification.stored import load_probabilities
from search.commands.opening import existing_url
from search.commands.terminal import open_console
from search.joining import Place, study_to_join
from search.preparation import prepare
from search.reporting.stored_forecasts import load_forecasts
from search.selection.confirmed import read_runs
from search.study import AnyStudy, ClassificationStudy
from storage.database import open_storage
from storage.records import StudyRecord
from storage.studies import read_study


def execute(name: str, place: Place, storage: str | None, *, as_json: bool) -> int:
    """Print every check with its evidence; 1 if one fails. The test set is predicted, not scored."""
    url = existing_url(storage, place.directory)
    study = study_to_join(name, url, place)
    database = open_storage(url)
    record, runs = read_study(database, name, epochs=False), read_runs(database, name)
    checks = _audit(study, record, runs)
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2, ensure_ascii=False))
    else:
        console = open_console(highlight=False, soft_wrap=True)
        for check in checks:
            word = Text("passed", "green") if check.passed else Text("FAILED", "bold red")
            console.print(word, check.check)
            console.print(f"        {check.evidence}", style="dim")
        console.print(audit_in_words(checks), style="bold")
    return 0 if all(check.passed for check in checks) else 1


def _audit(study: AnyStudy, record: StudyRecord, runs: StudyRecord | None) -> tuple[Check, ...]:
    if isinstance(study, ClassificationStudy):
        probabilities = load_probabilities(study.directory)
        if probabilities is None or probabilities.trial >= len(record.trials):
            raise _untested(study)
        sequences = prepare_sequences(study)
        settled = settled_study(study, sequences)
        return audit_classifier(ClassSubject(settled, sequences, record, runs, probabilities))
    forecasts = load_forecasts(study.directory)
    if forecasts is None or forecasts.trial >= len(record.trials):
        raise _untested(study)
    return audit(Subject(prepare(study), record, runs, forecasts, study.directory))


def _untested(study: AnyStudy) -> InputError:
    return InputError(
        f"study {study.study.name!r} has no tested winner in {study.directory}: finish it with "
        "`lstm-search run`, or name the folder of results with --out"
    )
