"""A process for each trial: what comes back from it, and what is told of one that comes to nothing."""

import multiprocessing
import multiprocessing.forkserver
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from multiprocessing.util import get_temp_dir
from pathlib import Path

import numpy as np
import psutil
import pytest

from objectives.lstm.kernel.object_code import compiled
from objectives.trials.messages import ForecastRequest, Member, RefitRequest, TrialRequest
from objectives.trials.trial_process import (
    LostTrialError,
    TrialFailedError,
    _cause_of_death,
    count_gpus,
    run_in_process,
)

SEED = 11
ROOT = Path(__file__).parents[2]


def always(_) -> bool:
    return True


def child() -> psutil.Process:
    """The one trial process that runs now."""
    (process,) = multiprocessing.active_children()
    return psutil.Process(process.pid)


@pytest.fixture(scope="module")
def request_(make_task, hyperparameters) -> TrialRequest:
    return TrialRequest(make_task(), hyperparameters(), SEED)


@pytest.fixture(scope="module")
def pids() -> set[int]:
    """Of the processes that may not run another trial."""
    return {os.getpid()}


@pytest.fixture(scope="module")
def outcome(request_, pids):
    return run_in_process(request_, lambda _: pids.add(child().pid) is None)


def test_an_outcome_comes_back_whole(request_, outcome):
    assert [epoch.number for epoch in outcome.epochs] == [1, 2]
    assert outcome.stopped == "epochs"
    assert all(np.isfinite(weight).all() for weight in outcome.weights)
    assert not multiprocessing.active_children()


def test_each_trial_has_a_process_of_its_own_and_is_the_same_in_any(request_, outcome, pids):
    seen = []

    def note(epoch) -> bool:
        assert child().pid not in pids
        seen.append(epoch)
        return True

    again = run_in_process(request_, note)
    assert again.epochs == outcome.epochs == tuple(seen)
    for ours, theirs in zip(again.weights, outcome.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_layer_is_compiled_in_one_trial_for_all(make_task, hyperparameters):
    request = TrialRequest(make_task(), hyperparameters(units=(16,)), SEED)
    first = run_in_process(request, always)
    before = dict(compiled)
    assert before
    assert run_in_process(request, always).epochs == first.epochs
    assert all(compiled[sizes] is code for sizes, code in before.items())


def test_what_is_raised_between_epochs_ends_the_process_and_is_raised_again(request_):
    found, error = [], KeyboardInterrupt()

    def give_up(_) -> bool:
        found.append(child())
        raise error

    with pytest.raises(KeyboardInterrupt) as caught:
        run_in_process(request_, give_up)
    assert caught.value is error
    assert not found[0].is_running()
    assert not multiprocessing.active_children()


def test_a_process_killed_while_it_is_answered_is_told_as_such(request_):
    def kill(_) -> bool:
        process = child()
        process.kill()
        process.wait()  # otherwise it might be answered before it is dead
        return True

    with pytest.raises(TrialFailedError) as caught:
        run_in_process(request_, kill)
    reason = str(caught.value)
    assert "killed by SIGKILL, as happens when memory runs out" in reason
    assert re.search(r"peak memory was last seen at [1-9]\d\d+ MiB$", reason)
    assert "\n" not in reason


def test_other_ends_are_named_without_a_guess_at_memory():
    assert _cause_of_death(-signal.SIGSEGV, 0.0) == "the trial's process was killed by SIGSEGV"
    assert _cause_of_death(3, 0.0).endswith("without a result (exit code 3)")


def test_a_process_killed_while_it_trains_is_told_as_such(make_task, hyperparameters):
    # The system kills it once it has computed for a second more: there are epochs for minutes.
    request = TrialRequest(make_task(epochs=100_000, patience=100_000), hyperparameters(), SEED)

    def limit_at_first(epoch) -> bool:
        if epoch.number == 1:
            used = sum(child().cpu_times()[:2])
            child().rlimit(psutil.RLIMIT_CPU, (int(used) + 1, int(used) + 1))
        return True

    with pytest.raises(TrialFailedError, match=r"killed by SIGKILL.*MiB$"):
        run_in_process(request, limit_at_first)


def test_a_process_that_hangs_is_ended_and_told_as_such(make_task, hyperparameters):
    # It is stopped once it has told of its first epoch; there are epochs for minutes.
    request = TrialRequest(make_task(epochs=100_000, patience=100_000), hyperparameters(), SEED)
    stopped = []

    def stop(epoch) -> bool:
        stopped.append(child())
        stopped[0].suspend()
        return True

    with pytest.raises(LostTrialError, match=r"process hung: for 2 s it did nothing$"):
        run_in_process(request, stop, patience=2)
    assert len(stopped) == 1
    assert not stopped[0].is_running()


def test_an_epoch_that_takes_longer_than_the_patience_is_let_be(make_task, hyperparameters, series):
    task = make_task(np.tile(series, (4_000, 1)), epochs=1)  # some seconds of updates
    outcome = run_in_process(TrialRequest(task, hyperparameters(), SEED), always, patience=1)
    assert outcome.stopped == "epochs"
    assert outcome.seconds["steps"] > 1


def test_a_divergence_is_told_as_such(make_task, hyperparameters):
    wanted = hyperparameters(optimizer="sgd", learning_rate=1e25)
    request = TrialRequest(make_task(epochs=5, clip_norm=None), wanted, SEED)
    with pytest.raises(TrialFailedError, match=r"^diverged: the training loss became (nan|inf)"):
        run_in_process(request, always)


def test_an_exception_in_the_process_is_one_line_with_the_traceback_as_a_note(
    request_, outcome, tmp_path
):
    missing = replace(request_, task=replace(request_.task, rows=tmp_path / "missing.npy"))
    with pytest.raises(TrialFailedError, match=r"^FileNotFoundError: .*missing\.npy") as caught:
        run_in_process(missing, always)
    assert "\n" not in str(caught.value)
    assert any("Traceback" in note for note in caught.value.__notes__)
    assert run_in_process(request_, always).epochs == outcome.epochs  # the next is not hindered


def test_an_exception_of_many_lines_is_told_in_one(request_, hyperparameters):
    # Windows that reach back over the first row: TensorFlow explains that at length.
    wanted = hyperparameters(timesteps=40)
    with pytest.raises(TrialFailedError, match=r"^InvalidArgumentError: .") as caught:
        run_in_process(replace(request_, hyperparameters=wanted), always)
    assert "\n" not in str(caught.value)


def test_a_refit_takes_place_in_a_process_too(request_, outcome, tmp_path):
    epochs = outcome.epochs[: outcome.best_epoch]
    path = tuple((epoch.learning_rate, epoch.updates) for epoch in epochs)
    refitted = run_in_process(
        RefitRequest(
            request_.task,
            outcome.weights,
            tmp_path,
            (Member(request_.hyperparameters, SEED, path),),
        ),
        always,
    )
    assert refitted.updates == sum(updates for _, updates in path)
    task = request_.task
    forecast = ForecastRequest(tmp_path / "model.keras", task.rows, task.split.test.origins)
    outcome = run_in_process(forecast, always)
    assert outcome.forecast.shape == (len(task.split.test.origins), 3, 1)
    assert (tmp_path / "model.keras").exists()
    assert (tmp_path / "model_train_only.keras").exists()


def test_neither_the_caller_nor_the_server_grows_from_trial_to_trial(request_, outcome):
    server = psutil.Process(multiprocessing.forkserver._forkserver._forkserver_pid)

    def held() -> tuple[int, int]:
        return psutil.Process().memory_info().rss, server.memory_info().rss

    def run(trials: int) -> None:
        for _ in range(trials):
            run_in_process(request_, always)

    run(5)
    before = held()
    run(20)
    for earlier, later in zip(before, held(), strict=True):
        assert later < 1.01 * earlier


def test_the_server_has_tensorflow_without_what_keras_has_plots_and_wrappers_from(outcome):
    server = psutil.Process(multiprocessing.forkserver._forkserver._forkserver_pid)
    libraries = " ".join(mapped.path for mapped in server.memory_maps())
    assert "tensorflow" in libraries
    assert "sklearn" not in libraries
    assert "matplotlib" not in libraries


def test_a_server_whose_socket_somebody_has_removed_is_replaced(request_, outcome):
    shutil.rmtree(get_temp_dir())  # as who cleans a folder of temporary files
    with pytest.raises(LostTrialError, match="no process could be started for the trial: FileNot"):
        run_in_process(request_, always)
    assert run_in_process(request_, always).value("mse") == outcome.value("mse")


def test_a_server_that_cannot_be_started_is_told_of_and_started_by_the_next_trial(
    request_, outcome
):
    server = multiprocessing.forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGKILL)
    os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)  # it is left for its starter to wait for
    shutil.rmtree(get_temp_dir())
    with pytest.raises(LostTrialError, match="no process could be started for the trial: FileNot"):
        run_in_process(request_, always)
    assert run_in_process(request_, always).value("mse") == outcome.value("mse")


def test_an_outcome_tells_what_it_cost(outcome):
    assert list(outcome.seconds) == ["start", "load", "build", "trace", "compile", "steps"]
    assert all(seconds >= 0 for seconds in outcome.seconds.values())
    assert outcome.seconds["steps"] > 0
    assert 100 < outcome.peak_memory < 2_000  # MiB; TensorFlow alone takes a few hundred


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU's driver")
def test_no_gpu_is_counted_where_there_is_none():
    assert count_gpus() == 0


def test_the_caller_stays_free_of_tensorflow(request_, tmp_path):
    script = f"""
import sys
from pathlib import Path
from objectives.search_space.hyperparameters import Hyperparameters
from objectives.trials.messages import ForecastTask, TrialRequest
from objectives.settings import DataSettings, SplitSettings, TrainingSettings
from objectives.split import cut
from objectives.trials.trial_process import run_in_process
split = cut(240, SplitSettings(), DataSettings(targets=("first",), horizon=3), 12, None)
rows = Path({str(request_.task.rows)!r})
task = ForecastTask(rows, 1, split, TrainingSettings(epochs=1))
wanted = {request_.hyperparameters!r}
print(len(run_in_process(TrialRequest(task, wanted, 1), lambda _: True).epochs))
print(*sorted({{name.split(".")[0] for name in sys.modules}} & {{"tensorflow", "keras"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["1", ""], done.stderr[-2000:]


def test_a_server_that_still_imports_is_deaf_to_ctrl_c():
    script = """
import os, signal
from multiprocessing import forkserver
from objectives.trials.trial_process import count_gpus, warm_up
warm_up()
server = forkserver._forkserver._forkserver_pid
os.kill(server, signal.SIGINT)
count_gpus()
print(server == forkserver._forkserver._forkserver_pid)
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True\nset()\n", "")
