"""The one exception for what a user can cause."""


class UserError(Exception):
    """Ends a command with its message, exit status 1 and no traceback; the message says what to do."""
