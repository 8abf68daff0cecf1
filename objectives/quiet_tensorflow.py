"""TensorFlow imported without what its C++ parts say meanwhile, which no environment variable silences.

Preloaded by the forkserver before all else; what fails to import still raises. What they say later,
short of what is fatal, does go by a variable, which is set here unless the user has set it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


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


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _silence():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
