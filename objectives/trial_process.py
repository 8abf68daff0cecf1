"""A fresh process for each trial, forked from a server that has TensorFlow imported already.

The caller stays free of TensorFlow. Memory goes back to the system when the process ends, and a process
that dies takes nothing with it.
"""

import multiprocessing
import multiprocessing.connection
import resource
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, overload

from objectives.messages import (
    DivergedError,
    Epoch,
    RefitOutcome,
    RefitRequest,
    TrialOutcome,
    TrialRequest,
)

_PRELOADED = "objectives.trial"


class TrialFailedError(RuntimeError):
    """A trial that came to no result; the message says why in one line."""


@dataclass(frozen=True)
class _Asking:
    """After each epoch: shall the trial go on? `peak_memory` in MiB."""

    epoch: Epoch
    peak_memory: float


@dataclass(frozen=True)
class _Failed:
    reason: str
    details: str


@overload
def run_in_process(request: TrialRequest, go_on: Callable[[Epoch], bool]) -> TrialOutcome: ...
@overload
def run_in_process(request: RefitRequest, go_on: Callable[[Epoch], bool]) -> RefitOutcome: ...
def run_in_process(
    request: TrialRequest | RefitRequest, go_on: Callable[[Epoch], bool]
) -> TrialOutcome | RefitOutcome:
    """Carry out a request in a process of its own and wait for what comes of it.

    Args:
        request: a trial to train or a winner to refit.
        go_on: called in this process after each epoch of a trial; False ends it there. What it raises
            ends the process and is raised again.

    Raises:
        TrialFailedError: training diverged, ran out of memory, raised, or its process was killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, request), daemon=True)
    process.start()
    theirs.close()
    peak_memory = 0.0
    try:
        while True:
            message = _receive(ours)
            if isinstance(message, _Asking):
                peak_memory = message.peak_memory
                wanted = go_on(message.epoch)
                with suppress(BrokenPipeError):  # the process is gone; receiving will tell
                    ours.send(wanted)
            elif isinstance(message, _Failed):
                error = TrialFailedError(message.reason)
                error.add_note(message.details)
                raise error
            elif message is None:
                process.join()
                raise TrialFailedError(_cause_of_death(process.exitcode, peak_memory))
            elif isinstance(message, TrialOutcome | RefitOutcome):
                return message
    finally:
        ours.close()
        process.terminate()
        process.join()
        process.close()


def _receive(connection: Connection) -> Any:
    """The next message, None when the process at the other end is gone."""
    try:
        return connection.recv()
    except (EOFError, ConnectionResetError):
        return None


def _cause_of_death(exit_code: int | None, peak_memory: float) -> str:
    seen = f"; its peak memory was last seen at {peak_memory:.0f} MiB" if peak_memory else ""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", as happens when memory runs out" if name == "SIGKILL" else ""
        return f"the trial's process was killed by {name}{hint}{seen}"
    return f"the trial's process ended without a result (exit code {exit_code}){seen}"


def _serve(connection: Connection, request: TrialRequest | RefitRequest) -> None:
    """Runs in the trial process: carry out the request and send what comes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from objectives import trial  # noqa: PLC0415  (imported by the server, never by the caller)

    def go_on(epoch: Epoch) -> bool:
        peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        connection.send(_Asking(epoch, peak_memory))
        return bool(connection.recv())

    try:
        trial.use_one_thread()
        if isinstance(request, TrialRequest):
            connection.send(trial.run_trial(request, go_on))
        else:
            connection.send(trial.refit(request, go_on))
    except DivergedError as error:
        connection.send(_Failed(f"diverged: {error}", ""))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the worker is gone: nobody is left to tell
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        connection.send(_Failed(reason, traceback.format_exc()))
