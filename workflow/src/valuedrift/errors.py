"""The exception for errors that a user can cause."""


class UserError(Exception):
    """Ends a command with its message and exit status 1, without a traceback; it says what is wrong, where, what to do."""
