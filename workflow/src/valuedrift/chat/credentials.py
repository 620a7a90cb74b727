"""The key of a chat model's server, and texts without it."""

import os

from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

NO_KEY = "none"
"""Sent where a server needs no key: the SDK insists on some text."""
PART = 8
"""Characters of a key that are a secret by themselves. A shorter key is a placeholder, such as "EMPTY"; answers may have it."""
LONGEST = 400
"""Characters of a message."""


def api_key(config: ChatJob) -> str:
    """Return the server's key from the environment; raises UserError where it is not set, or cannot be sent."""
    variable = config.key_variable
    if variable is None and config.base_url is None and config.server is None:
        variable = "OPENAI_API_KEY"
    if variable is None:
        return NO_KEY
    if not (key := os.environ.get(variable, "")):
        raise UserError(
            f"no key for {config.model}: set the environment variable {variable}, or the chat's `key_variable` to yours"
        )
    if not all("!" <= character <= "~" for character in key):
        raise UserError(
            f"the environment variable {variable} holds no key: there is a blank, a line break or a character beyond ASCII in it. "
            "Set it to the key alone"
        )
    return key


def hidden(text: str, key: str) -> str:
    """Return the text with *** in place of every part of the key that has `PART` characters or more."""
    if len(text) < PART or key == NO_KEY:
        return text
    secret = set[int]()
    for start in range(len(key) - PART + 1):
        at = text.find(key[start : start + PART])
        while at >= 0:
            secret.update(range(at, at + PART))
            at = text.find(key[start : start + PART], at + 1)
    pieces = ("" if i in secret and i - 1 in secret else "***" if i in secret else character for i, character in enumerate(text))
    return "".join(pieces) if secret else text


def redacted(message: str, key: str) -> str:
    """Return the first characters of a message in one printable line, without the key, which some servers repeat in their errors.

    The key is taken out before the text is cut: half a key is still a secret. A key that is short goes too.
    """
    line = " ".join("".join(character if character.isprintable() else " " for character in message).split())
    return hidden(line if key == NO_KEY else line.replace(key, "***"), key)[:LONGEST]
