"""`lstm-search dashboard`: optuna-dashboard on a database of studies, for this machine alone."""

import webbrowser
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna_dashboard import wsgi

from search.commands.opening import existing_url, results_folder
from storage.artifacts import LOCATION, open_artifacts
from storage.database import open_storage, redacted
from storage.studies import find_study

_HOST = "127.0.0.1"  # it asks nobody for a password and lets everybody delete studies


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing of each request."""


def execute(
    name: str | None, storage: str | None, out: Path | None, port: int, *, browse: bool
) -> int:
    """Serve the dashboard until Ctrl-C.

    Args:
        name: the study to open first; None for the list of all.
        storage: URL of the database; None for that of the environment, or the file under `out`.
        out: the folder of results.
        port: where to listen; 0 for any that is free.
        browse: open the browser where there is one.
    """
    url = existing_url(storage, out)
    database = open_storage(url)
    place, location = "/dashboard", str(results_folder(out) / "artifacts")
    if name is not None:
        study = find_study(database, name)
        place = f"/dashboard/studies/{study._study_id}"
        location = study.user_attrs.get(LOCATION, location)
    # The application keeps what it has read, which the command of optuna-dashboard does not.
    application = wsgi(database, artifact_store=open_artifacts(location, check=False))
    with make_server(_HOST, port, application, _Server, _Quiet) as server:
        address = f"http://{_HOST}:{server.server_port}{place}"
        print(f"{address}  shows {redacted(url)}; Ctrl-C ends it", flush=True)
        if browse:
            webbrowser.open(address)
        server.serve_forever()
    return 0
