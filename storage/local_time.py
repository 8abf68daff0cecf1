"""Times as the database holds them and as people read them."""

from datetime import UTC, datetime


def local_time(moment: datetime) -> datetime:
    """The local time, without a zone, of a UTC time without one."""
    return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
