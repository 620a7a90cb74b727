"""One run over the questions: rounds of batches with all that is still open, waited for and stored in the ledger."""

import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from openai.types import Batch

from valuedrift.chat.batch.lines import MAX_REQUESTS, ROOM, lines_of, request_line, split
from valuedrift.chat.batch.outcomes import Outcomes
from valuedrift.chat.batch.server import BatchServer, ServerFailure
from valuedrift.chat.completion import longest
from valuedrift.chat.credentials import api_key, redacted
from valuedrift.chat.ledger import Answer, Ledger
from valuedrift.chat.spending import Budget, cost, estimate, payer
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

PATIENCE = 48 * 3600.0
"""Seconds. A batch ends within a day, answered or not."""
ENDED = ("completed", "expired", "failed", "cancelled")


def answers(questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger) -> dict[str, Answer]:
    """Ask what is not `known` and store the answers in the ledger; return, by key, the rejections alone, as live requests do.

    What a batch leaves open, because it expired or single questions failed, goes into the next one, `attempts` times. Raises
    UserError where questions cannot be answered, once the answers of all batches under way are stored.
    """
    with _opened(questions, known, config, ledger) as rounds:
        rounds.run()
    return rounds.outcomes.rejected


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
            raise rounds.outcomes.error(str(failure)) from failure
        except OSError as error:
            raise UserError(f"no room for a batch's file ({error}): set TMPDIR to a folder with some, then run again") from error


class _Rounds:
    """The batches of a run, and what they leave open."""

    def __init__(
        self, questions: "dict[str, Request]", known: Collection[str], config: ChatJob, ledger: Ledger, budget: Budget, key: str
    ) -> None:
        self.questions, self.config, self.ledger, self.budget, self.key = questions, config, ledger, budget, key
        self.longest = ROOM + longest(questions.values(), config)
        """Bytes of an answer's line."""
        self.server = BatchServer(config, key, file_limit=MAX_REQUESTS * self.longest)
        self.address = self.server.address
        self.outcomes = Outcomes(questions, known, config, ledger, budget, self.address, key)
        self.tries: Counter[str] = Counter()
        """Batches in which each question was."""
        self.batch_failure: str | None = None
        """Why the last batch failed that did so as a whole."""
        self.reported: dict[str, str] = {}
        self.ended = {batch for batch, _ in self.outcomes.fruitless}
        """Batches that were fetched, and are not to be found in place of a new one."""

    def run(self) -> None:
        outcomes = self.outcomes
        while missing := outcomes.missing(self.questions):
            if max(self.tries[key] for key in missing) >= self.config.attempts:
                count = f"{len(missing)} questions have no answer after {self.config.attempts} batches"
                raise outcomes.error(f"{count}: {outcomes.failure}")
            self._round(missing)
            outcomes.settle()
        if outcomes.rejected and not outcomes.answered:
            message = next(iter(outcomes.rejected.values()))["rejected"]
            raise outcomes.error(f"{self.address} rejects every question: {message}. Correct the settings of the chat")

    def fetch(self) -> None:
        self._await(set(self.ledger.under_way(self.outcomes.missing(self.questions)).values()))

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
        if self.outcomes.permanent_failure:
            raise self.outcomes.error(self.outcomes.permanent_failure)
        if len(self.outcomes.missing(missing)) < len(missing):
            return  # the answers may have cost less than estimated, or made room for a batch that the account had none for
        if refusal:
            raise refusal
        if self.batch_failure:
            raise self.outcomes.error(
                f"{self.batch_failure}. Fix that, or where the account may have no more under way, wait until others have ended"
            )

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
        patience = time.monotonic() + PATIENCE
        while batches:
            for batch in [self._looked_at(name) for name in sorted(batches)]:
                if batch.status in ENDED:
                    self._harvest(batch)
                    batches.remove(batch.id)
            if batches and time.monotonic() > patience:
                name = min(batches)
                raise self.outcomes.error(
                    f"{self.address} has not ended batch {name} for {PATIENCE / 3600:g} hours: cancel it there, or ask its "
                    f"questions anew after {self.ledger.command_to_forget(name)}"
                )
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
                    lost += self.outcomes.keep(batch.id, lines_of(lines, self.longest), unread)
                elif file == batch.output_file_id:
                    lost, reason = len(asked), "no longer has the file with a batch's answers"
        self.outcomes.lose(batch.id, islice(unread, lost), reason)
        if batch.status == "failed":
            reasons = [error.message or "" for error in (batch.errors and batch.errors.data) or []]
            message = "; ".join(reasons) or "it does not say why"
            self.batch_failure = redacted(f"batch {batch.id} failed: {message}", self.key)
        self.ledger.forget_batch(asked)
        self.budget.look_under_way()
        self.ended.add(batch.id)
