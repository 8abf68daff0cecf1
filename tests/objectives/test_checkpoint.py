"""Checkpoints: a trial that was lost goes on as if nothing had been, or starts anew if it must."""

import multiprocessing
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from objectives.trials import checkpoint
from objectives.trials.checkpoint import (
    Checkpoint,
    TrainerState,
    identity,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from objectives.trials.messages import Checkpointing, Epoch, TrialRequest
from objectives.trials.trial_process import LostTrialError, run_in_process

SEED = 2**32 + 5  # larger than TensorFlow's seeds may be
EPOCHS = 8


def always(_) -> bool:
    return True


def all_equal(ours, theirs) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def same(ours, theirs) -> bool:
    """Whether two outcomes are of the same training, to the last bit."""
    facts = [(o.epochs, o.best_epoch, o.stopped, o.target_hash) for o in (ours, theirs)]
    return facts[0] == facts[1] and all_equal(ours.weights, theirs.weights)


def child() -> psutil.Process:
    """The one trial process that runs now."""
    (process,) = multiprocessing.active_children()
    return psutil.Process(process.pid)


def killed_after(request: TrialRequest, epoch: int) -> None:
    """Run a trial whose process is killed before it is told to go on after an epoch."""

    def kill(reached: Epoch) -> bool:
        if reached.number == epoch:
            process = child()
            process.kill()
            process.wait()  # otherwise it might be answered before it is dead
        return True

    with pytest.raises(LostTrialError, match="SIGKILL"):
        run_in_process(request, kill)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "checkpoints" / "slot_3.npz"


@pytest.fixture(scope="module")
def run(one_thread) -> Callable:
    """A trial in this process."""
    from objectives.trials.trial import run_trial  # noqa: PLC0415  (imports TensorFlow)

    return lambda request, go_on=always: run_trial(request, go_on)


@pytest.fixture(scope="module")
def without_checkpoint(make_task, hyperparameters) -> TrialRequest:
    return TrialRequest(make_task(epochs=EPOCHS), hyperparameters(dropout=0.2), SEED)


@pytest.fixture
def request_(without_checkpoint, path) -> TrialRequest:
    """A small trial that leaves a checkpoint after every epoch."""
    return replace(without_checkpoint, checkpoint=Checkpointing(path, 0.0))


@pytest.fixture(scope="module")
def undisturbed(run, without_checkpoint):
    return run(without_checkpoint)


def until(epoch: int) -> Callable[[Epoch], bool]:
    return lambda reached: reached.number < epoch


# --------------------------------------------------------------------------------------- going on


@pytest.mark.parametrize(
    ("training", "changes"),
    [
        (
            {"schedule": "plateau", "schedule_patience": 1},
            {"units": (6, 4), "dropout": 0.3, "learning_rate": 0.1},
        ),
        (
            {"schedule": "cosine", "weight_average": None},
            {"units": (56, 50), "dropout": 0.3, "optimizer": "sgd"},
        ),
        (
            {"schedule": "exponential", "metric": "mae", "magnitude_noise": 0.3},
            {"units": (4, 64), "dropout": 0.1, "l2": 1e-3, "output": "level"},
        ),
        (
            {"schedule": "plateau", "schedule_patience": 1, "weight_average": None},
            {
                "recurrent_dropout": 0.2,
                "bidirectional": True,
                "optimizer": "rmsprop",
                "learning_rate": 0.1,
            },
        ),
    ],
    ids=["narrow", "wide", "mixed", "plain"],
)
def test_a_trial_that_was_killed_twice_is_the_undisturbed_one(
    make_task, hyperparameters, path, training, changes
):
    task = make_task(epochs=EPOCHS, patience=EPOCHS, **training)
    assert len(task.split.train.origins) % 32  # the last batch is not whole
    request = TrialRequest(task, hyperparameters(**changes), SEED, Checkpointing(path, 0.0))
    undisturbed = run_in_process(replace(request, checkpoint=None), always)
    # The rate moves after the first checkpoint gone on from: the schedule has something to go on with.
    assert len({epoch.learning_rate for epoch in undisturbed.epochs[2:5]}) > 1
    assert undisturbed.resumed_from == 0
    killed_after(request, 3)
    killed_after(request, 5)  # by then it has gone on once
    seen = []
    resumed = run_in_process(request, lambda epoch: seen.append(epoch) is None)
    assert resumed.resumed_from == 4
    assert same(resumed, undisturbed)
    assert tuple(seen) == undisturbed.epochs


def test_the_best_weights_may_be_those_of_the_checkpoint(make_task, hyperparameters, path, run):
    task = make_task(epochs=EPOCHS, patience=5, schedule="plateau", schedule_patience=1)
    wanted = hyperparameters(learning_rate=0.2, dropout=0.2, output="level")
    request = TrialRequest(task, wanted, SEED, Checkpointing(path, 0.0))
    undisturbed = run(replace(request, checkpoint=None))
    assert undisturbed.stopped == "patience"
    assert undisturbed.best_epoch == 2  # never bettered at so large a rate
    run(request, until(5))
    resumed = run(request)
    assert resumed.resumed_from == 4
    assert same(resumed, undisturbed)


def test_a_trial_may_be_ended_at_an_epoch_from_the_checkpoint(request_, run, undisturbed):
    run(request_, until(6))
    ended = run(request_, until(3))
    assert ended.epochs == undisturbed.epochs[:3]
    assert (ended.stopped, ended.resumed_from) == ("asked", 3)
    assert ended.best_epoch == 3
    assert ended.weights == ()  # the checkpoint has those of a later one
    assert same(run(request_), undisturbed)  # and it is as good as before


def test_epochs_are_taken_over_and_not_trained_again(request_, run, undisturbed, path):
    run(request_, until(5))
    saved = read_checkpoint(path, identity(request_))
    told = replace(saved.epochs[0], loss=123.0)  # as no training would have it
    write_checkpoint(path, identity(request_), replace(saved, epochs=(told, *saved.epochs[1:])))
    assert run(request_).epochs == (told, *undisturbed.epochs[1:])


# ------------------------------------------------------------------------- when one is written


def test_a_trial_shorter_than_the_interval_writes_none(request_, run, undisturbed, path):
    outcome = run(replace(request_, checkpoint=Checkpointing(path, 3600.0)))
    assert same(outcome, undisturbed)
    assert "checkpoint" not in outcome.seconds
    assert not path.parent.exists()


def test_one_is_written_when_the_interval_has_passed_since_the_last(
    request_, run, path, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    found = []

    def tick(_) -> bool:
        # what the epochs before have left
        name = identity(request_)
        saved = read_checkpoint(path, name)
        found.append(len(saved.epochs) if saved else 0)
        now[0] += 10.0
        return True

    run(replace(request_, checkpoint=Checkpointing(path, 25.0)), tick)
    assert found == [0, 0, 0, 3, 3, 3, 6, 6]


def test_nothing_but_the_last_one_is_left(request_, run, path):
    run(request_)
    assert list(path.parent.iterdir()) == [path]
    saved = read_checkpoint(path, identity(request_))
    assert len(saved.epochs) == EPOCHS - 1  # after the last epoch there is nothing to go on to
    remove_checkpoint(path)
    assert not any(path.parent.iterdir())


def test_its_time_is_told_and_is_none_of_the_steps(request_, run):
    started = time.perf_counter()
    outcome = run(replace(request_, task=epochs_of(request_, 40)))
    passed = time.perf_counter() - started
    assert outcome.seconds["checkpoint"] > 0
    assert sum(outcome.seconds.values()) <= passed


def epochs_of(request, epochs):
    training = request.task.training.model_copy(update={"epochs": epochs, "patience": epochs})
    return replace(request.task, training=training)


# ------------------------------------------------------------------------------ files of no use


def test_a_checkpoint_belongs_to_one_trial_wherever_its_rows_are(
    request_, make_task, series, hyperparameters
):
    task = request_.task
    copied = replace(task, rows=make_task(series).rows)
    assert copied.rows != task.rows
    assert identity(replace(request_, task=copied)) == identity(request_)
    other_rows = series.copy()
    other_rows[30, 1] += 1e-9
    later_rows = series.copy()
    later_rows[task.split.validation.end :] = 0.0
    seen = replace(task, rows=make_task(later_rows).rows)  # the test rows play no part in training
    assert identity(replace(request_, task=seen)) == identity(request_)
    shorter = replace(task.split.train, origins=task.split.train.origins[1:])
    others = [
        replace(request_, seed=SEED + 1),
        replace(request_, hyperparameters=hyperparameters(dropout=0.3)),
        replace(request_, task=replace(task, rows=make_task(other_rows).rows)),
        replace(request_, task=replace(task, targets=2)),
        replace(request_, task=replace(task, split=replace(task.split, train=shorter))),
        replace(request_, task=replace(task, split=replace(task.split, horizon=2))),
        replace(request_, task=epochs_of(request_, EPOCHS + 1)),
    ]
    assert len({identity(request) for request in [request_, *others]}) == 1 + len(others)


def test_another_trials_checkpoint_is_not_gone_on_from(request_, run, undisturbed):
    run(replace(request_, seed=SEED + 1), until(3))
    outcome = run(request_)
    assert outcome.resumed_from == 0
    assert same(outcome, undisturbed)


@pytest.mark.parametrize("changed", ["_FORMAT", "_PACKAGES"])
def test_a_checkpoint_of_another_version_is_not_gone_on_from(
    request_, run, undisturbed, monkeypatch, changed
):
    with monkeypatch.context() as earlier:
        earlier.setattr(checkpoint, changed, {"_FORMAT": 0, "_PACKAGES": ()}[changed])
        run(request_, until(3))
    outcome = run(request_)
    assert outcome.resumed_from == 0
    assert same(outcome, undisturbed)


def test_a_damaged_file_is_started_anew_over(request_, run, undisturbed, path):
    run(request_, until(3))
    path.write_bytes(path.read_bytes()[:-100])
    (path.parent / f"unfinished_{path.name}").write_bytes(b"PK")  # as a killed process leaves it
    outcome = run(request_, until(5))
    assert outcome.resumed_from == 0
    assert list(path.parent.iterdir()) == [path]
    resumed = run(request_)
    assert resumed.resumed_from == 4
    assert same(resumed, undisturbed)


@pytest.fixture
def made(path) -> Checkpoint:
    """A checkpoint as small as can be, in its file."""
    epoch = Epoch(1, 0.1, {"mse": 1 / 3}, 0.01, 5)
    generator = np.random.default_rng(1).bit_generator.state
    arrays = (np.arange(3, dtype=np.int64), np.ones((2, 2), np.float32))
    small = Checkpoint((epoch,), 1, arrays[1:], TrainerState(arrays, generator))
    write_checkpoint(path, "mine", small)
    return small


def equal(ours: Checkpoint, theirs: Checkpoint) -> bool:
    plain = [(c.epochs, c.best_epoch, c.trainer.generator) for c in (ours, theirs)]
    return (
        plain[0] == plain[1]
        and all_equal(ours.weights, theirs.weights)
        and all_equal(ours.trainer.variables, theirs.trainer.variables)
    )


def test_what_is_written_is_read(made, path):
    assert equal(read_checkpoint(path, "mine"), made)
    assert read_checkpoint(path, "another's") is None


def test_a_file_cut_short_anywhere_is_none(made, path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        assert read_checkpoint(path, "mine") is None


def test_a_file_with_a_bit_changed_is_none_or_the_same(made, path):
    whole = path.read_bytes()
    useless = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        found = read_checkpoint(path, "mine")
        useless += found is None
        assert found is None or equal(found, made)
    assert useless > len(whole) / 2


def test_other_things_under_its_name_are_none(path):
    path.mkdir(parents=True)
    assert read_checkpoint(path, "mine") is None
    path.rmdir()
    path.write_text("not a checkpoint\n")
    assert read_checkpoint(path, "mine") is None
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert read_checkpoint(path, "mine") is None
    with path.open("wb") as file:
        np.savez(file, about=np.array("[]"), allow_pickle=False)
    assert read_checkpoint(path, "mine") is None


# -------------------------------------------------------------------------------- no room for it


@contextmanager
def disk_of(size: int, directory: Path) -> Iterator[Path]:
    """A disk with room for `size` bytes; the test is skipped where none can be mounted."""
    directory.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command")
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    mounted = subprocess.run([mount, *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def test_a_full_disk_does_not_end_a_trial(request_, run, undisturbed, tmp_path):
    with disk_of(8192, tmp_path / "disk") as disk:
        full = Checkpointing(disk / "checkpoint.npz", 0.0)
        outcome = run(replace(request_, checkpoint=full))
        assert not any(disk.iterdir())
    assert same(outcome, undisturbed)
    assert outcome.seconds["checkpoint"] > 0


def test_the_last_whole_checkpoint_stays_when_the_disk_is_full_for_the_next(
    request_, run, undisturbed, tmp_path, path
):
    run(request_, until(3))
    size = path.stat().st_size
    with disk_of(int(1.5 * size), tmp_path / "disk") as disk:
        tight = replace(request_, checkpoint=Checkpointing(disk / "checkpoint.npz", 0.0))
        run(tight, until(5))
        assert [file.name for file in disk.iterdir()] == ["checkpoint.npz"]
        resumed = run(tight)
    assert resumed.resumed_from == 1
    assert same(resumed, undisturbed)


def test_a_process_that_may_not_write_so_much_goes_on_without(request_, path):
    def limit(epoch: Epoch) -> bool:
        if epoch.number == 1:
            child().rlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        return True

    undisturbed = run_in_process(replace(request_, checkpoint=None), always)
    assert same(run_in_process(request_, limit), undisturbed)
    assert not any(path.parent.iterdir())


def test_a_folder_that_cannot_be_made_does_not_end_a_trial(request_, run, undisturbed, tmp_path):
    nowhere = tmp_path / "missing" / "checkpoints" / "slot_3.npz"
    assert same(run(replace(request_, checkpoint=Checkpointing(nowhere, 0.0))), undisturbed)


def test_removing_takes_what_a_killed_process_left_and_needs_no_file(path):
    remove_checkpoint(path)
    path.parent.mkdir()
    for name in (path.name, f"unfinished_{path.name}"):
        (path.parent / name).write_bytes(b"PK")
    remove_checkpoint(path)
    assert not any(path.parent.iterdir())
