"""What is wrong with a request."""


class RequestError(ValueError):
    """A request that cannot be answered: its HTTP status, and the reason in one line."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
