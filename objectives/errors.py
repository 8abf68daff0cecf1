"""The one exception that stands for a mistake of the user's."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what is wrong, where (file, column, row or key), what was received, and
    what to do. The command line prints it as it stands and exits with code 1.
    """
