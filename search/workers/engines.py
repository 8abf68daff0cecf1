"""Workers on an existing cluster: Dask or Ray, through joblib's own backends.

A node needs this package and reaches the database; it shares no folder with the machine that asks. The
rows travel with the work, and what the worker writes goes to a temporary folder of the node.
"""

import importlib
import pickle
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optuna
from numpy.typing import NDArray

from objectives.errors import InputError
from objectives.trials.messages import Compute
from search.sections import StudySettings
from search.workers.interruption import Heed, interruptions_noted
from search.workers.local_workers import MOST_DEATHS
from search.workers.orphans import any_running, trials_to_begin
from search.workers.processes import LOOK_SECONDS
from search.workers.worker import WorkOrder, reachable
from storage.database import open_storage
from storage.studies import find_study

_STOPPED = "stopped_runs"  # the study's attribute that names the runs whose workers shall end
_ASK_SECONDS = 1.0


class NodeError(RuntimeError):
    """A worker on a node ended in another way than by having nothing left to do."""


def run_on_engine(order: WorkOrder, found: optuna.Study, look: Callable[[], None]) -> None:
    """Run trials on the study's engine until none is to be begun and none is running.

    Args:
        order: what the workers need to know.
        found: the study.
        look: called about twice a second.

    Raises:
        InputError: the engine is not installed or cannot be reached.
        NodeError: workers failed again and again.
        KeyboardInterrupt: on Ctrl-C, once the nodes' trials have ended and are queued again; a second
            one does not wait for them.
    """
    settings = order.study.study
    rows = np.array(order.task.load_rows())
    with _connected(settings) as slots, interruptions_noted() as heed:
        workers = settings.workers or slots
        order = replace(order, compute=(Compute(settings.threads),) * workers)
        deaths = 0
        while trials_to_begin(found, order.study) or any_running(found):
            try:
                _round(order, rows, found, look, heed)
            except NodeError:
                deaths += 1
                if deaths > MOST_DEATHS:
                    raise


def _round(
    order: WorkOrder,
    rows: NDArray[np.float64],
    found: optuna.Study,
    look: Callable[[], None],
    heed: Heed,
) -> None:
    """Let every worker work until there is nothing left to begin for it."""
    run = secrets.token_hex(8)
    failures: list[BaseException] = []
    ended = threading.Event()  # a thread whose join is interrupted would count as ended itself

    def carry_out() -> None:
        tasks = [
            joblib.delayed(work_on_node)(order, rows, run, number)
            for number in range(len(order.compute))
        ]
        try:
            with joblib.parallel_config(order.study.study.backend, n_jobs=len(tasks)):
                joblib.Parallel()(tasks)
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    threading.Thread(target=carry_out, daemon=True).start()
    try:
        _watch(ended, look, heed)
    except KeyboardInterrupt:
        found.set_user_attr(_STOPPED, [*found.user_attrs.get(_STOPPED, []), run])
        _watch(ended, look, heed)
        raise
    if failures:
        raise failures[0]


def _watch(ended: threading.Event, look: Callable[[], None], heed: Heed) -> None:
    while not ended.wait(LOOK_SECONDS):
        look()
        heed()


def work_on_node(order: WorkOrder, rows: NDArray[np.float64], run: str, number: int) -> None:
    """Run on a node: let a process of its own be worker `number`, and end it when the run is stopped.

    The engine's process could not do it itself: work may come to a thread of it, where no signal can be
    caught, and it may be one that must not have children that outlive it.

    Args:
        order: as for a local worker.
        rows: (rows, columns) float64, the study's data.
        run: identifies who asks for the work.
        number: which of the workers this is.

    Raises:
        NodeError: the worker failed.
    """
    found = find_study(open_storage(order.storage_url), order.study.study.name)
    with tempfile.TemporaryDirectory(prefix="lstm-search-") as folder:
        mine = _moved(order, rows, Path(folder))
        # -P: what lies in the folder where the engine was started must not pass for our packages
        command = [sys.executable, "-P", "-m", "search.workers.node"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            if process.stdin is not None:
                process.stdin.write(pickle.dumps((mine, number)))
                process.stdin.close()
            while _still_running(process):
                if run in found.user_attrs.get(_STOPPED, []):
                    process.send_signal(signal.SIGTERM)  # finishes the epoch and queues the trial
        finally:
            process.terminate()
            process.wait()
        if process.returncode:
            log = "".join(path.read_text() for path in Path(folder).rglob("worker_*.log"))
            said = log.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
            raise NodeError(f"a worker failed: {said[0]}")


def _moved(order: WorkOrder, rows: NDArray[np.float64], folder: Path) -> WorkOrder:
    """The order with its files in `folder`, and its artifacts where this node reaches them."""
    path = folder / order.task.rows.name
    np.save(path, rows, allow_pickle=False)
    study = order.study.model_copy(
        update={"output": order.study.output.model_copy(update={"directory": str(folder)})}
    )
    study.directory.mkdir(parents=True)
    return replace(
        order,
        study=study,
        task=replace(order.task, rows=path),
        artifacts=order.artifacts and reachable(order.artifacts),
        stop=folder / "stop",
    )


def _still_running(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(_ASK_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


@contextmanager
def _connected(settings: StudySettings) -> Iterator[int]:
    """Connect to the engine for the length of a block; gives how many tasks it runs at once."""
    connect = _on_dask if settings.backend == "dask" else _on_ray
    with connect(settings.scheduler) as slots:
        yield max(1, slots // settings.threads)


@contextmanager
def _on_dask(scheduler: str | None) -> Iterator[int]:
    distributed = _imported("distributed", "dask")
    if scheduler is None:
        raise InputError(
            "--backend dask needs the address of its scheduler: --scheduler tcp://host:8786"
        )
    try:
        client = distributed.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--scheduler: no Dask scheduler answers at {scheduler}: {error or type(error).__name__}"
        ) from None
    with client:
        yield sum(client.nthreads().values())


@contextmanager
def _on_ray(address: str | None) -> Iterator[int]:
    ray = _imported("ray", "ray")
    importlib.import_module("ray.util.joblib").register_ray()
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise InputError(
            f"--scheduler: no Ray cluster answers at {address or 'this machine'}: {said}"
        ) from None
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        ray.shutdown()


def _imported(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f"--backend {extra} needs the package {module}: pip install 'lstm-search[{extra}]'"
        ) from None
