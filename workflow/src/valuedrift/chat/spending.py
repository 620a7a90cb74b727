"""What chat models have cost and may cost, and the day on which a model is shut down."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

from valuedrift.chat.ledger import Answer, Ledger, Usage
from valuedrift.chat.messages import Request
from valuedrift.config.chat import ChatJob, PriceConfig
from valuedrift.errors import UserError
from valuedrift.io.files import replacing

CHARACTERS = 4.0
"""Characters per token: OpenAI's rule of thumb for English."""
INTERVAL = 1.0
"""Seconds between two reads of what the study's other jobs have spent, and between two writes of what this one has."""


def cost(price: PriceConfig | None, asked: float, answered: float, batch: bool = False) -> float:
    """Return US dollars for tokens of questions (`asked`) and of answers (`answered`); 0 where there is no price."""
    if price is None:
        return 0.0
    return (price.batch if batch else 1.0) * (price.input * asked + price.output * answered) / 1e6


def estimate(request: Request, config: ChatJob) -> tuple[float, float]:
    """Return a question's tokens, estimated by its length, and the most tokens that its answer may have."""
    return len((request.system or "") + request.user) / CHARACTERS, config.max_tokens


def payer(config: ChatJob) -> list[str | None]:
    """Return chat, model and revision: who pays for an answer, stored with it."""
    return [config.name, config.model, config.revision]


def money(dollars: float) -> str:
    """Return dollars and cents, or two significant figures below ten cents."""
    return f"${dollars:,.2f}" if dollars >= 0.1 or not dollars else f"${dollars:.2g}"


class Budget:
    """The cost of one ledger's answers to one chat and model, in a file of the folder `spending`, and the cap on all files of this
    chat there. What another chat paid for in the ledger stays in that chat's file.

    The file is computed from the ledger at the current price, so it is right also after a job that was killed. An answer counts
    once it is stored. Answers under way at that time still come, so spending exceeds the cap by their cost at most.
    """

    def __init__(self, config: ChatJob, ledger: Ledger) -> None:
        self.config, self.book, self.ledger = config, ledger, os.path.relpath(ledger.path)
        name = json.dumps([self.ledger, config.name, config.model])
        self.path = Path(config.spending) / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
        self.calls, self.asked, self.answered = 0, 0.0, 0.0
        self.dollars, self.under_way, self._others = 0.0, 0.0, (0.0, 0.0)
        self._written = self._looked = 0.0  # when, in seconds of the monotonic clock
        for used in self._own(ledger.usage()):
            self._count(used.calls, used.asked, used.answered, used.batch)
        self.look_under_way()

    def spend(self, answers: Iterable[Answer]) -> None:
        """Add answers that were stored; raise UserError where the cap is reached."""
        self.add(answers)
        self.check()

    def add(self, answers: Iterable[Answer]) -> None:
        """Add answers that were stored, without a look at the cap; those of a question without a usable one were added before."""
        for answer in answers:
            if "unusable" in answer:
                continue
            asked, answered = answer.get("usage") or (0, 0)
            self._count(1, asked, answered, "batch" in answer)
        if time.monotonic() - self._written > INTERVAL:
            self._write()

    def check(self, upcoming: float = 0.0) -> None:
        """Raise UserError where the cap is reached, or would be exceeded with `upcoming` dollars more."""
        cap, (spent, under_way) = self.config.spending_cap, self.spent
        if cap is None or (spent + under_way < cap and spent + under_way + upcoming <= cap):
            return
        more = f", what is under way in batches may cost {money(under_way)}" if under_way else ""
        more += f", and what comes next may cost {money(upcoming)}" if upcoming else ""
        raise UserError(
            f"spent {money(spent)} of the cap {money(cap)} on {self.config.name}{more}: raise "
            f"`chats.{self.config.name}.spending_cap` to go on; what was answered is kept"
        )

    @property
    def spent(self) -> tuple[float, float]:
        """Return US dollars that all jobs of the study have spent on this chat model, and that their batches under way may cost.

        Those of other jobs are as they last wrote them.
        """
        if not self._looked or time.monotonic() - self._looked > INTERVAL:
            self._others = spending(self.config, without=self.path)
            self._looked = time.monotonic()
        return self.dollars + self._others[0], self.under_way + self._others[1]

    def look_under_way(self) -> None:
        """Take from the ledger what its batches under way may cost, and write it; called when a batch begins or is fetched."""
        price, expected = self.config.price, self._own(self.book.expected())
        self.under_way = sum(cost(price, used.asked, used.answered, used.batch) for used in expected)
        self._write()

    def close(self) -> None:
        """Write the file a last time."""
        self._write()

    def _own(self, found: Iterable[Usage]) -> Iterator[Usage]:
        """Yield the usage of this chat and model; usage without a payer, in older ledgers, counts as theirs."""
        return (used for used in found if used.by is None or used.by[:2] == payer(self.config)[:2])

    def _count(self, calls: int, asked: float, answered: float, batch: bool) -> None:
        self.calls, self.asked, self.answered = self.calls + calls, self.asked + asked, self.answered + answered
        self.dollars += cost(self.config.price, asked, answered, batch)

    def _write(self) -> None:
        priced = self.config.price is not None
        record = {
            "chat": self.config.name, "model": self.config.model, "ledger": self.ledger, "calls": self.calls,
            "question_tokens": self.asked, "answer_tokens": self.answered,
            "dollars": round(self.dollars, 6) if priced else None, "under_way": round(self.under_way, 6) if priced else None,
        }  # fmt: skip
        try:
            with replacing(self.path) as scratch:
                scratch.write_text(json.dumps(record, indent=1) + "\n")
        except OSError as error:
            raise UserError(f"{self.path} cannot be written ({error}): fix that, then run again") from error
        self._written = time.monotonic()


def spending(config: ChatJob, without: Path | None = None) -> tuple[float, float]:
    """Return US dollars that this chat model has cost and that its batches under way may cost, by the files of the study."""
    spent = under_way = 0.0
    for path in Path(config.spending).glob("[!.]*.json"):  # a dot: one that is just being written
        with suppress(OSError, ValueError):
            record = json.loads(path.read_text()) if path != without else {}
            if record.get("chat") == config.name:
                spent, under_way = spent + (record.get("dollars") or 0.0), under_way + (record.get("under_way") or 0.0)
    return spent, under_way


def shutdown_warning(config: ChatJob, today: date | None = None) -> str | None:
    """Return a line on the day on which the model is shut down; None where the config gives no `shutdown`."""
    if config.shutdown is None:
        return None
    days = (config.shutdown - (today or date.today())).days
    if days < 0:
        return (
            f"{config.model} was shut down on {config.shutdown} ({-days} days ago): use another model, unless your server still "
            "has it"
        )
    return (
        f"{config.model} is shut down on {config.shutdown} (in {days} days): finish what needs its answers before, and let its "
        "successor answer the same while both are available"
    )
