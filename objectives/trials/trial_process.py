"""A fresh process for each trial, forked from a server that has TensorFlow imported already.

The caller stays free of TensorFlow. Memory goes back to the system when the process ends, and a process
that dies takes nothing with it.
"""

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.util import get_temp_dir
from typing import Any, overload

import psutil

from objectives.classification.messages import ProbabilitiesOutcome, ProbabilitiesRequest
from objectives.export.messages import (
    ComparisonOutcome,
    ComparisonRequest,
    ConversionOutcome,
    ConversionRequest,
)
from objectives.lstm.kernel.object_code import compiled, remember
from objectives.trials.answering import (
    Asking,
    Compiled,
    Failed,
    Outcome,
    Request,
    Started,
    answer,
    answer_gpus,
)
from objectives.trials.messages import (
    Compute,
    Epoch,
    ForecastOutcome,
    ForecastRequest,
    RefitOutcome,
    RefitRequest,
    TrialOutcome,
    TrialRequest,
)

_FIRST = "objectives.trials.quiet_tensorflow"
_PRELOADED = "objectives.trials.trial"
_ONE_THREAD = Compute()
_LOOK_SECONDS = 1.0  # between two looks at a process that says nothing


class TrialFailedError(RuntimeError):
    """A trial that came to no result; the message says why in one line."""


class LostTrialError(TrialFailedError):
    """A trial that ended without a result: its process was killed or hung, say, or memory ran out."""


@dataclass
class _Watched:
    """A process from outside: the most memory it was seen to hold, in MiB, and whether it computes."""

    pid: int | None
    patience: float
    peak_memory: float = 0.0
    _computed: float = 0.0  # seconds of processor time
    _still_looks: int = 0

    def look(self) -> None:
        """Look at it, once every `_LOOK_SECONDS` while it says nothing.

        Raises:
            LostTrialError: for `patience` seconds it has not computed.
        """
        computed = self.note_memory()
        # Looks are counted, not seconds: of these more pass where the machine slept.
        self._still_looks = self._still_looks + 1 if computed == self._computed else 0
        self._computed = computed
        if self._still_looks * _LOOK_SECONDS >= self.patience:
            raise LostTrialError(
                f"the trial's process hung: for {self.patience:g} s it did nothing"
            )

    def note_memory(self) -> float:
        """Look at its memory now; gives its seconds of processor time so far, 0 if it is gone."""
        try:
            process = psutil.Process(self.pid)
            self.peak_memory = max(self.peak_memory, process.memory_info().rss / 2**20)
            return float(sum(process.cpu_times()[:2]))
        except psutil.Error:
            return 0.0


@overload
def run_in_process(
    request: TrialRequest,
    go_on: Callable[[Epoch], bool],
    compute: Compute = ...,
    patience: float = ...,
) -> TrialOutcome: ...
@overload
def run_in_process(
    request: RefitRequest, go_on: Callable[[Epoch], bool], compute: Compute = ...
) -> RefitOutcome: ...
@overload
def run_in_process(
    request: ConversionRequest, go_on: Callable[[Epoch], bool], compute: Compute = ...
) -> ConversionOutcome: ...
@overload
def run_in_process(
    request: ComparisonRequest, go_on: Callable[[Epoch], bool], compute: Compute = ...
) -> ComparisonOutcome: ...
@overload
def run_in_process(
    request: ForecastRequest, go_on: Callable[[Epoch], bool], compute: Compute = ...
) -> ForecastOutcome: ...
@overload
def run_in_process(
    request: ProbabilitiesRequest, go_on: Callable[[Epoch], bool], compute: Compute = ...
) -> ProbabilitiesOutcome: ...
def run_in_process(
    request: Request,
    go_on: Callable[[Epoch], bool],
    compute: Compute = _ONE_THREAD,
    patience: float = math.inf,
) -> Outcome:
    """Carry out a request in a process of its own and wait for what comes of it.

    Args:
        request: a trial to train, a winner to refit, or a model to predict with, convert or compare.
        go_on: called in this process after each epoch of a trial; False ends it there. What it raises
            ends the process and is raised again.
        compute: what the process may use.
        patience: seconds for which it may neither say anything nor use the processor.

    Raises:
        LostTrialError: its process was killed, as happens when memory runs out, ended by itself or hung;
            or none could be started.
        TrialFailedError: training diverged or raised.
    """
    context = _context()
    ours, theirs = context.Pipe()
    arguments = (theirs, request, compute, dict(compiled))
    process = context.Process(target=answer, args=arguments, daemon=True)
    started = time.perf_counter()
    try:
        _start_server()
        process.start()
    except (EOFError, OSError) as cause:
        ours.close()
        _end_server()
        raise LostTrialError(f"no process could be started for the trial: {cause!r}") from None
    finally:
        theirs.close()
    watched, start_seconds = _Watched(process.pid, patience), 0.0
    try:
        while True:
            while not ours.poll(_LOOK_SECONDS):
                watched.look()
            message = _receive(ours)
            if isinstance(message, Started):
                start_seconds = time.perf_counter() - started
            elif isinstance(message, Asking):
                watched.note_memory()
                wanted = go_on(message.epoch)
                with suppress(BrokenPipeError):  # the process is gone; receiving will tell
                    ours.send(wanted)
            elif isinstance(message, Compiled):
                remember(message.code)
            elif isinstance(message, Failed):
                error = (LostTrialError if message.lost else TrialFailedError)(message.reason)
                error.add_note(message.details)
                raise error
            elif message is None:
                process.join()
                raise LostTrialError(_cause_of_death(process.exitcode, watched.peak_memory))
            elif isinstance(message, TrialOutcome):
                return replace(message, seconds={"start": start_seconds, **message.seconds})
            elif isinstance(message, Outcome):
                return message
    finally:
        ours.close()
        process.kill()  # one that is stopped would hear nothing else
        process.join()
        process.close()


def warm_up() -> None:
    """Let TensorFlow be imported for the processes to come, while the caller does something else."""
    _context()
    _start_server()


@contextmanager
def ctrl_c_held_off() -> Iterator[None]:
    """Let what a block starts be deaf to Ctrl-C, which its caller is there to answer.

    A process that has handlers hears it once it unblocks the signal. One that still imports would die of
    it, with a traceback on the terminal.
    """
    resource_tracker.ensure_running()  # else the block starts it, and that unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def count_gpus() -> int:
    """How many GPUs TensorFlow finds, asked in a process of its own."""
    context = _context()
    _start_server()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=answer_gpus, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        return int(_receive(ours) or 0)
    finally:
        process.join()
        process.close()


def _context() -> ForkServerContext:
    # A file called tensorflow.py where the user happens to stand must not pass for the package.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    context = multiprocessing.get_context("forkserver")
    # A worker of joblib's tells its processes to start others by "loky": they must know that name.
    context.set_forkserver_preload([_FIRST, _PRELOADED, "joblib.externals.loky"])
    return context


def _start_server() -> None:
    with ctrl_c_held_off():  # it ignores Ctrl-C itself, but only once it has imported all
        forkserver.ensure_running()


def _end_server() -> None:
    """Have the next process forked from another server: this one is gone, or its socket's folder."""
    server: Any = forkserver._forkserver  # nothing public ends it
    with suppress(FileNotFoundError, ProcessLookupError, ChildProcessError):
        if server._forkserver_pid is not None:
            os.kill(server._forkserver_pid, signal.SIGKILL)  # it is waited for
        server._stop()
    os.makedirs(get_temp_dir(), exist_ok=True)


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
