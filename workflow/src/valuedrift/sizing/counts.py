"""Count a study's steps, checkpoints, prompts and responses: in its files where they exist, else from the config."""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path

import polars as pl

from valuedrift.chat.messages import Request
from valuedrift.chat.spending import CHARACTERS
from valuedrift.config.algorithms import PpoConfig
from valuedrift.config.chat import ChatJob
from valuedrift.config.judge import JudgeConfig
from valuedrift.io.files import usable
from valuedrift.io.manifest import read_manifest
from valuedrift.io.tables import GENERATIONS, PREFERENCE_SET, PROMPTS, SFT_SET
from valuedrift.lm.judge_calls import TOP_LOGPROBS, draw_prompts
from valuedrift.lm.judge_prompt import judge_prompt, orders
from valuedrift.sizing.amount import ASSUMED, AT_MOST, UNKNOWN, Amount
from valuedrift.study.lineage import Run
from valuedrift.study.study import REPLICATE, Study

QUESTION_CHARACTERS = 80
"""Characters of a question while there is no table of prompts; PRISM's and the miniature's have about as many."""
PROMPTS_MEASURED = 200
"""Responses of a run on which the length of the judge's prompts is measured."""


class Workload:
    """Counts of one study, from its config and from the files in its folder."""

    def __init__(self, study: Study) -> None:
        self.study, self.config, self.folder = study, study.config, Path(study.folder)
        # One run at a time: the paper's responses together take gigabytes.
        self.judged = lru_cache(maxsize=1)(self._judged)

    # --- training ---

    def rows(self, dataset: str) -> Amount:
        """Return the rows that a run on this dataset or mixture trains on."""
        trained = self.data(dataset, lambda rows: rows.select((pl.col("split") == "train").sum()))
        if trained is not None:
            return Amount(trained.item())
        if dataset in self.study.mixtures:
            mixture = self.config.mixtures[self.study.mixtures[dataset][0]]
            parts = [self.rows(mixture.gap), self.rows(mixture.rest)]
            return Amount(mixture.rows) if mixture.rows else min(parts, key=lambda part: math.inf if part.partly else part.value)
        expected = (self.config.datasets[dataset].expected or {}).get("train")
        return Amount(expected, ASSUMED) if expected else UNKNOWN

    def data(self, dataset: str, ask: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame | None:
        """Return the answer to a query of a dataset's or mixture's table; None until it is made."""
        is_sft = dataset in self.config.datasets and not self.config.datasets[dataset].is_preference
        table = SFT_SET if is_sft else PREFERENCE_SET
        return usable(lambda path: table.query(path, ask), self.folder / "data" / f"{dataset}.parquet")

    def steps(self, run: Run) -> Amount:
        """Return the optimizer steps of a training, not counting that it drops rows which are too long."""
        assert run.training and run.dataset
        rows, training = self.rows(run.dataset), run.training
        if rows.partly:
            return rows
        if isinstance(training, PpoConfig):  # a batch may span two passes over the prompts
            return Amount(math.ceil(int(training.epochs * rows.value) / training.batch_size), rows.mark)
        return Amount(math.ceil(training.epochs * math.ceil(rows.value / training.batch_size)), rows.mark)

    def checkpoints(self, run: Run) -> Amount:
        """Return the checkpoints whose responses are sampled and judged; step 0 counts only for a run without a parent."""
        if manifest := usable(read_manifest, self.folder / "runs" / run.id / "manifest.json"):
            return Amount(len([saved for saved in manifest.checkpoints if saved.step or not run.parent]))
        if run.training is None:
            return Amount(1 if run.algorithm == "base" else len(self.config.external[run.model].checkpoints))
        schedule, steps = run.training.checkpoints, self.steps(run)
        if schedule.fractions:
            saved = (
                {*schedule.fractions, 1.0} if steps.partly else {max(1, round(f * steps.value)) for f in (*schedule.fractions, 1)}
            )
            return Amount(len(saved), AT_MOST if steps.partly else steps.mark)
        assert schedule.every
        return steps if steps.partly else Amount(math.ceil(steps.value / schedule.every), steps.mark)

    def sampled(self, run: Run, again: str = "") -> Amount:
        """Return the checkpoints of a run that are sampled: all, or, `again`, the last, and the first of a run without a parent."""
        if not again:
            return self.checkpoints(run)
        return Amount(1 if run.parent or run.algorithm == "base" else 2)

    @property
    def unknown(self) -> list[str]:
        """Datasets whose number of rows is unknown although the number of a run's checkpoints depends on it."""
        return sorted({str(run.dataset) for run in self.study.runs.values() if self.checkpoints(run).partly})

    # --- measuring ---

    @cached_property
    def prompts(self) -> pl.DataFrame | None:
        """The evaluation prompts; None until they are drawn."""
        return usable(PROMPTS.read, self.folder / "prompts" / "prompts.parquet")

    def responses(self, run: Run, judge: JudgeConfig, again: str = "") -> Amount:
        """Return the responses of a run that a judge reads; `again` is the folder of its second sampling."""
        if (items := self.judged(run.id, judge.per_category, again)) is not None:
            return Amount(items.height)
        # Equal responses to one question are judged once, so there may be fewer.
        return self.sampled(run, again) * self._judged_prompts(judge) * Amount(self.config.generation.samples, AT_MOST)

    def _judged_prompts(self, judge: JudgeConfig) -> Amount:
        """Return the prompts whose responses a judge reads."""
        if self.prompts is None:
            most = min(self.config.prompts.per_category, judge.per_category or math.inf)
            return Amount(most * len(self.study.categories), AT_MOST)
        sizes = self.prompts["category"].value_counts()["count"]
        return Amount(sum(min(size, judge.per_category or size) for size in sizes))

    def order_checks(self, judge: JudgeConfig) -> Amount:
        """Return the prompts that a judge is asked in all orders of the options: of no more responses than there are."""
        ends = sum(self.sampled(run, REPLICATE).value for run in self.study.runs.values())
        there_are = ends * self._judged_prompts(judge).value * self.config.generation.samples
        return Amount(min(judge.order_check, there_are) * len(orders("all")) if judge.is_order_checked else 0, AT_MOST)

    def judge_tokens(self, run: Run, judge: JudgeConfig, again: str = "") -> Amount:
        """Return the mean tokens of a judge's prompt on one response of a run: a token for every four characters."""
        if (items := self.judged(run.id, judge.per_category, again)) is not None:
            some = items.gather_every(max(1, items.height // PROMPTS_MEASURED))
            return Amount(
                mean_tokens(self._prompt(judge, *row) for row in some.select("question", "response", "topic").rows()), ASSUMED
            )
        return self.unseen_judge_tokens(judge)

    def unseen_judge_tokens(self, judge: JudgeConfig) -> Amount:
        """Return the most tokens of a judge's prompt, while the responses are not known."""
        if self.prompts is None:
            asked = [("x" * QUESTION_CHARACTERS, "", category.topic) for category in self.config.prompts.categories.values()]
        else:
            asked = [(question, "", topic) for question, topic in self.prompts.select("question", "topic").rows()]
        return Amount(mean_tokens(self._prompt(judge, *one) for one in asked) + self.config.generation.max_new_tokens, AT_MOST)

    def judge_keys(self, run: Run, judge: JudgeConfig, chat: ChatJob, again: str = "") -> Iterator[str] | None:
        """Return the ledger keys of all requests to a judge behind a server about a run; None until the responses exist."""
        if self._responses_of(run.id, again) is None:
            return None

        def keys() -> Iterator[str]:
            items = self.judged(run.id, judge.per_category, again)
            for question, response, topic in () if items is None else items.iter_rows():
                for order in orders(judge.orders):
                    text = judge_prompt(judge.prompt, question, response, topic, judge.options, order)
                    if judge.reading == "logprobs":
                        yield Request(text, logprobs=TOP_LOGPROBS).key(chat)
                    else:
                        yield from (Request(text, sample=i).key(chat) for i in range(judge.samples))

        return keys()

    def _responses_of(self, run: str, again: str) -> Path | None:
        path = self.folder / "runs" / run / again / "generations.parquet"
        return path if path.exists() and self.prompts is not None else None

    def _judged(self, run: str, per_category: int | None, again: str) -> pl.DataFrame | None:
        """Return question, response and topic of all that is judged, each once; None until the run's responses exist."""
        path = self._responses_of(run, again)
        if path is None or self.prompts is None or (sampled := usable(GENERATIONS.read, path)) is None:
            return None
        sampled = sampled.filter((pl.col("step") > 0) | (self.study.runs[run].parent is None))
        asked = sampled.join(draw_prompts(self.prompts, per_category, self.config.seed), on="prompt_id")
        asked = asked.filter(pl.col("response").str.strip_chars() != "")
        return asked.select("question", "response", "topic").unique(maintain_order=True)

    @staticmethod
    def _prompt(judge: JudgeConfig, question: str, response: str, topic: str) -> int:
        """Return the characters of the judge's prompt, which are the same for every order of the options."""
        return len(judge_prompt(judge.prompt, question, response, topic, judge.options, orders("one")[0]))


def mean_tokens(lengths: Iterable[int]) -> float:
    """Return the mean tokens of texts, given the characters of each; 0 for no texts."""
    numbers = list(lengths)
    return sum(numbers) / len(numbers) / CHARACTERS if numbers else 0.0
