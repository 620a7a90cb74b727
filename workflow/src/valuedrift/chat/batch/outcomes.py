"""What becomes of each question while batches are asked: answered, rejected, without a usable answer, or still open."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from openai import APIStatusError

from valuedrift.chat.batch.lines import answer_of, item_of
from valuedrift.chat.completion import paid
from valuedrift.chat.credentials import redacted
from valuedrift.chat.failures import MAX_UNUSABLE, PAID_TRIES, explanation, is_rejection, is_transient, server_message
from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.malformed import MalformedAnswer, UnusableAnswer
from valuedrift.chat.spending import Budget
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

STORED = 1_000
"""Answers that go into the ledger in one transaction."""


class Outcomes:
    """The outcomes of a run's questions; those that are `known` are answered."""

    def __init__(
        self, questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger, budget: Budget,
        address: str, key: str,
    ) -> None:  # fmt: skip
        self.questions, self.config, self.ledger, self.budget = questions, config, ledger, budget
        self.address, self.key = address, key
        self.answered = set(known)
        self.rejected: dict[str, Answer] = {}
        """Never stored, as in live requests."""
        self.failure = "no batch answered them"
        """The latest reason why a question has no answer."""
        self.permanent_failure: str | None = None
        """A failure that another batch would meet too."""
        self._unusable: dict[str, Answer] = {}
        """Questions without a usable answer, stored once others have one: the server may answer so to all."""
        self._paid_tries = ledger.paid_tries()
        self.fruitless = ledger.fruitless()
        """Answers of no use that an earlier run has counted: a job that is killed fetches a batch twice."""
        self._first = Counter[bool]()
        """Answers to questions that had none before, by whether they could be used."""
        self._count = 0
        """Answers that could not be used."""
        self._complaint = ""
        """What is wrong with the latest unusable answer."""
        self._useless: list[Answer] = []
        """Usage of answers that were of no use, until it is stored."""

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return those that are still open."""
        return [key for key in keys if not (key in self.answered or key in self.rejected or key in self._unusable)]

    def keep(self, batch: str, lines: Iterable[bytes], unread: dict[str, None]) -> int:
        """Store the answers in these lines of a batch, remove their keys from `unread`, and return how many cannot be read."""
        read, garbled = dict[str, Answer](), 0
        for found in map(item_of, lines):
            if found is None:
                garbled += 1
                continue
            key, item = found
            unread.pop(key, None)
            if key in self.questions and key not in read and self.missing([key]) and (answer := self._read(batch, key, item)):
                read[key] = answer
            if len(read) + len(self._useless) >= STORED:
                self._store(read)
                read = {}
        self._store(read)
        return garbled

    def lose(self, batch: str, keys: Iterable[str], reason: str) -> None:
        """Count the answers to these questions as paid, as far as they are open: they came, and cannot be read."""
        for key in self.missing(keys):
            self._failed(batch, key, UnusableAnswer(MalformedAnswer(reason), paid(None, self.questions[key], self.config)))
        self._store({})

    def settle(self) -> None:
        """Store which questions have no usable answer, once a round is over; raises UserError where none has one."""
        useless = self._first[False] if self.answered else self._count
        hopeless = useless >= MAX_UNUSABLE and not self._first[True]
        if hopeless or (self._unusable and not self.answered and not self.missing(self.questions)):
            raise self.error(self._complaint)
        if self.answered:
            self.ledger.put(self._unusable)
            self.answered.update(self._unusable)
            self._unusable = {}

    def error(self, failure: str) -> UserError:
        """Return the error that ends the run with this failure."""
        kept = f"{len(self.answered)} of {len(self.questions)} questions are answered and kept"
        return UserError(f"{redacted(failure, self.key)}. {kept}; run again to ask only the rest")

    def _store(self, read: dict[str, Answer]) -> None:
        self.ledger.put(read, self._useless)
        self.answered.update(read)
        self.budget.add([*read.values(), *self._useless])
        self._useless = []

    def _read(self, batch: str, key: str, item: dict[str, Any]) -> Answer | None:
        """Return the answer that an item holds, or None where the question failed."""
        try:
            answer = answer_of(item, self.questions[key], self.config, self.address, self.key)
        except (MalformedAnswer, APIStatusError) as error:
            self._failed(batch, key, error)
            return None
        self._first[True] += not self._paid_tries[key]
        return answer | {"batch": True}

    def _failed(self, batch: str, key: str, error: MalformedAnswer | APIStatusError) -> None:
        if isinstance(error, UnusableAnswer) and (batch, key) not in self.fruitless:
            self._useless.append(error.paid | {"batch": batch, "key": key})
            self._count += 1
            self._complaint = explanation(error, self.config.model, self.address)
            self._first[False] += not self._paid_tries[key]
            self._paid_tries[key] += 1
            if self._paid_tries[key] >= min(PAID_TRIES, self.config.attempts):
                self._unusable[key] = error.verdict
        if is_rejection(error):
            self.rejected[key] = {"rejected": redacted(server_message(error), self.key)}
        elif is_transient(error):
            self.failure = redacted(server_message(error), self.key)
        else:
            self.permanent_failure = redacted(explanation(error, self.config.model, self.address), self.key)
