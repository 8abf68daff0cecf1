"""TensorFlow imported without what its C++ parts say meanwhile, which no environment variable silences.

And without Matplotlib and scikit-learn, which Keras imports where it finds them, for plots and wrappers
that no trial makes: they are over a quarter of the seconds, and 80 MiB.

Preloaded by the forkserver before all else; what fails to import still raises. What they say later,
short of what is fatal, does go by a variable, which is set here unless the user has set it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_UNUSED = ("matplotlib", "sklearn")


@contextmanager
def _silence() -> Iterator[None]:
    kept, nothing = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nothing)


@contextmanager
def _hidden() -> Iterator[None]:
    names = [name for name in _UNUSED if name not in sys.modules]
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _silence(), _hidden():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
