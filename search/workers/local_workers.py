"""Workers as processes of this machine."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool

import optuna

from objectives.trials.trial_process import LostTrialError
from search.workers.interruption import interruptions_noted
from search.workers.orphans import any_running, requeue_orphans, trials_to_begin
from search.workers.processes import LOOK_SECONDS, submit, worker_pool
from search.workers.worker import WorkOrder, work

Running = dict[Future[None], int]

MOST_DEATHS = 5  # failures of workers, not of trials, that a search puts up with


def run_here(order: WorkOrder, found: optuna.Study, look: Callable[[], None]) -> None:
    """Run trials until none is to be begun and none is running, here or elsewhere.

    Args:
        order: what the workers need to know.
        found: the study.
        look: called about twice a second.

    Raises:
        LostTrialError: workers died again and again.
        KeyboardInterrupt: on Ctrl-C, once the running trials have ended and are queued again; a second
            one ends them at once.
    """
    order.stop.unlink(missing_ok=True)
    running: Running = {}
    with interruptions_noted() as heed:

        def watch() -> None:
            look()
            heed()

        try:
            for death in range(1 + MOST_DEATHS):
                heed()
                try:
                    return _keep_busy(order, found, running, watch)
                except BrokenProcessPool:
                    running.clear()
                    if death == MOST_DEATHS:
                        raise LostTrialError(_deaths_in_words(order, 1 + death)) from None
        except KeyboardInterrupt:
            _stop(order, found, running, watch)
            raise
        finally:
            order.stop.unlink(missing_ok=True)


def _deaths_in_words(order: WorkOrder, deaths: int) -> str:
    logs = order.study.directory / "logs"
    return f"workers died {deaths} times, as happens when memory runs out; their last words: {logs}"


def _keep_busy(
    order: WorkOrder, found: optuna.Study, running: Running, watch: Callable[[], None]
) -> None:
    """Give work to idle workers; `running` holds the number of each that has some."""
    while (left := trials_to_begin(found, order.study)) or running or any_running(found):
        idle = sorted(set(range(len(order.compute))) - set(running.values()))
        running |= {
            submit(work, order, number, workers=len(order.compute)): number
            for number in idle[:left]
        }
        for future in wait(running, LOOK_SECONDS, FIRST_COMPLETED).done if running else ():
            del running[future]
            future.result()
        if not running:
            time.sleep(LOOK_SECONDS)  # another run of this study has the last trials
        watch()


def _stop(
    order: WorkOrder, found: optuna.Study, running: Running, watch: Callable[[], None]
) -> None:
    """End the search after the epochs that are running, or at once on a second Ctrl-C."""
    order.stop.parent.mkdir(parents=True, exist_ok=True)  # somebody may have removed it meanwhile
    order.stop.touch()
    at_once = False
    try:
        while wait(running, LOOK_SECONDS).not_done:
            watch()
    except KeyboardInterrupt:
        at_once = True
    worker_pool().shutdown(wait=True, kill_workers=at_once)
    requeue_orphans(found, lost=False)
