"""The ways in which a faulty server answers, by name, and the answers themselves, which are functions of the question alone."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from typing import Any

MODEL = "talker"
MEGABYTE = b" " * 1_000_000
Likeliest = list[tuple[str, float]]


def draw(*of: object) -> float:
    """A number in [0, 1) that is the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:6]) / 2**48


@dataclass(frozen=True)
class Asked:
    """A question, the key that came with it, and the address of another origin."""

    question: str
    key: str = "none"
    away: str = ""

    @property
    def wrong(self) -> "Asked":
        """A question whose answer must not be taken for this one's."""
        return Asked(f"not {self.question}", self.key, self.away)


@dataclass(frozen=True)
class Sent:
    """A response: its body comes piece by piece, with a pause after each."""

    status: int = 200
    body: Iterable[bytes] = ()
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """The length that the header claims, where it is not the body's."""
    before: float = 0.0
    """Seconds before the first byte."""
    pause: float = 0.0
    dripped_head: bool = False
    dropped: bool = False
    """The connection is closed without a word."""


@dataclass(frozen=True)
class Fault:
    """One way to answer; its weight says how often it comes among those that do so by default."""

    send: Callable[[Asked], Sent]
    weight: int = 5
    right: bool = False
    """The answer is the question's own and can be used."""


def right(question: str) -> tuple[str, Likeliest]:
    """The one right answer: a letter, and the likeliest tokens with their logprobs."""
    letter = "ABC"[int(draw(question) * 3)]
    return letter, [(letter, -0.1), *((f"t{rank}", round(-3 - rank - draw(question, rank), 6)) for rank in range(19))]


def completion(asked: Asked, text: str | None = None, likeliest: Likeliest | None = None, **changed: Any) -> dict[str, Any]:
    """The right answer to a question, with another text, other logprobs or other keys where they are given."""
    letter, usual = right(asked.question)
    top = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in likeliest or usual]
    content = [{"token": letter, "logprob": -0.1, "bytes": None, "top_logprobs": top}]
    message = {"role": "assistant", "content": text or letter, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": content, "refusal": None}}
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}, **changed,
    }  # fmt: skip


def encoded(whole: Any) -> bytes:
    return json.dumps(whole).encode()


def error(status: int, message: str = "busy", **headers: str) -> Sent:
    body = {"error": {"message": message, "code": None, "type": None}}
    return Sent(status, [encoded(body)], {name.replace("_", "-"): value for name, value in headers.items()})


def wrong(**changed: Any) -> Fault:
    """A whole answer to another question, which must be refused for what is changed in it."""
    return Fault(lambda asked: Sent(body=[encoded(completion(asked.wrong, **changed))]), weight=1)


def with_choice(asked: Asked, **changed: Any) -> bytes:
    whole = completion(asked)
    return encoded(whole | {"choices": [whole["choices"][0] | changed]})


def raw(make: Callable[[Asked], bytes], weight: int = 1, right: bool = False, **sent: Any) -> Fault:
    return Fault(lambda asked: Sent(body=[make(asked)], **sent), weight, right)


def used(**usage: Any) -> Fault:
    """A right answer that says that it took this many tokens."""
    return raw(lambda asked: encoded(completion(asked, usage=usage)), right=True)


@cache
def bomb() -> bytes:
    """300 kB that inflates to 300 MB."""
    deflate = zlib.compressobj(wbits=31)
    return b"".join([*(deflate.compress(MEGABYTE) for _ in range(300)), deflate.flush()])


BYTES_ONLY = {"content": [{"bytes": [65], "logprob": -0.1, "top_logprobs": [{"bytes": [65], "logprob": -0.1}]}]}
FAULTS = {
    # what passes
    "429": Fault(lambda _: error(429)),
    "429 with Retry-After": Fault(lambda _: error(429, retry_after="1")),
    "500": Fault(lambda _: error(500)),
    "503": Fault(lambda _: error(503)),
    "dropped": Fault(lambda _: Sent(dropped=True)),
    "30 s stall": Fault(lambda asked: Sent(body=[encoded(completion(asked.wrong))], before=30.0), 1),
    # paid, and of no use
    "cut off": Fault(lambda asked: Sent(body=[encoded(completion(asked.wrong))[:-30]], length=10**6)),
    "truncated JSON": raw(lambda asked: encoded(completion(asked.wrong))[:-40], 5),
    "no choices": raw(lambda asked: encoded(completion(asked.wrong, choices=[])), 5),
    "no logprobs": raw(lambda asked: with_choice(asked.wrong, logprobs=None), 5),
    "wrong model": raw(lambda asked: encoded(completion(asked.wrong, model="babbler")), 5),
    "error with status 200": raw(lambda _: encoded({"error": {"message": "overloaded"}})),
    "not JSON": raw(lambda _: b"<html>so sorry</html>"),
    # impossible numbers
    "NaN logprob": wrong(likeliest=[("A", float("nan")), ("B", -2.0)]),
    "every logprob -inf": wrong(likeliest=[("A", float("-inf")), ("B", float("-inf"))]),
    "bytes-only logprobs": raw(lambda asked: with_choice(asked.wrong, logprobs=BYTES_ONLY)),
    "logprob above 0": wrong(likeliest=[("A", 5.0), ("B", 2.0), ("C", 1.0)]),
    "logprob 709.5, repeated": wrong(likeliest=[("A", 709.5)] * 20),
    "logprob 1000": wrong(likeliest=[("A", 1000.0)]),
    "token repeated": wrong(likeliest=[("A", -0.1)] * 20),
    "JSON 200,000 deep": raw(lambda _: b"[" * 200_000 + b"]" * 200_000),
    "integer of 5,000 digits": raw(lambda asked: encoded(completion(asked.wrong)).replace(b'"created": 0', b'"created": ' + b"9" * 5000)),
    "lone surrogate": wrong(text="\ud800"),
    "negative usage": used(prompt_tokens=-220_001_000_000, completion_tokens=-1),
    "absurd usage": used(prompt_tokens=10**18, completion_tokens=10**18),
    "no usage": used(),
    # slow, and large
    "dripped body": Fault(lambda asked: Sent(body=map(bytes, zip(encoded(completion(asked.wrong)))), pause=0.5), 0),
    "dripped head": Fault(lambda asked: Sent(body=[encoded(completion(asked.wrong))], pause=0.5, dripped_head=True), 0),
    "body of 100 MB": Fault(lambda asked: Sent(body=[*repeat(MEGABYTE, 100), encoded(completion(asked.wrong))]), 0),
    "text of 5 MB": wrong(text="A" * 5_000_000),
    "error of 100 MB": Fault(lambda _: Sent(500, [b'{"error": {"message": "', *repeat(MEGABYTE, 100), b'"}}']), 0),
    "gzip bomb": raw(lambda _: bomb(), 0, headers={"Content-Encoding": "gzip"}),
    # secrets
    "key in the text": raw(lambda asked: encoded(completion(asked, text=f"A, {asked.key}")), 0, right=True),
    "key in an error": Fault(lambda asked: error(500, f"I know {asked.key}", x_key=asked.key), 0),
    "half of the key in an error": Fault(lambda asked: error(500, f"I know {asked.key[: len(asked.key) // 2]}"), 0),
    "redirect to another origin": Fault(lambda asked: Sent(307, headers={"Location": asked.away}), 0),
}  # fmt: skip
"""Those of weight 0 come only where they are named: they take minutes, much memory, or end the run."""
