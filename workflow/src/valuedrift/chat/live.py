"""Live requests to an OpenAI-compatible server: several at once, at a pace, each repeated until it is answered."""

import asyncio
import json
import sys
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from httpx2 import Response
from openai import APIError, AsyncOpenAI, DefaultAsyncHttpxClient
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from valuedrift.chat.completion import body, read
from valuedrift.chat.credentials import api_key, redacted
from valuedrift.chat.failures import (
    MalformedAnswer,
    UnusableAnswer,
    explanation,
    is_rejection,
    is_transient,
    seconds_to_wait,
    server_message,
)
from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.pace import Pace, Stopped
from valuedrift.chat.server import serving
from valuedrift.chat.spending import Budget, estimate
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

PROGRESS_INTERVAL = 30.0
"""Seconds between two lines of progress."""
RETRY = retry_if_exception(lambda error: isinstance(error, APIError | MalformedAnswer) and is_transient(error))
MAX_REJECTED = MAX_UNUSABLE = 20
"""Rejected questions, or unusable answers, before the first good one. With this many the settings are wrong."""


def answers(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> dict[str, Answer]:
    """Ask what is not `known` and store each answer in the ledger as it comes; return, by key, the rejections alone.

    Its memory does not grow with the number of answers. Raises UserError at the first question that cannot be answered, once the
    answers to those under way are stored.
    """
    key, budget = api_key(config), Budget(config, ledger)
    budget.check()
    with serving(config) as address:
        run = _LiveRun(questions, known, config, ledger, budget, address, key)
        try:
            asyncio.run(run.run())
        finally:
            budget.close()
    return run.rejected


class _LiveRun:
    """One run over the questions: workers that ask, and a writer that stores all answers that came while it last wrote."""

    def __init__(
        self, questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger, budget: Budget,
        address: str, key: str,
    ) -> None:  # fmt: skip
        self.waiting = ((key, request) for key, request in questions.items() if key not in known)
        self.before = [(key, questions[key]) for key in known][:1]
        """One question that an earlier run got an answer to, if there is any."""
        self.total, self.kept, self.good, self.unusable = len(questions), len(known), 0, 0
        self.config, self.ledger, self.budget, self.address, self.key = config, ledger, budget, address, key
        self.rejected: dict[str, Answer] = {}
        """Never stored: a restarted server, with other limits, may answer."""
        self.failure: str | None = None
        self.unsaved: dict[str, Answer] = {}
        self.useless: list[Answer] = []
        """Usage of answers that were of no use, until it is stored."""
        self.changed = asyncio.Event()  # there are unsaved answers, or there will be no more
        self.finished = False
        self.pace = Pace(config)
        self.reported = time.monotonic()

    async def run(self) -> None:
        # A proxy of the environment must not stand between the step and its own server.
        http = DefaultAsyncHttpxClient(trust_env=self.config.server is None)
        settings: dict[str, Any] = {"base_url": self.address, "timeout": self.config.timeout, "max_retries": 0}
        async with AsyncOpenAI(api_key=self.key, http_client=http, **settings) as self.client:
            writer = asyncio.create_task(self._write())
            try:
                await asyncio.gather(*(self._work() for _ in range(min(self.config.concurrency, self.total))))
            finally:
                self.finished = True
                self.changed.set()
                await writer
            if self.rejected and not self.failure:
                await self._check_rejections()
        if self.failure:
            done = f"{self.kept} of {self.total} questions are answered and kept"
            raise UserError(f"{self.failure}. {done}; run again to ask only the rest")

    async def _work(self) -> None:
        for key, request in self.waiting:  # all workers share this iterator
            answer = await self._answer(key, request)
            if answer and "rejected" in answer:
                self.rejected[key] = answer
                if len(self.rejected) == MAX_REJECTED:
                    await self._check_rejections()
            elif answer:
                self._keep(key, answer)
            if self.failure:
                return

    async def _answer(self, key: str, request: "Request") -> Answer | None:
        """Return the answer, which may be a rejection, or None where the run stops."""
        retrying = AsyncRetrying(retry=RETRY, wait=seconds_to_wait, sleep=self.pace.pause, stop=self._is_last, reraise=True)
        try:
            return await retrying(self._attempt, key, request)
        except Stopped:
            return None
        except (APIError, MalformedAnswer) as error:
            if is_rejection(error):
                return {"rejected": redacted(server_message(error), self.key)}
            self._stop(explanation(error, self.config.model, self.address))
            return None

    async def _attempt(self, key: str, request: "Request") -> Answer:
        tokens = sum(estimate(request, self.config))
        async with self.pace.turn(tokens):
            # As `chat.completions.create` does, without its pydantic models of request and answer, a third of its time.
            response = await self.client.post("/chat/completions", cast_to=Response, body=body(key, request, self.config))
        self.pace.apply_limits(response.headers, tokens)
        try:
            return read(json.loads(response.content), request, self.config)
        except ValueError as error:
            raise MalformedAnswer(f"an answer that is not a chat completion ({error})") from error
        except UnusableAnswer as error:
            self.unusable += 1
            self.useless.append(error.paid)
            self.changed.set()
            if self.unusable == MAX_UNUSABLE and not self.good:
                self._stop(explanation(error, self.config.model, self.address))
            raise

    def _keep(self, key: str, answer: Answer) -> None:
        self.good += 1
        self.unsaved[key] = answer
        self.changed.set()
        if time.monotonic() - self.reported > PROGRESS_INTERVAL:
            self.reported = time.monotonic()
            print(f"{self.kept} of {self.total} questions answered", file=sys.stderr, flush=True)

    async def _check_rejections(self) -> None:
        """Stop if this run got only rejections, unless the server still answers a question that it answered in an earlier run.

        Without that question a run whose last questions are all too long could never be finished.
        """
        for key, request in [] if self.good else self.before:
            answer = await self._answer(key, request)
            self.good += bool(answer and "rejected" not in answer)  # the ledger keeps the earlier one
        if not self.good:
            message = next(iter(self.rejected.values()))["rejected"]
            self._stop(f"{self.address} rejects every question: {message}. Correct the settings of the chat")

    def _stop(self, failure: str) -> None:
        self.failure = self.failure or redacted(failure, self.key)
        self.pace.stopped.set()

    def _is_last(self, state: RetryCallState) -> bool:
        return self.pace.stopped.is_set() or state.attempt_number >= self.config.attempts

    async def _write(self) -> None:
        """Store the answers. A commit takes 13 ms on a shared disk, so it runs in a thread, once for all that have come."""
        while self.unsaved or self.useless or not self.finished:
            await self.changed.wait()
            self.changed.clear()
            batch, useless, self.unsaved, self.useless = self.unsaved, self.useless, {}, []
            try:
                await asyncio.to_thread(self._store, batch, useless)
            except UserError as error:
                self._stop(str(error))

    def _store(self, batch: dict[str, Answer], useless: list[Answer]) -> None:
        self.ledger.put(batch, useless)
        self.kept += len(batch)
        self.budget.spend([*batch.values(), *useless])
