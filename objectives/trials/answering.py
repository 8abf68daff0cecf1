"""What a forked process does: it carries out one request, and sends what comes of it to its caller.

TensorFlow and converters are imported where a request needs them: the caller knows this module too.
"""

import gc
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from objectives.classification.messages import ProbabilitiesOutcome, ProbabilitiesRequest
from objectives.export.messages import (
    ComparisonOutcome,
    ComparisonRequest,
    ConversionOutcome,
    ConversionRequest,
)
from objectives.lstm.kernel.object_code import compiled, remember
from objectives.trials.messages import (
    Compute,
    DivergedError,
    Epoch,
    ForecastOutcome,
    ForecastRequest,
    RefitOutcome,
    RefitRequest,
    TrialOutcome,
    TrialRequest,
)

Prediction = ForecastRequest | ProbabilitiesRequest
Request = TrialRequest | RefitRequest | Prediction | ConversionRequest | ComparisonRequest
Predicted = ForecastOutcome | ProbabilitiesOutcome
Outcome = TrialOutcome | RefitOutcome | Predicted | ConversionOutcome | ComparisonOutcome


@dataclass(frozen=True)
class Started:
    """The first sign of life of a process, which has TensorFlow imported by then."""


@dataclass(frozen=True)
class Asking:
    """After each epoch: shall the trial go on?"""

    epoch: Epoch


@dataclass(frozen=True)
class Compiled:
    """Before the outcome: the layers' code that was not known yet."""

    code: dict[str, bytes]


@dataclass(frozen=True)
class Failed:
    """Instead of an outcome; `lost` says that another try may do better."""

    reason: str
    details: str
    lost: bool = False


def answer_gpus(connection: Connection) -> None:
    """Send how many GPUs TensorFlow finds."""
    from objectives.trials import trial  # noqa: PLC0415

    connection.send(trial.gpus())


def answer(
    connection: Connection, request: Request, compute: Compute, known: dict[str, bytes]
) -> None:
    """Carry out the request, and send what comes of it or why nothing does."""
    # A collection that looks through all of TensorFlow's objects takes a quarter of a second, and makes
    # this process copy the memory that they lie in.
    gc.freeze()
    remember(known)
    from objectives.trials import trial  # noqa: PLC0415  (imported by the server, never by the caller)

    def go_on(epoch: Epoch) -> bool:
        connection.send(Asking(epoch))
        return bool(connection.recv())

    try:
        connection.send(Started())
        trial.prepare_device(compute)
        outcome = _carry_out(request, go_on)
        connection.send(Compiled({s: c for s, c in compiled.items() if c is not known.get(s)}))
        connection.send(outcome)
    except DivergedError as error:
        connection.send(Failed(f"diverged: {error}", ""))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the worker is gone: nobody is left to tell
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        connection.send(Failed(reason, traceback.format_exc(), lost=_of_means(error)))


def _carry_out(request: Request, go_on: Callable[[Epoch], bool]) -> Outcome:
    """Each kind of request by the module that knows how; these import TensorFlow and converters."""
    if isinstance(request, ConversionRequest):
        from objectives.export.conversion import convert  # noqa: PLC0415

        return convert(request)
    if isinstance(request, ComparisonRequest):
        from objectives.export.comparison import compare  # noqa: PLC0415

        return compare(request)
    if isinstance(request, ProbabilitiesRequest):
        from objectives.classification.predicting import probabilities  # noqa: PLC0415

        return probabilities(request)
    from objectives.trials import trial  # noqa: PLC0415

    if isinstance(request, RefitRequest):
        return trial.refit(request)
    if isinstance(request, ForecastRequest):
        return trial.forecast(request)
    return trial.run_trial(request, go_on)


def _of_means(error: Exception) -> bool:
    """Whether memory ran out, of which TensorFlow has an error of its own, or a file failed."""
    named = type(error).__name__ == "ResourceExhaustedError"
    return named or isinstance(error, MemoryError | OSError)
