"""Asking through OpenAI's Batch API: at half the price, within a day, in batches that outlive the job."""

import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, TypeVar

from httpx2 import HTTPError, Response
from httpx2 import Request as HttpRequest
from openai import APIConnectionError, APIError, APIStatusError, NotFoundError, OpenAI
from openai.types import Batch
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from valuedrift.chat import completion
from valuedrift.chat.asking import api_key, redacted
from valuedrift.chat.failures import Garbled, Unusable, explained, is_rejection, passes, wait, word
from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.server import OPENAI
from valuedrift.chat.spending import Budget, cost, estimate, payer
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

T = TypeVar("T")
REQUESTS = 50_000
"""Most requests of a batch."""
BYTES = 200_000_000
"""Most bytes of its file."""
LISTED = 500
"""So many of the account's latest batches are searched for one that a killed job created and did not note."""
STORED = 1_000
"""Answers that go into the ledger in one transaction."""
NO_COMPLETION = "an answer that is no chat completion"
ENDED = ("completed", "expired", "failed", "cancelled")


def answers_by_batch(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> dict[str, Answer]:
    """Ask what is not `known` and store the answers in the ledger; returns, by key, the rejections alone, as live asking does.

    What a batch leaves open, because it expired or single questions failed, goes into the next one, `attempts` times. Raises
    UserError where questions cannot be answered, once all that is under way has come and is stored.
    """
    with _asking(questions, known, config, ledger) as batches:
        batches.run()
    return batches.rejected


def fetch_batches(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> None:
    """Wait for the batches that are to answer what is not `known`, and store what they answered; no other batch is begun."""
    with _asking(questions, known, config, ledger) as batches:
        batches.fetch()


@contextmanager
def _asking(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> "Iterator[_Batches]":
    key = api_key(config)
    with closing(Budget(config, ledger)) as budget:
        asking = _Batches(questions, known, config, ledger, budget, key)
        try:
            with asking.client:
                yield asking
        except OSError as error:
            raise UserError(f"no room for a batch's file ({error}): set TMPDIR to a folder with some, then run again") from error


class _Batches:
    """One run over the questions: round by round, batches with all that is still open."""

    def __init__(
        self, questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger, budget: Budget, key: str
    ) -> None:
        self.questions, self.config, self.ledger, self.budget, self.key = questions, config, ledger, budget, key
        self.address = config.base_url or OPENAI
        self.client = OpenAI(api_key=key, base_url=self.address, timeout=config.timeout, max_retries=0)
        self.answered = set(known)
        self.rejected: dict[str, Answer] = {}
        """Never stored, as in live asking."""
        self.tries: Counter[str] = Counter()
        self.failure = "no batch answered them"
        """What was last said about a question without an answer, or about a batch."""
        self.hopeless: str | None = None
        """A failure that another batch would meet too."""
        self.whole: str | None = None
        """Why the last batch failed that did so as a whole."""
        self.useless: list[Answer] = []
        """What answers took that were of no use, until it is stored."""
        self.told: dict[str, str] = {}
        self.ended: set[str] = set()

    def run(self) -> None:
        while missing := self._missing(self.questions):
            if max(self.tries[key] for key in missing) >= self.config.attempts:
                raise self._end(f"{len(missing)} questions have no answer after {self.config.attempts} batches: {self.failure}")
            self._round(missing)
        if self.rejected and not self.answered:
            said = next(iter(self.rejected.values()))["rejected"]
            raise self._end(f"{self.address} rejects every question: {said}. Mend the settings of the chat")

    def fetch(self) -> None:
        self._await(set(self.ledger.under_way(self._missing(self.questions)).values()))

    def _round(self, missing: list[str]) -> None:
        """Put everything that is missing into batches, unless it is in one, and wait for them all."""
        under_way = self.ledger.under_way(missing)
        refusal = None
        for chunk in self._chunks(key for key in missing if key not in under_way):
            try:
                self.budget.check(self._cost(chunk))
            except UserError as error:
                refusal = error
                break
            under_way |= dict.fromkeys(chunk, self._begun(chunk))
        self.tries.update(under_way.keys())
        self._await(set(under_way.values()))
        if self.hopeless:
            raise self._end(self.hopeless)
        if len(self._missing(missing)) < len(missing):
            return  # what came may have cost less than was feared, or made room for a batch that the account had none for
        if refusal:
            raise refusal
        if self.whole:
            raise self._end(
                f"{self.whole}. Mend that, or where the account may have no more under way, wait until others have ended"
            )

    def _missing(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if not (key in self.answered or key in self.rejected)]

    def _cost(self, keys: Iterable[str]) -> float:
        """US dollars that the questions may cost, at most but for the guess at their tokens."""
        tokens = [estimate(self.questions[key], self.config) for key in keys]
        return cost(self.config.price, sum(asked for asked, _ in tokens), sum(most for _, most in tokens), batch=True)

    # --- creating ---

    def _chunks(self, keys: Iterable[str]) -> Iterator[list[str]]:
        """The keys in the batches that they go into."""
        chunk, size = list[str](), 0
        for key in keys:
            length = len(self._line(key))
            if chunk and (len(chunk) == REQUESTS or size + length > BYTES):
                yield chunk
                chunk, size = [], 0
            chunk.append(key)
            size += length
        if chunk:
            yield chunk

    def _line(self, key: str) -> bytes:
        body = completion.body(key, self.questions[key], self.config)
        return json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}).encode() + b"\n"

    def _begun(self, chunk: list[str]) -> str:
        """Id of a batch with these questions, noted in the ledger: a killed job's, or a new one.

        The search is repeated before each attempt: a server whose reply was lost may have created the batch all the same.
        """
        digest = hashlib.sha256("\n".join(sorted(chunk)).encode()).hexdigest()
        missing = f"{self.address} has no Batch API for this key: set `chats.{self.config.name}.batch: false`"
        batch = self._call(lambda: self._found(digest) or self._created(digest, chunk), missing)
        tokens = {key: estimate(self.questions[key], self.config) for key in chunk}
        self.ledger.note_batch(
            batch.id, {k: {"usage": most, "by": payer(self.config), "batch": True} for k, most in tokens.items()}
        )
        self.budget.look_under_way()
        print(f"{self.config.model}: batch {batch.id} with {len(chunk)} questions", file=sys.stderr, flush=True)
        return batch.id

    def _found(self, digest: str) -> Batch | None:
        """A batch of just these questions that has answers, or may still get some."""
        for batch in islice(self.client.batches.list(limit=100), LISTED):
            if (batch.metadata or {}).get("valuedrift") != digest or batch.id in self.ended:
                continue
            done = batch.request_counts.completed if batch.request_counts else 0
            if batch.status in ("validating", "in_progress", "finalizing") or (batch.status in ("completed", "expired") and done):
                return batch
        return None

    def _created(self, digest: str, chunk: list[str]) -> Batch:
        with tempfile.TemporaryFile() as file:
            file.writelines(map(self._line, chunk))
            file.seek(0)
            uploaded = self.client.files.create(file=(f"{digest[:16]}.jsonl", file), purpose="batch")
        return _whole(
            self.client.batches.create(
                input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"valuedrift": digest}
            )
        )

    # --- waiting ---

    def _await(self, batches: set[str]) -> None:
        """Until all have ended; what a batch answered is stored when it has."""
        while batches:
            for batch in [self._looked_at(name) for name in sorted(batches)]:
                if batch.status in ENDED:
                    self._harvest(batch)
                    batches.remove(batch.id)
            if batches:
                time.sleep(self.config.poll)

    def _looked_at(self, name: str) -> Batch:
        batch = self._call(
            lambda: _whole(self.client.batches.retrieve(name)),
            missing=f"{self.address} knows no batch {name}, for which this ledger waits: use the key of the account that made it, "
            f"or ask its questions anew after {self.ledger.how_to_forget(name)}",
        )
        counts = batch.request_counts
        line = f"batch {name}: {batch.status}" + (f", {counts.completed} of {counts.total} answered" if counts else "")
        if line != self.told.get(name):
            self.told[name] = line
            print(f"{self.config.model}: {line}", file=sys.stderr, flush=True)
        return batch

    def _harvest(self, batch: Batch) -> None:
        """Store what an ended batch answered; only then it is forgotten."""
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            with tempfile.TemporaryFile() as lines:
                if self._call(partial(self._downloaded, file, lines)):
                    while some := list(islice(lines, STORED)):
                        self._keep(some)
        if batch.status == "failed":
            said = "; ".join(error.message or "" for error in (batch.errors and batch.errors.data) or []) or "it does not say why"
            self.whole = self._redacted(f"batch {batch.id} failed: {said}")
        self.ledger.forget_batch(key for key, name in self.ledger.under_way(self.questions).items() if name == batch.id)
        self.budget.look_under_way()
        self.ended.add(batch.id)

    def _downloaded(self, file: str, target: IO[bytes]) -> bool:
        """Whether the file is still there; it is written to `target`, which is then read from its start."""
        target.seek(0)
        target.truncate()
        try:
            with self.client.files.with_streaming_response.content(file) as response:
                target.writelines(response.iter_bytes())
        except NotFoundError:  # servers keep them for a month or so
            self.failure = f"the file {file} with a batch's answers is gone from the server"
            return False
        target.seek(0)
        return True

    def _keep(self, lines: list[bytes]) -> None:
        read = {key: answer for key, answer in map(self._read, lines) if key and answer}
        self.ledger.put(read, self.useless)
        self.answered.update(read)
        self.budget.add([*read.values(), *self.useless])
        self.useless = []

    # --- reading ---

    def _read(self, line: bytes) -> tuple[str, Answer | None]:
        """Key and answer of a line; no answer where it failed, no key where it is none of the questions that wait for one."""
        try:
            item = json.loads(line)
            key = str(item["custom_id"])
        except (ValueError, KeyError, TypeError):
            self.failure = "a line that is no answer"
            return "", None
        if key not in self.questions or not self._missing([key]):
            return "", None
        try:
            return key, self._answer(key, item) | {"batch": True}
        except (Garbled, APIStatusError) as error:
            self._failed(key, error)
            return key, None

    def _answer(self, key: str, item: dict[str, Any]) -> Answer:
        response = item.get("response")
        if not isinstance(response, dict):
            error = item.get("error")
            raise Garbled(str(error["message"]) if isinstance(error, dict) and "message" in error else NO_COMPLETION)
        body, status = response.get("body"), response.get("status_code")
        if not isinstance(status, int):
            raise Garbled(NO_COMPLETION)
        if status != HTTPStatus.OK:  # in the SDK's form, so that failures.py knows what becomes of it
            said = body.get("error", body) if isinstance(body, dict) else body
            reply = Response(status, request=HttpRequest("POST", f"{self.address}/chat/completions"))
            raise APIStatusError(str(said), response=reply, body=said)
        return completion.read(body, self.questions[key], self.config)

    def _failed(self, key: str, error: Garbled | APIStatusError) -> None:
        if isinstance(error, Unusable):
            self.useless.append(error.paid | {"batch": True})
        if is_rejection(error):
            self.rejected[key] = {"rejected": self._redacted(word(error))}
        elif passes(error):
            self.failure = self._redacted(word(error))
        else:
            self.hopeless = self._redacted(explained(error, self.config.model, self.address))

    # --- failing ---

    def _call(self, ask: Callable[[], T], missing: str | None = None) -> T:
        """Ask the server, again while it is busy or fails; `missing` is what a 404 means."""
        again = Retrying(retry=retry_if_exception(passes), wait=wait, stop=stop_after_attempt(self.config.attempts), reraise=True)
        try:
            return again(partial(_in_one_language, ask))
        except (APIError, Garbled) as error:
            told = missing if missing and isinstance(error, NotFoundError) else None
            raise self._end(told or explained(error, self.config.model, self.address)) from error

    def _end(self, failure: str) -> UserError:
        told = f"{self._redacted(failure)}. {len(self.answered)} of {len(self.questions)} questions are answered and kept"
        return UserError(f"{told}; run again to ask only the rest")

    def _redacted(self, words: str) -> str:
        return redacted(words, self.key)


def _whole(batch: Batch) -> Batch:
    if not isinstance(batch, Batch) or not (batch.id and batch.status):  # the SDK lets pass whatever the server sends
        raise Garbled("an answer that is no batch")
    return batch


def _in_one_language(ask: Callable[[], T]) -> T:
    """Ask, with failures that the SDK lets pass as they are in the words that failures.py knows."""
    try:
        return ask()
    except HTTPError as error:  # while a file comes
        raise APIConnectionError(message=str(error), request=HttpRequest("GET", OPENAI)) from error
    except ValueError as error:
        raise Garbled(f"an answer that is no JSON ({error})") from error
