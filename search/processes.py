"""The processes that work for this one: asked for something and waited for, and ended."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import TypeVar

from joblib.externals.loky import get_reusable_executor

from search.interruption import interruptions_noted

LOOK_SECONDS = 0.5

Result = TypeVar("Result")


def outcome_of(task: Callable[[], Result], workers: int | None = None) -> Result:
    """Let a worker, one of so many, carry out a task; wait for what comes of it.

    Raises:
        KeyboardInterrupt: on Ctrl-C; the workers have been ended.
    """
    with interruptions_noted() as heed:
        executor = get_reusable_executor(max_workers=workers, timeout=None, reuse=True)
        future: Future[Result] = executor.submit(task)
        try:
            while wait([future], LOOK_SECONDS).not_done:
                heed()
        except KeyboardInterrupt:
            executor.shutdown(wait=True, kill_workers=True)
            raise
        return future.result()


@contextmanager
def workers_ended() -> Iterator[None]:
    """End the workers of this process with a block, and what they do at once where the block fails."""
    failed = True
    try:
        yield
        failed = False
    finally:
        with interruptions_noted(), suppress(BrokenProcessPool):
            executor = get_reusable_executor(timeout=None, reuse=True)
            executor.shutdown(wait=True, kill_workers=failed)
