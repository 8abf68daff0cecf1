"""Times as the database holds them and as people read them."""

from datetime import UTC, datetime


def local_time(moment: datetime) -> datetime:
    """The local time, without a zone, of a UTC time without one.

    Its `fold` tells the two hours apart that bear one name when summer time ends.
    """
    return datetime.fromtimestamp(moment.replace(tzinfo=UTC).timestamp())
