"""What is sent for one question, and what is kept of its answer: the same on every route."""

from typing import TYPE_CHECKING, Any

from valuedrift.chat.ledger import Answer
from valuedrift.config.chat import ChatJob

if TYPE_CHECKING:
    from valuedrift.chat.client import Request


def body(key: str, request: "Request", config: ChatJob) -> dict[str, Any]:
    """The JSON of a chat completion's request. `key` seeds a sampled answer: the same question asks for the same draw."""
    # OpenAI's newer models know only the one name of the limit, some other servers only the older one.
    limit = "max_completion_tokens" if config.base_url is None and config.server is None else "max_tokens"
    system = [] if request.system is None else [{"role": "system", "content": request.system}]
    messages = [*system, {"role": "user", "content": request.user}]
    sent: dict[str, Any] = {
        "model": config.model,
        "messages": messages,
        limit: config.max_tokens,
        "temperature": config.temperature,
    }
    if config.temperature > 0:
        sent["seed"] = int(key[:7], 16)
    if request.logprobs is not None:
        sent |= {"logprobs": True, "top_logprobs": request.logprobs}
    return sent


def read(completion: Any, request: "Request", config: ChatJob) -> Answer:
    """What the ledger keeps of a completion's JSON: text, refusal, finish_reason, usage [question's and answer's tokens] and, where
    wanted, places [token, [[token, logprob], ...]]. Raises Garbled where it is no whole answer of this model to this question."""
    raise NotImplementedError
