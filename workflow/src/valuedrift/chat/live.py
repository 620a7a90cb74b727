"""Live requests to an OpenAI-compatible server: several at once, at a pace, each repeated until it is answered."""

import asyncio
import sys
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from httpx2 import Response
from openai import APIError, AsyncOpenAI
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from valuedrift.chat.completion import body, longest, parsed, read
from valuedrift.chat.credentials import api_key, redacted
from valuedrift.chat.failures import (
    MAX_UNUSABLE,
    PAID_TRIES,
    explanation,
    is_rejection,
    is_transient,
    seconds_to_wait,
    server_message,
)
from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.malformed import UnusableAnswer
from valuedrift.chat.pace import Pace, Stopped
from valuedrift.chat.server import serving
from valuedrift.chat.spending import Budget, estimate
from valuedrift.chat.wire import Wire
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

PROGRESS_INTERVAL = 30.0
"""Seconds between two lines of progress."""
RETRY = retry_if_exception(lambda error: isinstance(error, APIError | UnusableAnswer) and is_transient(error))
MAX_REJECTED = 20
"""Rejected questions before the first good answer. With this many the settings are wrong."""
ROOM = 250_000
"""Bytes of an answer beside its tokens; usually 500."""


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
        self.proof = next(((key, questions[key]) for key, answer in ledger.each(known) if "unusable" not in answer), None)
        """One question that got an answer in this run or an earlier one, if there is any."""
        self.total, self.kept, self.good = len(questions), len(known), 0
        self.config, self.ledger, self.budget, self.address, self.key = config, ledger, budget, address, key
        self.wire = Wire(ROOM + longest(questions.values(), config), trust_env=config.server is None)
        self.rejected: dict[str, Answer] = {}
        """Never stored: a restarted server, with other limits, may answer."""
        self.doubtful: dict[str, Answer] = {}
        """Questions without a usable answer, stored once a later question has one: the server may answer so to all."""
        self.paid_tries, self.unusable = ledger.paid_tries(), 0
        """Unusable answers to each question, in all runs, and to all since the last good answer."""
        self.complaint = ""
        """What is wrong with the latest of them."""
        self.failure: str | None = None
        self.unsaved: dict[str, Answer] = {}
        self.useless: list[Answer] = []
        """Usage of answers that were of no use, until it is stored."""
        self.changed = asyncio.Event()  # there are unsaved answers, or there will be no more
        self.finished = False
        self.pace = Pace(config)
        self.reported = time.monotonic()

    async def run(self) -> None:
        settings: dict[str, Any] = {"base_url": self.address, "timeout": self.config.timeout, "max_retries": 0}
        async with AsyncOpenAI(api_key=self.key, http_client=self.wire, **settings) as self.client:
            writer = asyncio.create_task(self._write())
            try:
                await asyncio.gather(*(self._work() for _ in range(min(self.config.concurrency, self.total))))
                if self.good and not self.failure:
                    self._believe()
                elif self.rejected or self.doubtful:
                    await self._prove(self._rejection() if self.rejected else self.complaint)
            finally:
                self.finished = True
                self.changed.set()
                await writer
        if self.failure:
            done = f"{self.kept} of {self.total} questions are answered and kept"
            raise UserError(f"{self.failure}. {done}; run again to ask only the rest")

    async def _work(self) -> None:
        for key, request in self.waiting:  # all workers share this iterator
            answer = await self._answer(key, request)
            if answer and "rejected" in answer:
                self.rejected[key] = answer
                if len(self.rejected) == MAX_REJECTED and not self.good:
                    await self._prove(self._rejection())
            elif answer and "unusable" in answer:
                self.doubtful[key] = answer
                if self.unusable >= MAX_UNUSABLE:
                    await self._prove(self.complaint)
            elif answer:
                self._keep(key, request, answer)
            if self.failure:
                return

    async def _answer(self, key: str, request: "Request") -> Answer | None:
        """Return the answer, which may be a rejection or say that none is usable, or None where the run stops."""
        retrying = AsyncRetrying(retry=RETRY, wait=seconds_to_wait, sleep=self.pace.pause, stop=self._is_last, reraise=True)
        try:
            return await retrying(self._attempt, key, request)
        except Stopped:
            return None
        except (APIError, UnusableAnswer) as error:
            if is_rejection(error):
                return {"rejected": redacted(server_message(error), self.key)}
            if isinstance(error, UnusableAnswer) and not self.pace.stopped.is_set():
                return error.verdict
            self._stop(explanation(error, self.config.model, self.address))
            return None

    async def _attempt(self, key: str, request: "Request") -> Answer:
        tokens = sum(estimate(request, self.config))
        async with self.pace.turn(tokens):
            # As `chat.completions.create` does, without its pydantic models of request and answer, a third of its time.
            response = await self.client.post("/chat/completions", cast_to=Response, body=body(key, request, self.config))
            self.pace.apply_limits(response.headers, tokens)
            try:
                completion = parsed(response.content, response.extensions["broken"], request, self.config)
                return read(completion, request, self.config, self.key)
            except UnusableAnswer as error:
                self._count(key, error)
                raise

    def _count(self, key: str, error: UnusableAnswer) -> None:
        """Store what an unusable answer cost, and stop where no other has come."""
        self.unusable += 1
        self.paid_tries[key] += 1
        self.complaint = explanation(error, self.config.model, self.address)
        self.useless.append(error.paid | {"key": key})
        self.changed.set()
        if self.unusable >= MAX_UNUSABLE and not self.proof:
            self._stop(self.complaint)

    def _keep(self, key: str, request: "Request", answer: Answer) -> None:
        self.good += 1
        self.proof = key, request
        self.unsaved[key] = answer
        self._believe()
        if time.monotonic() - self.reported > PROGRESS_INTERVAL:
            self.reported = time.monotonic()
            print(f"{self.kept} of {self.total} questions answered", file=sys.stderr, flush=True)

    def _believe(self) -> None:
        """Store which questions have no usable answer: the server answers others."""
        self.unsaved |= self.doubtful
        self.doubtful, self.unusable = {}, 0
        self.changed.set()

    def _rejection(self) -> str:
        message = next(iter(self.rejected.values()))["rejected"]
        return f"{self.address} rejects every question: {message}. Correct the settings of the chat"

    async def _prove(self, failure: str) -> None:
        """Stop with this failure, unless the server still answers a question that it answered before.

        Without that question a run whose last questions are all too long could never be finished.
        """
        self.unusable = 0
        answer = await self._answer(*self.proof) if self.proof else None
        if answer is None or "rejected" in answer or "unusable" in answer:
            self._stop(failure)
            return
        self.useless.append({part: answer[part] for part in ("usage", "by")})  # the ledger keeps the earlier one
        self.good += 1
        self._believe()

    def _stop(self, failure: str) -> None:
        self.failure = self.failure or redacted(failure, self.key)
        self.pace.stopped.set()

    def _is_last(self, state: RetryCallState) -> bool:
        if state.outcome and isinstance(state.outcome.exception(), UnusableAnswer) and self.paid_tries[state.args[0]] >= PAID_TRIES:
            return True
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
