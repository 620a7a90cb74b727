"""What is sent for one question, and what is kept of its answer: the same in live requests and in batches."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from valuedrift.chat.credentials import hidden, redacted
from valuedrift.chat.ledger import Answer
from valuedrift.chat.malformed import MalformedAnswer, UnusableAnswer
from valuedrift.chat.messages import Request
from valuedrift.chat.places import FIRST, place_of
from valuedrift.chat.spending import estimate, payer
from valuedrift.config.chat import ChatJob

NO_COMPLETION = "returns what is not a chat completion"
NO_LOGPROBS = "returns no logprobs", "set the judge's `reading: sampling` or ask another server"
MOST_TOKENS = 2_000_000
"""Tokens of a question or an answer: no model takes or gives more. A server that says more, or less than none, is not believed."""
ENTRY = 1_000
"""Bytes of a token in an answer's JSON, with its logprob and its bytes, a number each: 100 on average, 830 for 128 blanks."""


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


def longest(requests: Iterable[Request], config: ChatJob) -> int:
    """Return the most bytes that the tokens of an answer to one of these take, with the logprobs that are asked for."""
    logprobs = max((request.logprobs or 0 for request in requests), default=0)
    return config.max_tokens * (1 + logprobs) * ENTRY


def parsed(content: bytes, broken: Exception | None, request: Request, config: ChatJob) -> Any:
    """Return the JSON of an answer of status 200; raises UnusableAnswer where it is none, perhaps as something `broken` it off."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # cut or garbled, integers of thousands of digits, lists in lists in lists
        raise UnusableAnswer(MalformedAnswer(NO_COMPLETION, str(broken or error)), paid(None, request, config)) from broken


def read(completion: Any, request: Request, config: ChatJob, key: str) -> Answer:
    """Return what the ledger keeps of a completion's JSON, without the server's `key`.

    These are text, refusal, finish_reason, usage [tokens of the question, of the answer], by [chat, model, revision] and, where
    logprobs were wanted, places [token, [[token, logprob], ...]], likeliest first. Raises UnusableAnswer, which holds the usage in
    any case, where it is not a chat completion, is another model's, lacks the logprobs or has impossible ones.
    """
    used = paid(completion, request, config)
    try:
        answer = _answer(completion, request, config, key)
        json.dumps(answer, ensure_ascii=False).encode()
    except MalformedAnswer as malformed:
        raise UnusableAnswer(malformed, used) from malformed
    except UnicodeEncodeError as error:  # half of a pair of surrogates, which no table can hold
        raise UnusableAnswer(MalformedAnswer("returns text that is not Unicode"), used) from error
    return answer | used


def paid(completion: Any, request: Request, config: ChatJob) -> Answer:
    """Return the usage of an answer and who pays for it; tokens that cannot be read or believed are estimated.

    So a cap holds with the most that may have been paid: an estimated answer is as long as allowed.
    """
    said = completion.get("usage") if isinstance(completion, dict) else None
    counts = [said.get(f"{part}_tokens") if isinstance(said, dict) else None for part in ("prompt", "completion")]
    usage = [
        count if type(count) is int and 0 <= count <= MOST_TOKENS else math.ceil(guess)
        for count, guess in zip(counts, estimate(request, config), strict=True)
    ]
    return {"usage": usage, "by": payer(config)}


def _answer(completion: Any, request: Request, config: ChatJob, key: str) -> Answer:
    match completion:
        case {"choices": [{"message": {**message}} as choice, *_], **rest}:
            said = {"text": message.get("content"), "refusal": message.get("refusal"), "finish_reason": choice.get("finish_reason")}
        case _:
            raise MalformedAnswer(NO_COMPLETION)
    if not all(isinstance(part, str | None) for part in said.values()):
        raise MalformedAnswer(NO_COMPLETION)
    # A name may come back dated, as gpt-4o does as gpt-4o-2024-08-06; gpt-4o-mini is another model.
    name = str(rest.get("model"))[:1_000]
    if not re.fullmatch(rf"{re.escape(config.model)}(-[\d-]+)?", name):
        raise MalformedAnswer(
            f"answers as the model `{redacted(name, key)[:100]}` where `{config.model}` is asked", "fix the chat's `model`"
        )
    room = 16 * config.max_tokens + 1_000  # characters; English has 4 a token, and a server may not count as the model does
    if len(said["text"] or "") > room:
        said["finish_reason"] = "length"
    answer: Answer = {part: text and hidden(text[:room], key) for part, text in said.items()}
    if request.logprobs is not None and not said["refusal"] and said["finish_reason"] != "content_filter":
        answer["places"] = _places(choice.get("logprobs"), said["text"], request.logprobs, key)
    return answer


def _places(logprobs: Any, text: str | None, most: int, key: str) -> list[tuple[str, list[tuple[str, float]]]]:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if content is None or (text and not content):
        raise MalformedAnswer(*NO_LOGPROBS)
    places = []
    try:
        for said in content[:FIRST]:
            if not said["top_logprobs"]:
                raise MalformedAnswer(*NO_LOGPROBS)
            place = place_of(said["token"], [(one["token"], one["logprob"]) for one in said["top_logprobs"]])
            likeliest = place.likeliest[: most + 1]  # vLLM adds the token itself to those that were asked for
            places.append((hidden(place.token, key), [(hidden(token, key), logprob) for token, logprob in likeliest]))
    except (KeyError, TypeError) as error:
        raise MalformedAnswer("returns malformed logprobs") from error
    return places
