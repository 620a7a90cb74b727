"""Chat models behind an OpenAI-compatible server: OpenAI's, a running one, or one that a step starts."""

import re
from typing import Any

from pydantic import model_validator

from valuedrift.config.base import Closed, Count, Day, NonNegative, Rate, Share

_ADDRESS = re.compile(r"https?://(?P<user>[^/?#]*@)?([\w.-]+|\[[0-9a-fA-F:.]+\])(:(?P<port>\d{1,5}))?(/[\w.~%/+:-]*)?", re.ASCII)


class PriceConfig(Closed):
    input: NonNegative
    """US dollars per million input tokens."""
    output: NonNegative
    """US dollars per million output tokens."""
    batch: Share = 0.5
    """Price of the Batch API, as a share of these prices."""
    day: Day
    """Date on which these prices were looked up."""


class ChatConfig(Closed):
    model: str
    """Name of the model on its server."""
    revision: str | None = None
    """Version of the model. Answers are stored with it, so that a new one asks again; a `server` command can contain {revision}."""
    base_url: str | None = None
    """Address of the server, including /v1; OpenAI's by default. It holds no password, and no redirect is followed from it."""
    server: list[str] | None = None
    """Command that serves the model while a step asks it, instead of `base_url`, with {port}, {model}, {revision} and {folder}
    filled in, such as `["vllm", "serve", "{folder}", "--served-model-name", "{model}", "--port", "{port}"]`. If it contains
    {folder}, the model is first downloaded from the hub at its `revision`; otherwise the server must find it without a network."""
    key_variable: str | None = None
    """Name of the environment variable with the server's key: OPENAI_API_KEY by default for OpenAI, none for other servers. The key
    itself is never written to a config, log or ledger."""
    temperature: NonNegative = 0.0
    """Sampling temperature; 0 is greedy. Above 0, each question is sent with its own seed."""
    max_tokens: Count
    """Longest answer, in tokens; an answer that is cut at this length counts as missing."""
    concurrency: Count = 16
    """Largest number of concurrent requests; fewer are sent if the server reports that it is busy."""
    requests_per_minute: Count | None = None
    """Request rate of each job, evenly spaced; unlimited by default. One job asks at a time unless Snakemake is started with
    more (`--resources api=2`)."""
    tokens_per_minute: Count | None = None
    """Token rate of each job, counting questions and longest answers; unlimited by default."""
    batch: bool = False
    """Use OpenAI's Batch API: half the price, with answers within a day."""
    poll: Rate = 60
    """Seconds between two checks whether a batch is done."""
    price: PriceConfig | None = None
    """Prices, for the plan before a run and for `spending_cap`."""
    spending_cap: Rate | None = None
    """US dollars that all jobs of the study together may spend on this model; answers received until then are kept."""
    shutdown: Day | None = None
    """Day on which the model is shut down; every run warns of it."""
    attempts: Count = 6
    """How often a question is tried while the server is busy, fails or cannot be reached. An answer that is paid for and cannot be
    used is asked for three times at most; then the question stays without one, with the reason."""
    timeout: Rate = 120
    """Seconds to wait for an answer, from the connection to its last byte."""
    startup: Rate = 600
    """Seconds to wait for the `server` to start."""

    @property
    def is_downloaded(self) -> bool:
        """Return True if the `server` command needs the model's folder, so that the model is downloaded."""
        return any("{folder}" in part for part in self.server or [])

    @property
    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the answers; the others only decide how they are fetched."""
        return self.model_dump(include={"model", "revision", "temperature", "max_tokens"})

    @model_validator(mode="after")
    def _server_is_complete(self) -> "ChatConfig":
        if self.base_url is not None:
            _check_address(self.base_url)
        if self.key_variable is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key_variable):
            raise ValueError("`key_variable` is the name of an environment variable, in capitals, not the key itself")
        if self.spending_cap is not None and self.price is None:
            raise ValueError("`spending_cap` needs `price`: the cost of a million tokens")
        if self.batch and self.server is not None:
            raise ValueError("`batch` works with OpenAI's service only; remove it, or `server`")
        if self.server is None:
            return self
        if self.base_url is not None:
            raise ValueError("give `base_url` or `server`, not both")
        command = " ".join(self.server)
        if "{port}" not in command:
            raise ValueError("`server` must contain {port}: the port of the model's server")
        if "{revision}" in command and self.revision is None:
            raise ValueError("`server` contains {revision}: give a `revision`")
        return self


class ChatJob(ChatConfig):
    """The config of a chat model for one step."""

    name: str
    """Name of the chat model in the study."""
    spending: str
    """Folder in which each ledger of the study records its cost."""


def _check_address(url: str) -> None:
    """Raise ValueError where `base_url` is no address; the message does not repeat it, as it may hold a secret."""
    found = _ADDRESS.fullmatch(url)
    if found and found["user"]:
        raise ValueError(
            "`base_url` holds a user or a password: put the key into the environment variable that `key_variable` names"
        )
    if not found or not int(found["port"] or 80) < 2**16:
        raise ValueError(
            "`base_url` is no address: write http:// or https://, a host, perhaps a port of up to 65535, and a path, such as "
            "http://localhost:8000/v1"
        )
