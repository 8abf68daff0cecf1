"""How a command ends.

Exit codes: 0 done, 1 a mistake of the user's, 2 usage, 3 a bug (with its traceback), 130 interrupted.
"""

import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NoReturn

import typer

_KEPT = "what is finished is kept: run it again to go on"


def exit_with(carry_out: Callable[[], int]) -> NoReturn:
    """Turn what a command returns or raises into an exit code and, where it failed, into words."""
    try:
        code = carry_out()
    except typer.Exit:
        raise
    except KeyboardInterrupt as error:
        print(
            f"lstm-search: {error}" if str(error) else "lstm-search: interrupted", file=sys.stderr
        )
        code = 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone; Python would complain at exit
        code = 1
    except Exception as error:
        code = _explain(error)
    raise typer.Exit(code)


def _explain(error: Exception) -> int:
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    from objectives.errors import InputError  # noqa: PLC0415
    from objectives.trials.trial_process import LostTrialError  # noqa: PLC0415
    from reports.bundle.errors import BundleError  # noqa: PLC0415
    from storage.errors import StorageError, is_full, reason  # noqa: PLC0415

    said = None
    if isinstance(error, InputError | BundleError | StorageError):
        said = f"{error}"
    elif is_full(error):
        said = f"no room is left ({reason(error)}): make some, and the same command goes on"
    elif isinstance(error, DBAPIError | StorageInternalError):
        said = f"the database: {reason(error)}; {_KEPT}"
    elif isinstance(error, OSError) and not _has_temporary_folder():
        said = "no folder for temporary files can be written: name one in the variable TMPDIR"
    elif isinstance(error, LostTrialError):
        said = f"{error}; {_KEPT}"
    elif isinstance(error, OSError) and error.filename:
        said = f"{error.filename}: {error.strerror}; {_KEPT}"
    if said is not None:
        print(f"lstm-search: {said}", file=sys.stderr)
        return 1
    traceback.print_exception(error)
    print("lstm-search: this is a bug; please report it with the lines above", file=sys.stderr)
    return 3


def _has_temporary_folder() -> bool:
    try:
        return bool(tempfile.gettempdir())
    except FileNotFoundError:
        return False
