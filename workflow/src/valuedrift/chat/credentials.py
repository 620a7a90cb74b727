"""The key of a chat model's server, and texts without it."""

import os

from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

NO_KEY = "none"
"""Sent where a server needs no key: the SDK insists on some text."""


def api_key(config: ChatJob) -> str:
    """Return the server's key from the environment; raises UserError where it is not set."""
    variable = config.key_variable
    if variable is None and config.base_url is None and config.server is None:
        variable = "OPENAI_API_KEY"
    if variable is None:
        return NO_KEY
    if not os.environ.get(variable):
        raise UserError(
            f"no key for {config.model}: set the environment variable {variable}, or the chat's `key_variable` to yours"
        )
    return os.environ[variable]


def redacted(text: str, key: str) -> str:
    """Return the first 400 characters without the key, which some servers repeat in their errors.

    The key is taken out before the text is cut: half a key is still a secret.
    """
    return (text if key == NO_KEY else text.replace(key, "***"))[:400]
