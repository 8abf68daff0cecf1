"""`lstm-search worker`: join a study that was begun elsewhere."""

import signal

from search.commands.opening import existing_url, url_or_default
from search.joining import Place, join_study, study_to_join
from search.watching.progress import show_progress


def execute(name: str, storage: str | None, place: Place, *, quiet: bool) -> int:
    """Run trials of a study until it needs no more.

    Args:
        name: the study's.
        storage: URL of its database; None for that of the environment, or the file under the folder.
        place: this machine's data, folder and means.
        quiet: print nothing.
    """
    url = (url_or_default if place.wait else existing_url)(storage, place.directory)
    study = study_to_join(name, url, place)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing is left running
    epochs = study.training.epochs * (study.split.folds or 1)
    with show_progress(epochs, quiet=quiet) as watch:
        join_study(study, watch)
    return 0
