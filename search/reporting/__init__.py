"""The winner tested once, and a report of it put together."""
