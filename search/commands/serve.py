"""`lstm-search serve`: answer requests for forecasts over HTTP."""

from objectives.errors import InputError
from search.serving.settings import Serving


def execute(settings: Serving) -> int:
    """Serve until a signal comes."""
    try:
        from search.serving.server import serve  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f"to serve, {error.name} is needed: pip install 'lstm-search[serve]'"
        ) from None
    serve(settings)
    return 0
