"""Search for the best LSTM: `Study` says what is wanted, `run_study` finds it.

from search import Study, run_study

result = run_study(Study(data={"targets": ["temp"], "horizon": 6}), frame)
result.scores, result.trials, result.histories, result.load_model()
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.running import run_study
    from search.study import Study

__all__ = ["Study", "run_study"]


def __getattr__(name: str) -> Any:
    """Import on first use: the command line's help must not wait for pandas and Optuna."""
    if name == "Study":
        from search.study import Study  # noqa: PLC0415

        return Study
    if name == "run_study":
        from search.running import run_study  # noqa: PLC0415

        return run_study
    raise AttributeError(f"module 'search' has no attribute {name!r}")
