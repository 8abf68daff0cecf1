"""The leakage audit in words."""

from collections.abc import Iterator, Sequence

from reports.contents import Check
from reports.wording import counted, listed


def audit_in_words(checks: Sequence[Check]) -> str:
    """Say in one sentence what the audit came to."""
    failed = [f"“{check.check}”" for check in checks if not check.passed]
    if not failed:
        return f"Audit: all {counted(len(checks), 'check')} for leakage passed."
    return f"AUDIT FAILED: it does not hold that {listed(failed)}."


def audit_lines(checks: Sequence[Check]) -> Iterator[str]:
    """A line for each check: whether it passed, the claim, and the evidence."""
    for check in checks:
        yield f"{'passed' if check.passed else '**FAILED**'}: {check.check} ({check.evidence})"
