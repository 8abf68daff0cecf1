"""What each worker may compute with: its threads, and its GPU where the machine has one."""

from pathlib import Path

import joblib

from objectives.errors import InputError
from objectives.trials.messages import Compute
from objectives.trials.trial_process import count_gpus
from search.sections import StudySettings
from search.workers.processes import outcome_of

GPU_DRIVERS = (
    "/dev/nvidiactl",
    "/dev/kfd",
    "/dev/dxg",
)  # NVIDIA, AMD, and either under Windows' Linux


def plan_compute(settings: StudySettings) -> tuple[Compute, ...]:
    """One entry for each worker.

    Raises:
        InputError: more workers than GPUs, and sharing was not asked for.
    """
    return _shared_out(settings, _gpus_here())


def _shared_out(settings: StudySettings, gpus: int) -> tuple[Compute, ...]:
    a_core_each = max(1, joblib.cpu_count() // settings.threads)
    if not gpus:
        return (Compute(settings.threads),) * (settings.workers or a_core_each)
    workers = settings.workers or (a_core_each if settings.share_gpu else gpus)
    if workers > gpus and not settings.share_gpu:
        raise InputError(
            f"[study] workers is {workers}, but this machine has {gpus} GPU{'s' * (gpus > 1)}: ask for "
            f"at most {gpus}, or let workers share with --share-gpu"
        )
    return tuple(Compute(settings.threads, gpu=number % gpus) for number in range(workers))


def _gpus_here() -> int:
    """How many GPUs TensorFlow can use; asking takes seconds, so only where there is a driver."""
    if not any(Path(driver).exists() for driver in GPU_DRIVERS):
        return 0
    return outcome_of(count_gpus, workers=1)
