"""What a trial's figures depend on besides its seed: versions, the processor, and what it may use."""

import platform
from functools import cache
from importlib.metadata import version

from objectives.trials.messages import Compute
from search.workers.processor import processor_here

ENVIRONMENT = "environment"  # a trial's attribute
_PACKAGES = ("lstm-search", "tensorflow", "keras", "numpy")


@cache
def environment(compute: Compute) -> dict[str, str]:
    """The versions and the hardware of trials here, by name."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "processor": processor_here().text,
        "threads": str(compute.threads),
        "GPU": "no" if compute.gpu is None else "yes",
    }
