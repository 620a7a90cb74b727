"""Count the calls of judges and chat models in a study, and their price."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from valuedrift.chat.ledger import Usage, usage, usage_of
from valuedrift.chat.spending import cost, money, payer, spending
from valuedrift.config.base import SIDES
from valuedrift.config.chat import ChatJob
from valuedrift.config.prompts import ChatStep
from valuedrift.io.files import usable
from valuedrift.io.tables import CANDIDATES, NGRAMS, QUESTIONS, RAW_PROMPTS, VALUE_LADEN
from valuedrift.lm.judge_prompt import orders
from valuedrift.manage.terminal import table
from valuedrift.sizing.amount import ASSUMED, AT_MOST, MEASURED, NOTHING, UNKNOWN, Amount
from valuedrift.sizing.counts import Workload, mean_tokens
from valuedrift.study.jobs import Jobs

HEADINGS = ("asked for", "model", "calls", "answered", "question tokens", "answer tokens", "live", "by batch")
LEGEND = """Tokens and prices are of what is not answered yet. A number without a mark is counted. ~ is an estimate: rows that the
config expects, a token for every four characters, or as many tokens a call as those in the ledgers. ≤ is the most that it may be:
categories full, no two responses alike, each as long as allowed; answered requests where they cannot be looked up, which then
include those of an earlier config although they are sent again."""


@dataclass
class Use:
    """One purpose for which a model is called: how often, and how long the requests are."""

    name: str
    model: str
    calls: Amount
    asked: Amount = NOTHING
    """Tokens of all requests."""
    chat: ChatJob | None = None
    ledgers: dict[Path, Iterable[str] | None] = field(default_factory=dict)
    """Ledger -> the keys of all requests, read once, or None where they are unknown: then all of the model's answers count."""
    needs: str = ""
    """What is missing, where the number of calls is unknown."""
    unread: list[Path] = field(default_factory=list)
    """Ledgers that could not be read."""
    by_run: dict[str, Amount] = field(default_factory=dict)
    """Run -> a judge's calls about it; "" -> those about several runs."""

    @cached_property
    def taken(self) -> tuple[int, float, float]:
        """Answered calls, the tokens of their requests, and those of the answers."""
        used = [one for path, keys in self.ledgers.items() for one in self._used(path, keys)]
        return sum(one.calls for one in used), sum(one.asked for one in used), sum(one.answered for one in used)

    @property
    def answered(self) -> Amount:
        """Answered calls; an upper bound where requests could not be looked up."""
        guessed = any(keys is None and path.exists() for path, keys in self.ledgers.items())
        return Amount(self.taken[0], AT_MOST if guessed and self.taken[0] else MEASURED)

    def _used(self, path: Path, keys: Iterable[str] | None) -> list[Usage]:
        if not path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as ledger:
                if keys is not None:
                    return list(usage_of(ledger, keys))
                return [used for used in usage(ledger) if self.chat and used.by in (None, payer(self.chat))]
        except sqlite3.Error:
            self.unread.append(path)
            return []

    @property
    def left(self) -> Amount:
        """Calls that are not answered yet."""
        return Amount(max(0, self.calls.value - self.taken[0]), self.calls.mark, self.calls.partly)

    @property
    def tokens(self) -> tuple[Amount, Amount]:
        """Tokens of the requests that are left and of their answers: per call as many as earlier ones took, where there are any."""
        answered, asked, answers = self.taken
        if asked and answers:
            return self.left * Amount(asked / answered, ASSUMED), self.left * Amount(answers / answered, ASSUMED)
        share = self.left.value / self.calls.value if self.calls.value else 1.0
        return self.asked * share, self.left * Amount(self.chat.max_tokens if self.chat else 0, AT_MOST)

    def price(self, batch: bool) -> Amount:
        """Return the US dollars that what is left costs; 0 where the config has no price."""
        asked, answers = self.tokens
        doubts, price = asked + answers, self.chat.price if self.chat else None
        return Amount(cost(price, asked.value, answers.value, batch), doubts.mark, doubts.partly)

    def price_of(self, calls: Amount) -> Amount:
        """Return the US dollars that this many of these calls cost, live or by batch as the config says."""
        answered, asked, answers = self.taken
        if asked and answers:
            question, answer = Amount(asked / answered, ASSUMED), Amount(answers / answered, ASSUMED)
        else:
            question = self.asked * (1 / self.calls.value if self.calls.value else 0)
            answer = Amount(self.chat.max_tokens if self.chat else 0, AT_MOST)
        doubts, chat = calls * question + calls * answer, self.chat
        dollars = cost(
            chat.price if chat else None, calls.value * question.value, calls.value * answer.value, bool(chat and chat.batch)
        )
        return Amount(dollars, doubts.mark, doubts.partly)


def uses(work: Workload) -> list[Use]:
    """Return all purposes for which models are called, in the order of the study."""
    study, jobs = work.study, Jobs(work.study)
    return [*_curation(jobs, work), *_synthetic(jobs, work), *(_judge(name, work) for name in study.config.judges),
            *(_judge(study.judge, work, again) for again in study.samplings if again),
            *(_order_check(name, work) for name in study.order_checked)]  # fmt: skip


def lines(found: list[Use]) -> list[str]:
    """Return the lines: a table, the price of each chat model, what is unknown, and what the marks mean."""
    sums = [_sum_of(chat, [use for use in found if use.chat == chat]) for chat in chats(found)]
    unknown = [f"not known in part: {use.name}: {use.needs}" for use in found if use.calls.partly]
    unread = [f"{path} is in use or cannot be read: its answers are not counted" for use in found for path in use.unread]
    return [*table(HEADINGS, list(map(_row, found)), texts=2), "", *sums, *unknown, *unread, LEGEND]


def chats(found: list[Use]) -> list[ChatJob]:
    """Return the chat models that are called, each once."""
    return list({use.chat.name: use.chat for use in found if use.chat}.values())


# --- what is called ---


def _judge(name: str, work: Workload, again: str = "") -> Use:
    """Return the calls of a judge about all runs, or about what was sampled of them `again`."""
    study, judge = work.study, work.config.judges[name]
    chat = study.chat(judge.chat) if judge.chat else None
    times = len(orders(judge.orders)) * (judge.samples if judge.reading == "sampling" and chat else 1)
    asks = judge.backend != "function"
    calls, tokens = dict[str, Amount](), list[Amount]()
    for run in study.runs.values():
        calls[run.id] = work.responses(run, judge, again) * (times if asks else 1)
        tokens += [calls[run.id] * work.judge_tokens(run, judge, again)] if asks else []
    ledgers = {run.id: Path(study.folder_of(run.id)) / again / "stances" / f"{name}.ledger.sqlite" for run in study.runs.values()}
    return Use(
        f"judge {name}{', again' * bool(again)}", chat.model if chat else judge.path or str(judge.function),
        _total(calls.values()), _total(tokens), chat,
        {ledgers[run.id]: work.judge_keys(run, judge, chat, again) for run in study.runs.values()} if chat else {},
        f"how many rows {', '.join(work.unknown)} has: give `datasets.<name>.expected`, or make the table first", by_run=calls,
    )  # fmt: skip


def _order_check(name: str, work: Workload) -> Use:
    """Return the calls of a judge about some responses in all orders of the options."""
    study, judge = work.study, work.config.judges[name]
    chat = study.chat(judge.chat) if judge.chat else None
    calls = work.order_checks(judge) * (judge.samples if judge.reading == "sampling" and chat else 1)
    ledger = work.folder / "judges" / name / "orders.ledger.sqlite"
    return Use(
        f"orders of {name}", chat.model if chat else str(judge.path), calls, calls * work.unseen_judge_tokens(judge), chat,
        {ledger: None} if chat else {}, by_run={"": calls},
    )  # fmt: skip


def _curation(jobs: Jobs, work: Workload) -> Iterator[Use]:
    """Yield the steps of curation that call a chat model."""
    folder = work.folder / "prompts"
    raw, questions, ngrams, filtered = (folder / f"{name}.parquet" for name in ("raw", "questions", "ngrams", "value_laden"))
    if (rephrase := jobs.questions()).chat:
        asked = usable(RAW_PROMPTS.read, raw)
        yield _step("rephrase", rephrase, _unique(asked, "source_text"), "raw", questions)
    if (naming := jobs.cluster_names()).chat:
        words = usable(NGRAMS.read, ngrams)
        named = None if words is None else words.group_by("cluster").agg(pl.col("ngram").str.join(", "))["ngram"].to_list()
        yield _step("naming", naming, named, "ngrams", folder / "names.parquet")
    if (kept := jobs.value_laden()).chat:
        texts, judged = usable(QUESTIONS.read, questions), usable(VALUE_LADEN.read, filtered)
        if texts is not None and judged is not None:
            texts = judged.join(texts, on="source_id")
        known = MEASURED if judged is not None else AT_MOST
        yield _step("filter", kept, _unique(texts, "question"), "questions", filtered, known)


def _step(name: str, job: ChatStep, texts: list[str] | None, source: str, output: Path, mark: str = MEASURED) -> Use:
    """Return a step of curation, which calls once for each of the texts; they are None until their table exists."""
    assert job.chat and job.instruction
    calls = UNKNOWN if texts is None else Amount(len(texts), mark)
    length = mean_tokens(len(job.instruction) + len(text) for text in texts or [])
    ledger, needs = output.with_suffix(".ledger.sqlite"), f"make {output.with_name(source)}.parquet first, which costs less"
    return Use(f"prompts: {name}", job.chat.model, calls, calls * Amount(length, ASSUMED), job.chat, {ledger: None}, needs)


def _unique(rows: pl.DataFrame | None, column: str) -> list[str] | None:
    return None if rows is None else rows[column].unique().to_list()


def _synthetic(jobs: Jobs, work: Workload) -> Iterator[Use]:
    """Yield the answers of synthetic preferences, one for each side of a prompt."""
    if work.config.synthetic is None:
        return
    job, folder = jobs.answers(), work.folder / "synthetic"
    retrieved, block = folder / "retrieved.parquet", work.config.synthetic
    if (found := usable(CANDIDATES.read, retrieved)) is not None:
        rows = found.select("category", "prompt").unique().rows()
        calls = Amount(len(SIDES) * len(rows))
        length = Amount(mean_tokens(len(job.prompts[c][side]) + len(prompt) for c, prompt in rows for side in SIDES), ASSUMED)
    else:
        calls = Amount(len(SIDES) * block.cap * len(job.prompts), AT_MOST)
        system = (len(text) for sides in job.prompts.values() for text in sides.values())
        length = Amount(mean_tokens(block.longest_prompt + size for size in system), AT_MOST)
    ledger = folder / "answers.ledger.sqlite"
    yield Use("synthetic answers", job.chat.model, calls, calls * length, job.chat, {ledger: None})


# --- what is printed ---


def _row(use: Use) -> tuple[str, ...]:
    asked, answers = map(str, use.tokens) if use.chat or use.asked.value else ("", "")
    prices = [_price(use.price(batch)) if use.chat and use.chat.price else "" for batch in (False, True)]
    answered = str(use.answered) if use.chat else ""
    return use.name, use.model, str(use.calls), answered, asked, answers if use.chat else "", *prices


def _sum_of(chat: ChatJob, found: list[Use]) -> str:
    """Return the line on what a chat model costs, and whether its cap allows it."""
    if chat.server:
        return f"{chat.name}: served by the study itself; nothing is paid by the call"
    if chat.price is None:
        return f"{chat.name}: give `chats.{chat.name}.price` to learn what it costs"
    live, batch = (_total(use.price(by_batch) for use in found) for by_batch in (False, True))
    (spent, under_way), cap = spending(chat), chat.spending_cap
    route = "by batch" if chat.batch else "live"
    line = f"{chat.name}: {_price(live)} live, {_price(batch)} by batch, at the prices of {chat.price.day}; it is called {route}. "
    line += f"{money(spent)} are spent" + (f", what is under way may cost {money(under_way)}" if under_way else "")
    if cap is None:
        return f"{line}; there is no cap: `chats.{chat.name}.spending_cap`"
    # What is under way is a part of what is left, except for requests that are no longer made.
    enough = spent + max(under_way, (batch if chat.batch else live).value) < cap
    return f"{line} of the cap {money(cap)}, which {'is enough' if enough else 'may stop it before the end'}"


def _price(dollars: Amount) -> str:
    return dollars.marked(money(dollars.value))


def _total(amounts: Iterable[Amount]) -> Amount:
    return sum(amounts, NOTHING)
