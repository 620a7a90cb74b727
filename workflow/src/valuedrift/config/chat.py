"""Chat models behind an OpenAI-compatible server: one of OpenAI's, one that is there, or one that a step starts for itself."""

import re
from datetime import date
from typing import Any

from pydantic import model_validator

from valuedrift.config.base import Closed, Count, NonNegative, Rate, Share


class PriceConfig(Closed):
    input: NonNegative
    """US dollars for a million tokens of questions."""
    output: NonNegative
    """US dollars for a million tokens of answers."""
    batch: Share = 0.5
    """What the Batch API takes, as a share of these."""
    day: date
    """When these prices were read."""


class ChatConfig(Closed):
    model: str
    """Name of the model, as its server knows it."""
    revision: str | None = None
    """Version of the model. Answers are kept by it, so a new one asks anew; a `server` command can hold it as {revision}."""
    base_url: str | None = None
    """Address of the server, up to and with /v1; OpenAI's own by default."""
    server: list[str] | None = None
    """Command that serves the model for as long as a step asks, with {port}, {model}, {revision} and {folder} filled in, such as
    `["vllm", "serve", "{folder}", "--served-model-name", "{model}", "--port", "{port}"]`; instead of `base_url`. Where it holds
    {folder}, the model is downloaded from the hub at its `revision` before; without it the server must find its model by itself,
    offline."""
    key_variable: str | None = None
    """Name of the environment variable that holds the server's key: OPENAI_API_KEY by default for OpenAI, none for other servers.
    The key itself stands in no config, log or ledger."""
    temperature: NonNegative = 0.0
    """Sampling temperature; 0 is greedy. Above 0 each question is sent with a seed of its own."""
    max_tokens: Count
    """Longest answer, in tokens; an answer that is cut there counts as none."""
    concurrency: Count = 16
    """Questions under way at once: the most; fewer where the server says that it is busy."""
    requests_per_minute: Count | None = None
    """Pace, evenly spaced; none where the server sets no limit. It is each job's, and one job asks at a time unless
    Snakemake is told otherwise (`--resources api=2`)."""
    tokens_per_minute: Count | None = None
    """The same in tokens, of questions and longest answers."""
    batch: bool = False
    """Ask through OpenAI's Batch API: at half the price, with answers within a day."""
    poll: Rate = 60
    """Seconds between two looks whether a batch is done."""
    price: PriceConfig | None = None
    """For the plan before a run, and for `spending_cap`."""
    spending_cap: Rate | None = None
    """US dollars that all jobs of the study may spend on this model; what is answered until then is kept."""
    shutdown: date | None = None
    """Day on which the model is shut down; every run warns of it."""
    attempts: Count = 6
    """How often a question is asked while the server is busy, fails or cannot be reached."""
    timeout: Rate = 120
    """Seconds to wait for an answer."""
    startup: Rate = 600
    """Seconds that the `server` may take to start."""

    @property
    def is_downloaded(self) -> bool:
        """Whether the server wants the model's folder."""
        return any("{folder}" in part for part in self.server or [])

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the answers; the rest is how they are fetched."""
        return self.model_dump(include={"model", "revision", "temperature", "max_tokens"})

    @model_validator(mode="after")
    def _server_is_complete(self) -> "ChatConfig":
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError("`base_url` must begin with http:// or https://")
        if self.key_variable is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key_variable):
            raise ValueError("`key_variable` is the name of an environment variable, in capitals, not the key itself")
        if self.spending_cap is not None and self.price is None:
            raise ValueError("`spending_cap` needs `price`: what a million tokens cost")
        if self.batch and self.server is not None:
            raise ValueError("`batch` is of a service; a `server` of the step's own answers at once")
        if self.server is None:
            return self
        if self.base_url is not None:
            raise ValueError("give `base_url` or `server`, not both")
        command = " ".join(self.server)
        if "{port}" not in command:
            raise ValueError("`server` must contain {port}: where the model is to be served")
        if "{revision}" in command and self.revision is None:
            raise ValueError("`server` contains {revision}: give a `revision`")
        return self


class ChatJob(ChatConfig):
    """A chat model as a step asks it."""

    name: str
    """Its name in the study."""
    spending: str
    """Folder in which each ledger of the study says what it has cost."""
