"""Listening, one process or several, and the signals that stop them."""

import functools
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from objectives.errors import InputError
from search.serving.application import create_application
from search.serving.log import take_over_logging, write_line
from search.serving.metrics import make_table
from search.serving.served import load_served
from search.serving.settings import Serving

_WAITING = 2048  # connections that nobody has taken yet
_WORKER_SECONDS = 30  # for which a worker may not answer its parent


def serve(settings: Serving) -> None:
    """Serve a bundle until SIGTERM or Ctrl-C, and finish the requests under way.

    Raises:
        reports.bundle.BundleError: the bundle cannot be used.
        objectives.errors.InputError: nothing can listen at the address.
        KeyboardInterrupt: Ctrl-C was pressed; everything has been finished.
    """
    take_over_logging()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn repeats it when all is finished
    served = load_served(settings.bundle)  # what cannot be served is told before anything listens
    with _listening(settings) as listener:
        host, port = listener.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        write_line("listening", url=url, workers=settings.workers, pid=os.getpid())
        if settings.workers == 1:
            application = functools.partial(create_application, settings, served)
            uvicorn.Server(_configured(application, settings)).run([listener])
        else:
            del served
            _serve_with_workers(settings, listener)


def _serve_with_workers(settings: Serving, listener: socket.socket) -> None:
    with tempfile.TemporaryDirectory(prefix="lstm-search-serve-") as folder:
        shared = replace(settings, metrics=Path(folder) / "metrics")
        make_table(Path(folder) / "metrics")
        application = functools.partial(create_application, shared)
        supervisor = _Supervisor(_configured(application, shared), [listener])
        supervisor.run()
        if supervisor.interrupted:
            raise KeyboardInterrupt


class _Supervisor(Multiprocess):
    """Uvicorn's parent of workers, which it starts again where they die; SIGHUP goes to all of them."""

    interrupted = False

    def handle_hup(self) -> None:
        for process in self.processes:
            if process.pid is not None and process.process.is_alive():
                os.kill(process.pid, signal.SIGHUP)

    def handle_int(self) -> None:
        self.interrupted = True
        super().handle_int()


def _configured(application: Callable[[], object], settings: Serving) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        factory=True,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=settings.grace_seconds,
        timeout_worker_healthcheck=_WORKER_SECONDS,
    )


def _listening(settings: Serving) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        address = (settings.host, settings.port)
        found = socket.create_server(address, family=family, backlog=_WAITING)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen at {settings.host}, port {settings.port}: {reason}; choose others with "
            "--host and --port"
        ) from None
    found.set_inheritable(True)
    return found
