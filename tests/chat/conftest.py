import pytest
from tenacity import wait_none

from valuedrift.chat import failures
from valuedrift.config.chat import ChatJob


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch):
    """A retry comes at once, unless the server asks for a wait."""
    monkeypatch.setattr(failures, "BACKOFF", wait_none())


@pytest.fixture
def chat(tmp_path):
    """Makes a chat model at a server, as a step asks it."""

    def make(base_url: str | None, **settings) -> ChatJob:
        given = {"name": "talk", "spending": str(tmp_path / "spending"), "model": "talker", "base_url": base_url, "max_tokens": 32}
        return ChatJob(**{**given, **settings})

    return make
