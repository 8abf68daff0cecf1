"""SIGHUP to a server with several workers, whom nothing else tells that the bundle has changed."""

import signal
import sys
from pathlib import Path

import psutil

from tests.bundles import write_bundle
from tests.search.serving.conftest import Running, serving
from tests.search.serving.test_running import (
    BODY,
    PREDICT,
    asking,
    server_has_answered,
    version_of,
)

WORKERS = 3
NEVER_LOOKING = f"""
import sys
from pathlib import Path
from search.serving.server import serve
from search.serving.settings import Serving

bundle = Path(sys.argv[2])
serve(Serving(bundle, port=0, workers={WORKERS}, access_log=False, look_seconds=1e6))
"""


def test_a_hang_up_reaches_every_worker_and_no_request_is_lost(tmp_path: Path) -> None:
    with serving([sys.executable, "-c", NEVER_LOOKING]) as start:
        server = start(write_bundle(tmp_path / "bundle"))
        server.wait_for("ready", WORKERS)
        workers = pids_of(server, "ready")
        with asking(server, clients=2 * WORKERS) as answers:
            server_has_answered(answers, 50)
            write_bundle(tmp_path / "bundle", version=2)
            server_has_answered(answers, 50)
            before = len(answers)
            server.signal(signal.SIGHUP)
            server.wait_for("switched", WORKERS, version=2)
            server_has_answered(answers, 50)
        assert {status for status, _ in answers} == {200}
        assert {version_of(answer) for _, answer in answers[:before]} == {1}
        assert pids_of(server, "switched") == pids_of(server, "ready") == workers
        assert {pid: version_answered_by(pid, workers, server) for pid in workers} == dict.fromkeys(
            workers, 2
        )


def pids_of(server: Running, event: str) -> set[int]:
    return {line["pid"] for line in server.lines if line["event"] == event}


def version_answered_by(worker: int, workers: set[int], server: Running) -> int:
    """Ask while all others stand still, so that this one must answer."""
    others = [psutil.Process(pid) for pid in workers - {worker}]
    for other in others:
        other.suspend()
    try:
        status, answer = server.ask(PREDICT, BODY)
    finally:
        for other in others:
            other.resume()
    assert status == 200
    return version_of(answer)
