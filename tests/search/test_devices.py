"""Who computes with what: threads, and GPUs that are shared only where asked for."""

import joblib
import pytest

from objectives.errors import InputError
from objectives.trials.messages import Compute
from search.sections import StudySettings
from search.workers.devices import _shared_out, plan_compute


def test_without_a_gpu_there_is_a_worker_for_each_core_or_for_each_set_of_threads():
    cores = joblib.cpu_count()
    assert plan_compute(StudySettings()) == (Compute(1),) * cores
    assert plan_compute(StudySettings(threads=cores)) == (Compute(cores),)
    assert plan_compute(StudySettings(workers=3, threads=2)) == (Compute(2),) * 3


def test_with_gpus_each_worker_has_one_of_its_own():
    assert _shared_out(StudySettings(), 2) == (Compute(1, 0), Compute(1, 1))
    assert _shared_out(StudySettings(workers=1), 2) == (Compute(1, 0),)


def test_a_gpu_is_shared_only_where_asked_for():
    with pytest.raises(
        InputError, match="workers is 3, but this machine has 2 GPUs: ask for at most 2"
    ):
        _shared_out(StudySettings(workers=3), 2)
    shared = _shared_out(StudySettings(workers=3, share_gpu=True), 2)
    assert [compute.gpu for compute in shared] == [0, 1, 0]
