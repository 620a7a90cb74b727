"""One run over the questions: rounds of batches with all that is still open, waited for and stored in the ledger."""

import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from openai import APIStatusError
from openai.types import Batch

from valuedrift.chat.batch.lines import MAX_REQUESTS, ROOM, answer_of, item_of, lines_of, request_line, split
from valuedrift.chat.batch.server import BatchServer, ServerFailure
from valuedrift.chat.completion import longest, paid
from valuedrift.chat.credentials import api_key, redacted
from valuedrift.chat.failures import MAX_UNUSABLE, PAID_TRIES, explanation, is_rejection, is_transient, server_message
from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.malformed import MalformedAnswer, UnusableAnswer
from valuedrift.chat.spending import Budget, cost, estimate, payer
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

STORED = 1_000
"""Answers that go into the ledger in one transaction."""
ENDED = ("completed", "expired", "failed", "cancelled")


def answers(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> dict[str, Answer]:
    """Ask what is not `known` and store the answers in the ledger; return, by key, the rejections alone, as live requests do.

    What a batch leaves open, because it expired or single questions failed, goes into the next one, `attempts` times. Raises
    UserError where questions cannot be answered, once the answers of all batches under way are stored.
    """
    with _opened(questions, known, config, ledger) as rounds:
        rounds.run()
    return rounds.rejected


def fetch(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> None:
    """Wait for the batches that are to answer what is not `known`, and store their answers; no new batch is created."""
    with _opened(questions, known, config, ledger) as rounds:
        rounds.fetch()


@contextmanager
def _opened(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> "Iterator[_Rounds]":
    key = api_key(config)
    with closing(Budget(config, ledger)) as budget:
        rounds = _Rounds(questions, known, config, ledger, budget, key)
        try:
            with closing(rounds.server):
                yield rounds
        except ServerFailure as failure:
            raise rounds.error(str(failure)) from failure
        except OSError as error:
            raise UserError(f"no room for a batch's file ({error}): set TMPDIR to a folder with some, then run again") from error


class _Rounds:
    """What is known of each question and batch while rounds go on."""

    def __init__(
        self, questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger, budget: Budget, key: str
    ) -> None:
        self.questions, self.config, self.ledger, self.budget, self.key = questions, config, ledger, budget, key
        self.longest = ROOM + longest(questions.values(), config)
        """Bytes of an answer's line."""
        self.server = BatchServer(config, key, file_limit=MAX_REQUESTS * self.longest)
        self.address = self.server.address
        self.answered = set(known)
        self.rejected: dict[str, Answer] = {}
        """Never stored, as in live requests."""
        self.unusable: dict[str, Answer] = {}
        """Questions without a usable answer, stored once others have one: the server may answer so to all."""
        self.paid_tries: Counter[str] = Counter()
        """Unusable answers to each question."""
        self.first = Counter[bool]()
        """How many questions were answered when they were first asked, by whether the answer could be used."""
        self.tries: Counter[str] = Counter()
        self.failure = "no batch answered them"
        """The latest reason why a question has no answer, or why a batch failed."""
        self.permanent_failure: str | None = None
        """A failure that another batch would meet too."""
        self.batch_failure: str | None = None
        """Why the last batch failed that did so as a whole."""
        self.complaint = ""
        """What is wrong with the latest unusable answer."""
        self.useless: list[Answer] = []
        """Usage of answers that were of no use, until it is stored."""
        self.reported: dict[str, str] = {}
        self.ended: set[str] = set()

    def run(self) -> None:
        while missing := self._missing(self.questions):
            if max(self.tries[key] for key in missing) >= self.config.attempts:
                raise self.error(f"{len(missing)} questions have no answer after {self.config.attempts} batches: {self.failure}")
            self._round(missing)
            if self.first[False] >= MAX_UNUSABLE and not self.first[True]:
                raise self.error(self.complaint)
            if self.answered:
                self.ledger.put(self.unusable)
                self.answered.update(self.unusable)
                self.unusable = {}
        if self.unusable and not self.answered:
            raise self.error(self.complaint)
        if self.rejected and not self.answered:
            message = next(iter(self.rejected.values()))["rejected"]
            raise self.error(f"{self.address} rejects every question: {message}. Correct the settings of the chat")

    def fetch(self) -> None:
        self._await(set(self.ledger.under_way(self._missing(self.questions)).values()))

    def error(self, failure: str) -> UserError:
        """Return the error that ends the run with this failure."""
        kept = f"{len(self.answered)} of {len(self.questions)} questions are answered and kept"
        return UserError(f"{redacted(failure, self.key)}. {kept}; run again to ask only the rest")

    def _round(self, missing: list[str]) -> None:
        """Put all that is missing into batches, unless it is in one already, and wait for them all."""
        under_way = self.ledger.under_way(missing)
        refusal = None
        for chunk in split((key for key in missing if key not in under_way), self.questions, self.config):
            try:
                self.budget.check(self._cost(chunk))
            except UserError as error:
                refusal = error
                break
            under_way |= dict.fromkeys(chunk, self._begun(chunk))
        self.tries.update(under_way.keys())
        self._await(set(under_way.values()))
        if self.permanent_failure:
            raise self.error(self.permanent_failure)
        if len(self._missing(missing)) < len(missing):
            return  # the answers may have cost less than estimated, or made room for a batch that the account had none for
        if refusal:
            raise refusal
        if self.batch_failure:
            raise self.error(
                f"{self.batch_failure}. Fix that, or where the account may have no more under way, wait until others have ended"
            )

    def _missing(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if not (key in self.answered or key in self.rejected or key in self.unusable)]

    def _cost(self, keys: Iterable[str]) -> float:
        """Return the US dollars that the questions may cost at most, with their tokens estimated."""
        tokens = [estimate(self.questions[key], self.config) for key in keys]
        return cost(self.config.price, sum(asked for asked, _ in tokens), sum(most for _, most in tokens), batch=True)

    def _begun(self, chunk: list[str]) -> str:
        """Return the id of a batch with these questions, which is now noted in the ledger: a killed job's, or a new one."""
        digest = hashlib.sha256("\n".join(sorted(chunk)).encode()).hexdigest()
        lines = lambda: (request_line(key, self.questions[key], self.config) for key in chunk)  # noqa: E731
        batch = self.server.ensure(digest, lines, self.ended)
        tokens = {key: estimate(self.questions[key], self.config) for key in chunk}
        self.ledger.note_batch(
            batch.id, {k: {"usage": most, "by": payer(self.config), "batch": True} for k, most in tokens.items()}
        )
        self.budget.look_under_way()
        print(f"{self.config.model}: batch {batch.id} with {len(chunk)} questions", file=sys.stderr, flush=True)
        return batch.id

    def _await(self, batches: set[str]) -> None:
        """Wait until all batches have ended; the answers of each are stored as soon as it has."""
        while batches:
            for batch in [self._looked_at(name) for name in sorted(batches)]:
                if batch.status in ENDED:
                    self._harvest(batch)
                    batches.remove(batch.id)
            if batches:
                time.sleep(self.config.poll)

    def _looked_at(self, name: str) -> Batch:
        batch = self.server.look(
            name,
            f"{self.address} knows no batch {name}, for which this ledger waits: use the key of the account that made it, or ask "
            f"its questions anew after {self.ledger.command_to_forget(name)}",
        )
        counts = batch.request_counts
        line = f"batch {name}: {batch.status}" + (f", {counts.completed} of {counts.total} answered" if counts else "")
        line = redacted(line, self.key)
        if line != self.reported.get(name):
            self.reported[name] = line
            print(f"{self.config.model}: {line}", file=sys.stderr, flush=True)
        return batch

    def _harvest(self, batch: Batch) -> None:
        """Store the answers of a batch that has ended; only then the ledger forgets it."""
        asked = [key for key, name in self.ledger.under_way(self.questions).items() if name == batch.id]
        unread, lost, reason = dict.fromkeys(asked), 0, "returns a line that is no answer"
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            with tempfile.TemporaryFile() as lines:
                if self.server.download(file, lines):
                    lost += self._keep(lines_of(lines, self.longest), unread)
                elif file == batch.output_file_id:
                    lost, reason = len(asked), "no longer has the file with a batch's answers"
        for key in islice(self._missing(unread), lost):
            request = self.questions[key]
            self._failed(key, UnusableAnswer(MalformedAnswer(reason), paid(None, request, self.config)))
        self._store({})
        if batch.status == "failed":
            reasons = [error.message or "" for error in (batch.errors and batch.errors.data) or []]
            message = "; ".join(reasons) or "it does not say why"
            self.batch_failure = redacted(f"batch {batch.id} failed: {message}", self.key)
        self.ledger.forget_batch(asked)
        self.budget.look_under_way()
        self.ended.add(batch.id)

    def _keep(self, lines: Iterable[bytes], unread: dict[str, None]) -> int:
        """Store the answers in these lines, remove their keys from `unread`, and return how many lines could not be read."""
        read, garbled = dict[str, Answer](), 0
        for found in map(item_of, lines):
            if found is None:
                garbled += 1
                continue
            key, item = found
            unread.pop(key, None)
            if key in self.questions and key not in read and self._missing([key]) and (answer := self._read(key, item)):
                read[key] = answer
            if len(read) + len(self.useless) >= STORED:
                self._store(read)
                read = {}
        self._store(read)
        return garbled

    def _store(self, read: dict[str, Answer]) -> None:
        self.ledger.put(read, self.useless)
        self.answered.update(read)
        self.budget.add([*read.values(), *self.useless])
        self.useless = []

    def _read(self, key: str, item: dict[str, Any]) -> Answer | None:
        """Return the answer that an item holds, or None where the question failed."""
        try:
            answer = answer_of(item, self.questions[key], self.config, self.address, self.key)
        except (MalformedAnswer, APIStatusError) as error:
            self._failed(key, error)
            return None
        self.first[True] += self.tries[key] <= 1
        return answer | {"batch": True}

    def _failed(self, key: str, error: MalformedAnswer | APIStatusError) -> None:
        if isinstance(error, UnusableAnswer):
            self.useless.append(error.paid | {"batch": True})
            self.complaint = explanation(error, self.config.model, self.address)
            self.first[False] += self.tries[key] <= 1
            self.paid_tries[key] += 1
            if self.paid_tries[key] >= min(PAID_TRIES, self.config.attempts):
                self.unusable[key] = error.verdict
        if is_rejection(error):
            self.rejected[key] = {"rejected": redacted(server_message(error), self.key)}
        elif is_transient(error):
            self.failure = redacted(server_message(error), self.key)
        else:
            self.permanent_failure = redacted(explanation(error, self.config.model, self.address), self.key)
