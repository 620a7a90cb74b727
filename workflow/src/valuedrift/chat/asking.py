"""Asking an OpenAI-compatible server: so many questions at once, at a pace, each until it is answered."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from httpx2 import Response
from openai import APIError, AsyncOpenAI, DefaultAsyncHttpxClient
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from valuedrift.chat.completion import body, read
from valuedrift.chat.failures import Garbled, Unusable, explained, is_rejection, passes, wait, word
from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.pace import Pace, Stopped
from valuedrift.chat.server import serving
from valuedrift.chat.spending import Budget, estimate
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

PROGRESS = 30.0
"""Seconds between two lines of progress."""
AGAIN = retry_if_exception(lambda error: isinstance(error, APIError | Garbled) and passes(error))
REJECTIONS = USELESS = 20
"""So many rejected questions, or unusable answers, before the first good one are no chance: the settings are wrong."""


def answers(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> dict[str, Answer]:
    """Ask what is not `known` and store each answer in the ledger as it comes; returns, by key, the rejections alone.

    The memory that this takes does not grow with the answers. Raises UserError at the first question that cannot be answered, once
    those under way have come and are stored.
    """
    key, budget = api_key(config), Budget(config, ledger)
    budget.check()
    with serving(config) as address:
        asking = _Asking(questions, known, config, ledger, budget, address, key)
        try:
            asyncio.run(asking.run())
        finally:
            budget.close()
    return asking.rejected


def api_key(config: ChatJob) -> str:
    """The server's key, of the environment; raises UserError where it is not there."""
    variable = config.key_variable
    if variable is None and config.base_url is None and config.server is None:
        variable = "OPENAI_API_KEY"
    if variable is None:
        return "none"  # the SDK wants a word
    if not os.environ.get(variable):
        raise UserError(
            f"no key for {config.model}: set the environment variable {variable}, or the chat's `key_variable` to yours"
        )
    return os.environ[variable]


def redacted(words: str, key: str) -> str:
    """Without the key, which some servers repeat in their errors, and only then cut: a half key is still a secret."""
    return (words if key == "none" else words.replace(key, "***"))[:400]


class _Asking:
    """One run over the questions: workers that ask, and a writer that stores in one go what came while it last wrote."""

    def __init__(
        self, questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger, budget: Budget,
        address: str, key: str,
    ) -> None:  # fmt: skip
        self.waiting = ((key, request) for key, request in questions.items() if key not in known)
        self.before = [(key, questions[key]) for key in known][:1]
        """One question that an earlier run got answered, if there is any."""
        self.total, self.kept, self.good, self.wasted = len(questions), len(known), 0, 0
        self.config, self.ledger, self.budget, self.address, self.key = config, ledger, budget, address, key
        self.rejected: dict[str, Answer] = {}
        """Never stored: a restarted server, with other limits, may answer."""
        self.failure: str | None = None
        self.unsaved: dict[str, Answer] = {}
        self.useless: list[Answer] = []
        """What answers took that were of no use, until it is stored."""
        self.news = asyncio.Event()  # of unsaved answers, or that there will be no more
        self.finished = False
        self.pace = Pace(config)
        self.told = time.monotonic()

    async def run(self) -> None:
        # No proxy of the environment stands between the step and its own server.
        http = DefaultAsyncHttpxClient(trust_env=self.config.server is None)
        settings: dict[str, Any] = {"base_url": self.address, "timeout": self.config.timeout, "max_retries": 0}
        async with AsyncOpenAI(api_key=self.key, http_client=http, **settings) as self.client:
            writer = asyncio.create_task(self._write())
            try:
                await asyncio.gather(*(self._work() for _ in range(min(self.config.concurrency, self.total))))
            finally:
                self.finished = True
                self.news.set()
                await writer
            if self.rejected and not self.failure:
                await self._doubt()
        if self.failure:
            done = f"{self.kept} of {self.total} questions are answered and kept"
            raise UserError(f"{self.failure}. {done}; run again to ask only the rest")

    async def _work(self) -> None:
        for key, request in self.waiting:  # all workers share this iterator
            answer = await self._answer(key, request)
            if answer and "rejected" in answer:
                self.rejected[key] = answer
                if len(self.rejected) == REJECTIONS:
                    await self._doubt()
            elif answer:
                self._keep(key, answer)
            if self.failure:
                return

    async def _answer(self, key: str, request: "Request") -> Answer | None:
        """The answer, which may be a rejection, or none where the run stops."""
        retrying = AsyncRetrying(retry=AGAIN, wait=wait, sleep=self.pace.pause, stop=self._enough, reraise=True)
        try:
            return await retrying(self._attempt, key, request)
        except Stopped:
            return None
        except (APIError, Garbled) as error:
            if is_rejection(error):
                return {"rejected": redacted(word(error), self.key)}
            self._stop(explained(error, self.config.model, self.address))
            return None

    async def _attempt(self, key: str, request: "Request") -> Answer:
        tokens = sum(estimate(request, self.config))
        async with self.pace.turn(tokens):
            # As `chat.completions.create` does, but without its models of question and answer, a third of its time.
            response = await self.client.post("/chat/completions", cast_to=Response, body=body(key, request, self.config))
        self.pace.heed(response.headers, tokens)
        try:
            return read(json.loads(response.content), request, self.config)
        except ValueError as error:
            raise Garbled(f"an answer that is no chat completion ({error})") from error
        except Unusable as error:
            self.wasted += 1
            self.useless.append(error.paid)
            self.news.set()
            if self.wasted == USELESS and not self.good:
                self._stop(explained(error, self.config.model, self.address))
            raise

    def _keep(self, key: str, answer: Answer) -> None:
        self.good += 1
        self.unsaved[key] = answer
        self.news.set()
        if time.monotonic() - self.told > PROGRESS:
            self.told = time.monotonic()
            print(f"{self.kept} of {self.total} questions answered", file=sys.stderr, flush=True)

    async def _doubt(self) -> None:
        """Stop where nothing but rejections came in this run, unless the server answers again what it answered in an earlier one.

        That question is asked for a run whose last questions are all too long, which would never end otherwise.
        """
        for key, request in [] if self.good else self.before:
            answer = await self._answer(key, request)
            self.good += bool(answer and "rejected" not in answer)  # the ledger keeps the earlier one
        if not self.good:
            said = next(iter(self.rejected.values()))["rejected"]
            self._stop(f"{self.address} rejects every question: {said}. Mend the settings of the chat")

    def _stop(self, failure: str) -> None:
        self.failure = self.failure or redacted(failure, self.key)
        self.pace.stopped.set()

    def _enough(self, state: RetryCallState) -> bool:
        return self.pace.stopped.is_set() or state.attempt_number >= self.config.attempts

    async def _write(self) -> None:
        """Store what came. A commit takes 13 ms on a disk that others use too, so it happens in a thread, for all at once."""
        while self.unsaved or self.useless or not self.finished:
            await self.news.wait()
            self.news.clear()
            batch, useless, self.unsaved, self.useless = self.unsaved, self.useless, {}, []
            try:
                await asyncio.to_thread(self._store, batch, useless)
            except UserError as error:
                self._stop(str(error))

    def _store(self, batch: dict[str, Answer], useless: list[Answer]) -> None:
        self.ledger.put(batch, useless)
        self.kept += len(batch)
        self.budget.spend([*batch.values(), *useless])
