"""TensorFlow imported without what its C++ parts say meanwhile, which no environment variable silences.

Preloaded by the forkserver before all else; what fails to import still raises.
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


with _silence():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
