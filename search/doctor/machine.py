"""The machine: its cores, memory, processor and GPU, and what follows from them for a search."""

import os
from collections.abc import Iterator
from pathlib import Path

import joblib
import psutil

from search.doctor.finding import GIGABYTE, Finding
from search.doctor.memory import SHARED_MEMORY, WORKER_MEMORY, Memory, memory_here
from search.sections import StudySettings
from search.workers.devices import GPU_DRIVERS
from search.workers.processor import processor_here

_SECTION = "Machine"
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_LOOK_SECONDS = 0.5
_MUCH_LOAD = 0.3  # of the cores


def usual_workers(gpus: int) -> int:
    """How many trials a search runs at once where nothing else is asked for."""
    return gpus or joblib.cpu_count()


def machine_findings(gpus: int) -> Iterator[Finding]:
    """Cores, memory, processor and GPU; `gpus` is how many TensorFlow sees."""
    yield _cores()
    yield _load()
    yield _memory(memory_here(_MEMBERSHIP, _CONTROL_GROUPS), usual_workers(gpus))
    yield _processor()
    yield _gpu(gpus, any(Path(driver).exists() for driver in GPU_DRIVERS))


def _cores() -> Finding:
    usable, there = joblib.cpu_count(), os.cpu_count() or 1
    threads = StudySettings().threads
    limited = " (a container, the affinity or LOKY_MAX_CPU_COUNT allows no more)" * (usable < there)
    one = usable == 1
    return Finding(
        _SECTION,
        "cores",
        "slow" if one else "fine",
        f"{usable} of {there} usable{limited}: {usable} trial{'s' * (not one)} at once with {threads} "
        "thread each; --workers and --threads change that",
        "trials run one after the other; give the machine or the container more cores"
        if one
        else "",
        figures={"usable": usable, "there": there, "threads_a_trial": threads},
    )


def _load() -> Finding:
    busy = psutil.cpu_percent(_LOOK_SECONDS) / 100 * (os.cpu_count() or 1)
    many = busy > _MUCH_LOAD * joblib.cpu_count()
    return Finding(
        _SECTION,
        "load",
        "slow" if many else "fine",
        f"{busy:.1f} cores are busy with other programs",
        "end them, or ask for fewer --workers; the figures below suffer from them" if many else "",
        figures={"busy_cores": round(busy, 2)},
    )


def _memory(memory: Memory, wanted: int) -> Finding:
    enough = memory.workers
    gigabytes = f"{memory.total / GIGABYTE:.1f} GB, {memory.available / GIGABYTE:.1f} of them free"
    figures = {"total_bytes": memory.total, "available_bytes": memory.available, "workers": enough}
    if not enough:
        return Finding(
            _SECTION,
            "memory",
            "missing",
            f"{gigabytes}: not enough for one worker, which needs "
            f"{(SHARED_MEMORY + WORKER_MEMORY) / GIGABYTE:.1f} GB",
            "end other programs, or give the machine or the container more memory",
            figures=figures,
        )
    few = enough < wanted
    return Finding(
        _SECTION,
        "memory",
        "slow" if few else "fine",
        f"{gigabytes}: enough for {enough} worker{'s' * (enough > 1)} of "
        f"{WORKER_MEMORY / GIGABYTE:.1f} GB",
        f"a search starts {wanted} of them unless told otherwise: add --workers {enough}"
        if few
        else "",
        figures=figures,
    )


def _processor() -> Finding:
    found = processor_here()
    if found.vectors is None:
        return Finding(_SECTION, "processor", "fine", found.text)
    poor = "AVX2" not in found.vectors
    return Finding(
        _SECTION,
        "processor",
        "slow" if poor else "fine",
        found.text,
        "steps are slower without AVX2; a virtual machine may be hiding it" if poor else "",
        figures={"avx2": not poor, "avx512": "AVX-512" in found.vectors},
    )


def _gpu(gpus: int, driver: bool) -> Finding:
    figures = {"gpus": gpus, "driver": driver}
    if gpus:
        each = "one worker uses it" if gpus == 1 else "each has one worker"
        return Finding(
            _SECTION,
            "GPU",
            "fine",
            f"TensorFlow sees {gpus}: {each}, or several with --share-gpu",
            figures=figures,
        )
    if driver:
        return Finding(
            _SECTION,
            "GPU",
            "slow",
            "a GPU's driver is there, but TensorFlow sees no GPU: trials run on the CPU",
            "for an NVIDIA GPU: pip install 'tensorflow[and-cuda]'",
            figures=figures,
        )
    return Finding(_SECTION, "GPU", "fine", "none: trials run on the CPU", figures=figures)
