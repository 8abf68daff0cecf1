"""The processes that work for this one: asked for something and waited for, and ended."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.util import get_temp_dir
from typing import Any, TypeVar

from joblib.externals.loky import get_reusable_executor

from objectives.trials.trial_process import LostTrialError, ctrl_c_held_off
from search.workers.interruption import Heed, interruptions_noted

LOOK_SECONDS = 0.5
_MOST_LOSSES = 2  # of one task, as of a trial

Result = TypeVar("Result")


def worker_pool(workers: int | None = None) -> Any:
    """The executor of this process's workers: so many, or those that are there."""
    # Made before them it is theirs too, so that a killed one leaves none of its own. Somebody may have
    # removed it meanwhile.
    os.makedirs(get_temp_dir(), exist_ok=True)
    return get_reusable_executor(
        max_workers=workers,
        timeout=None,
        reuse=True if workers is None else "auto",
        initializer=_end_with,
        initargs=(os.getpid(),),
    )


def _end_with(parent: int) -> None:
    """Have this worker terminated once its parent is gone, of which nothing else would tell it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        shutil.rmtree(get_temp_dir(), ignore_errors=True)  # which a killed parent has left
        while True:  # until a trial that is running has heard it, and the worker is idle
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(LOOK_SECONDS)

    threading.Thread(target=watch, daemon=True).start()


def submit(
    task: Callable[..., Result], *arguments: object, workers: int | None = None
) -> Future[Result]:
    """Have a worker, one of so many, carry out a task; those that this starts are deaf to Ctrl-C."""
    executor = worker_pool(workers)
    with ctrl_c_held_off():
        submitted: Future[Result] = executor.submit(task, *arguments)
        return submitted


def outcome_of(task: Callable[[], Result], workers: int | None = None) -> Result:
    """Let a worker, one of so many, carry out a task; wait for what comes of it.

    The task is begun again where its process or its worker is lost, twice at most.

    Raises:
        LostTrialError: it was lost each time.
        KeyboardInterrupt: on Ctrl-C; the workers have been ended.
    """
    with interruptions_noted() as heed:
        return despite_losses(lambda: _outcome_once(task, workers, heed))


def despite_losses(task: Callable[[], Result]) -> Result:
    """Carry out a task, and again where its process is lost, twice at most.

    Raises:
        LostTrialError: it was lost each time.
    """
    for _ in range(_MOST_LOSSES):
        with suppress(LostTrialError):
            return task()
    return task()


def _outcome_once(task: Callable[[], Result], workers: int | None, heed: Heed) -> Result:
    try:
        future = submit(task, workers=workers)
        while wait([future], LOOK_SECONDS).not_done:
            heed()
        heed()  # before what ended it too is taken for its failure
        return future.result()
    except KeyboardInterrupt:
        worker_pool().shutdown(wait=True, kill_workers=True)
        raise
    except BrokenProcessPool:
        raise LostTrialError(
            "a worker was killed, as happens when memory runs out: free some, or take fewer --workers"
        ) from None


@contextmanager
def workers_ended() -> Iterator[None]:
    """End the workers of this process with a block, and what they do at once where the block fails."""
    failed = True
    try:
        yield
        failed = False
    finally:
        with interruptions_noted(), suppress(BrokenProcessPool):
            worker_pool().shutdown(wait=True, kill_workers=failed)
