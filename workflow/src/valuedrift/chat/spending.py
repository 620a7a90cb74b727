"""What chat models have cost and may cost, and the day on which one leaves its server."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from valuedrift.chat.ledger import Answer, Ledger, Usage
from valuedrift.chat.messages import Request
from valuedrift.config.chat import ChatJob, PriceConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import replacing

CHARACTERS = 4.0
"""Characters of a token: OpenAI's rule of thumb for English."""
EVERY = 1.0
"""Seconds between two looks at what the study's other jobs have spent, and between two writes of what this one has."""


def cost(price: PriceConfig | None, asked: float, answered: float, batch: bool = False) -> float:
    """US dollars for so many tokens of questions and of answers; 0 where there is no price."""
    if price is None:
        return 0.0
    return (price.batch if batch else 1.0) * (price.input * asked + price.output * answered) / 1e6


def estimate(request: Request, config: ChatJob) -> tuple[float, float]:
    """Tokens of a question, by its length, and the most that its answer may have."""
    return len((request.system or "") + request.user) / CHARACTERS, config.max_tokens


def payer(config: ChatJob) -> list[str | None]:
    """Chat, model and revision: who pays an answer, kept with it."""
    return [config.name, config.model, config.revision]


def money(dollars: float) -> str:
    """Dollars and cents, or two figures of less than ten cents."""
    return f"${dollars:,.2f}" if dollars >= 0.1 or not dollars else f"${dollars:.2g}"


class Budget:
    """What the answers of one ledger have cost one chat and model, in a file of the folder `spending`, and the cap on all files of
    this chat there. What another chat paid for in the ledger stays in that chat's file.

    It is made from the ledger, so that it is right after a job that was killed, at the price that holds now. An answer counts once
    it is stored: those that are then under way still come, so spending passes the cap by their cost at most.
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
        """Add answers that were stored; raises UserError where the cap is reached."""
        self.add(answers)
        self.check()

    def add(self, answers: Iterable[Answer]) -> None:
        """Add answers that were stored, whatever the cap."""
        for answer in answers:
            asked, answered = answer.get("usage") or (0, 0)
            self._count(1, asked, answered, "batch" in answer)
        if time.monotonic() - self._written > EVERY:
            self._write()

    def check(self, upcoming: float = 0.0) -> None:
        """Raises UserError where the cap is reached, or would be passed by `upcoming` dollars."""
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
        """US dollars that all jobs of the study have spent on this chat model, and that their batches under way may cost, those of
        other jobs as they last wrote them."""
        if not self._looked or time.monotonic() - self._looked > EVERY:
            self._others = spending(self.config, without=self.path)
            self._looked = time.monotonic()
        return self.dollars + self._others[0], self.under_way + self._others[1]

    def look_under_way(self) -> None:
        """Take from the ledger what its batches under way may cost, and write it: to be called when one begins or is fetched."""
        price, expected = self.config.price, self._own(self.book.expected())
        self.under_way = sum(cost(price, used.asked, used.answered, used.batch) for used in expected)
        self._write()

    def close(self) -> None:
        """Write the last of it."""
        self._write()

    def _own(self, found: Iterable[Usage]) -> Iterator[Usage]:
        """What this chat and model took; what an older ledger does not say is counted for them."""
        return (used for used in found if used.by is None or used.by[:2] == payer(self.config)[:2])

    def _count(self, calls: int, asked: float, answered: float, batch: bool) -> None:
        self.calls, self.asked, self.answered = self.calls + calls, self.asked + asked, self.answered + answered
        self.dollars += cost(self.config.price, asked, answered, batch)

    def _write(self) -> None:
        priced = self.config.price is not None
        told = {
            "chat": self.config.name, "model": self.config.model, "ledger": self.ledger, "calls": self.calls,
            "question_tokens": self.asked, "answer_tokens": self.answered,
            "dollars": round(self.dollars, 6) if priced else None, "under_way": round(self.under_way, 6) if priced else None,
        }  # fmt: skip
        try:
            with replacing(self.path) as scratch:
                scratch.write_text(json.dumps(told, indent=1) + "\n")
        except OSError as error:
            raise UserError(f"{self.path} cannot be written ({error}): mend that, then run again") from error
        self._written = time.monotonic()


def spending(config: ChatJob, without: Path | None = None) -> tuple[float, float]:
    """US dollars that the files of the study say this chat model has cost, and that its batches under way may cost."""
    spent = under_way = 0.0
    for path in Path(config.spending).glob("[!.]*.json"):  # a dot: one that is just being written
        with suppress(OSError, ValueError):
            told = json.loads(path.read_text()) if path != without else {}
            if told.get("chat") == config.name:
                spent, under_way = spent + (told.get("dollars") or 0.0), under_way + (told.get("under_way") or 0.0)
    return spent, under_way


def shutdown_warning(config: ChatJob, today: date | None = None) -> str | None:
    """A line on the day when the model leaves its server: the config's, else what the installed SDK of OpenAI says; None where
    neither knows one."""
    day = config.shutdown or (_announced().get(config.model) if config.server is None else None)
    if day is None:
        return None
    days = (day - (today or date.today())).days
    if days < 0:
        return f"{config.model} left its server on {day} ({-days} days ago): let another model answer, unless yours still has it"
    return (
        f"{config.model} leaves its server on {day} (in {days} days): ask what you need of it before, and let the model that comes "
        "after it answer the same while both are there"
    )


@cache
def _announced() -> dict[str, date]:
    """Model → its last day, read off the text of the SDK's list of models, whose import would take 1.4 s."""
    sdk = find_spec("openai")
    try:
        text = Path(str(sdk and sdk.origin)).with_name("types").joinpath("shared", "chat_model.py").read_text()
    except OSError:
        return {}
    found = re.findall(r'- ((?:"[^"]+",? ?)+): Announced shutdown date: (\d{4}-\d\d-\d\d)', " ".join(text.split()))
    return {model: date.fromisoformat(day) for models, day in found for model in re.findall(r'"([^"]+)"', models)}
