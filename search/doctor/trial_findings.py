"""What a real trial tells about this machine: does it run, and is every part of it fast?"""

from collections.abc import Iterator

from objectives.settings import TrainingSettings
from objectives.trials.trial_process import TrialFailedError
from search.doctor.finding import Finding
from search.doctor.trial_speed import TYPICAL, TrialSpeed, measure_trial
from search.sections import StudySettings

_SECTION = "Trial"
_SLOW_WINDOWS = 5_000  # a second; the machine of the README's tables makes 22,000
_SLOW_START = 1.0  # seconds
_SLOW_PREPARATION = 8.0  # seconds
_EXAMPLE_WINDOWS = 10_000


def trial_findings(gpus: int, workers: int) -> Iterator[Finding]:
    """Try a trial, and tell how fast it was and what that means for a search by `workers`."""
    try:
        speed = measure_trial(TYPICAL, gpus)
    except TrialFailedError as error:
        yield failed_trial(str(error))
        return
    yield _start(speed)
    yield _preparation(speed)
    yield _steps(speed)
    yield _search(speed, workers)


def failed_trial(reason: str) -> Finding:
    """The finding that no trial can run."""
    return Finding(
        _SECTION,
        "trial",
        "missing",
        f"a trial came to no result: {reason}",
        "every trial of a search would fail so; see to the reason first",
        stops=True,
    )


def _start(speed: TrialSpeed) -> Finding:
    slow = speed.start > _SLOW_START
    return Finding(
        _SECTION,
        "start",
        "slow" if slow else "fine",
        f"{speed.start:.2f} s until a trial's process runs; {speed.first_start:.1f} s for the first "
        "of each worker",
        "end other programs, and let no virus scanner watch Python's folder" if slow else "",
        figures={
            "start_seconds": round(speed.start, 4),
            "first_start_seconds": round(speed.first_start, 2),
        },
    )


def _preparation(speed: TrialSpeed) -> Finding:
    slow = speed.trace + speed.compile > _SLOW_PREPARATION
    return Finding(
        _SECTION,
        "preparation",
        "slow" if slow else "fine",
        f"{speed.trace:.1f} s to trace a trial's network and {speed.compile:.1f} s to compile it",
        "longer trials feel it less: more epochs or more data" if slow else "",
        figures={
            "trace_seconds": round(speed.trace, 3),
            "compile_seconds": round(speed.compile, 3),
        },
    )


def _steps(speed: TrialSpeed) -> Finding:
    slow = speed.windows_a_second < _SLOW_WINDOWS
    return Finding(
        _SECTION,
        "steps",
        "slow" if slow else "fine",
        f"{speed.windows_a_second:,.0f} windows a second ({TYPICAL.timesteps} rows, "
        f"{TYPICAL.units[0]} units), {1000 * speed.seconds_an_update:.1f} ms an update of "
        f"{TYPICAL.batch_size}: {speed.operations_a_second / 1e9:,.0f} thousand million "
        "calculations a second (GFLOP/s)",
        "end other programs; where there are none, a newer processor or narrower networks"
        if slow
        else "",
        figures={
            "windows_a_second": round(speed.windows_a_second),
            "update_milliseconds": round(1000 * speed.seconds_an_update, 3),
            "gflops": round(speed.operations_a_second / 1e9, 2),
            "peak_memory_mib": round(speed.peak_memory),
        },
    )


def _search(speed: TrialSpeed, workers: int) -> Finding:
    trials, epochs = StudySettings().trials, TrainingSettings().epochs
    seconds = speed.seconds_of_trial(epochs, _EXAMPLE_WINDOWS)
    minutes = trials * seconds / workers / 60
    by = "1 worker" if workers == 1 else f"{workers} workers"
    return Finding(
        _SECTION,
        "search",
        "fine",
        f"{epochs} epochs of {_EXAMPLE_WINDOWS:,} such windows would take {seconds:.0f} s, and "
        f"{trials} such trials by {by} {minutes:.0f} minutes; pruning saves some of them",
        figures={"example_trial_seconds": round(seconds, 1), "example_minutes": round(minutes, 2)},
    )
