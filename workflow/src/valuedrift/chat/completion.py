"""What is sent for one question, and what is kept of its answer: the same in live requests and in batches."""

import math
import re
from typing import Any

from valuedrift.chat.failures import MalformedAnswer, UnusableAnswer
from valuedrift.chat.ledger import Answer
from valuedrift.chat.messages import Request
from valuedrift.chat.spending import payer
from valuedrift.config.chat import ChatJob

NO_LOGPROBS = "returns no logprobs: set the judge's `reading: sampling` or ask another server"


def body(key: str, request: Request, config: ChatJob) -> dict[str, Any]:
    """Return the JSON of a chat completion's request. `key` seeds a sampled answer: the same question asks for the same draw."""
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


def read(completion: Any, request: Request, config: ChatJob) -> Answer:
    """Return what the ledger keeps of a completion's JSON.

    These are text, refusal, finish_reason, usage [tokens of the question, of the answer], by [chat, model, revision] and, where
    logprobs were wanted, places [token, [[token, logprob], ...]], likeliest first. Raises MalformedAnswer where it is not a chat
    completion, UnusableAnswer where it is another model's or lacks the logprobs.
    """
    match completion:
        case {"choices": [{"message": {**message}} as choice, *_]} if isinstance(message.get("content"), str | None):
            text, refusal, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
        case _:
            raise MalformedAnswer("an answer that is not a chat completion")
    paid: Answer = {"usage": _usage(completion.get("usage")), "by": payer(config)}
    # A name may come back dated, as gpt-4o does as gpt-4o-2024-08-06; gpt-4o-mini is another model.
    if not re.fullmatch(rf"{re.escape(config.model)}(-[\d-]+)?", str(answered_by := completion.get("model"))):
        raise UnusableAnswer(f"answers as the model `{answered_by}` where `{config.model}` is asked: fix the chat's `model`", paid)
    answer = {"text": text, "refusal": refusal, "finish_reason": finish, **paid}
    if request.logprobs is not None and not refusal and finish != "content_filter":
        answer["places"] = _places(choice.get("logprobs"), text, paid)
    return answer


def _usage(usage: Any) -> list[int]:
    counts = usage if isinstance(usage, dict) else {}
    return [count if isinstance(count := counts.get(f"{part}_tokens"), int) else 0 for part in ("prompt", "completion")]


def _places(logprobs: Any, text: Any, paid: Answer) -> list[tuple[str, list[tuple[str, float]]]]:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if content is None or (text and not content):
        raise UnusableAnswer(NO_LOGPROBS, paid)
    try:
        places = [(str(place["token"]), _likeliest(place["top_logprobs"])) for place in content]
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedAnswer("an answer with malformed logprobs") from error
    if not all(likeliest for _, likeliest in places):
        raise UnusableAnswer(NO_LOGPROBS, paid)
    return places


def _likeliest(top: Any) -> list[tuple[str, float]]:
    pairs = [(str(one["token"]), float(one["logprob"])) for one in top]
    if not all(math.isfinite(logprob) for _, logprob in pairs):
        raise ValueError("a logprob that is not a finite number")
    return sorted(pairs, key=lambda pair: -pair[1])
