"""Needs of sampling, judging, benchmarks and chat models."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from valuedrift.config.chat import ChatConfig
from valuedrift.config.judge import JudgeConfig
from valuedrift.io.tables import GENERATIONS
from valuedrift.lm.judge_prompt import orders
from valuedrift.sizing.base import IMPORTS, LOADED, PROCESS_GIB, TEXTS, Need, StudyNeeds
from valuedrift.sizing.counts import ASSUMED, AT_MOST, QUESTION, Amount
from valuedrift.study.lineage import Run

QUESTIONS = {"mmlu": 14_042, "hellaswag": 10_042, "piqa": 1_838, "gpqa_diamond": 198, "miniature-answers": 110}
PASSES, EXAMPLE = {"mmlu": 1, "piqa": 2}, 100
"""Times that a question of a benchmark is read, 4 where it is not named, and tokens of a question or example: lm-eval reads each
answer by itself, but those of one token, as MMLU's, at once; GPQA's "(A)" has three."""
SPLIT = re.compile(r"--?(?:tensor-parallel-size|tp-size|tp)[= ](\d+)")
INSTRUCTED = 200
"""Tokens of a question to a chat model, its instruction among them, where nothing tells."""
HEARD = 1.0
"""Seconds that a service takes to answer (assumed)."""


class MeasuringNeeds(StudyNeeds):
    def generation(self, run: Run) -> Need:
        """Sampling the responses of a run's checkpoints."""
        return self.once(("generation", run.id), lambda: self._generation(run))

    def stances(self, run: Run, judge: str) -> Need:
        """Judging a run's responses."""
        return self.once(("stances", run.id, judge), lambda: self._stances(run, self.config.judges[judge]))

    def downstream(self, run: Run, task: str) -> Need:
        """One benchmark of a run's final model."""
        return self.once(("downstream", run.id, task), lambda: self._downstream(run, task))

    def asking(self, chat: str, calls: Amount = TEXTS) -> Need:
        """A step that asks a chat model so often, and serves it where the config says so."""
        return self._asking(self.config.chats[chat], calls, Amount(INSTRUCTED, ASSUMED), self.config.chats[chat].max_tokens)

    def lacking_engines(self, sampled: Iterable[Run], judged: Iterable[tuple[Run, str]], chats: Iterable[str]) -> list[str]:
        """What to do about sampling, judges and served chats that do not fit the GPUs, a line for each."""
        if not self.most:
            return []
        block, found = self.config.generation, dict[str, tuple[Need, int, str]]()

        def add(name: str, need: Need, wanted: int, key: str) -> None:
            if name not in found or need.lacking_gib > found[name][0].lacking_gib:
                found[name] = need, wanted, key

        for run in sampled:
            add(f"sampling {run.model}", self.generation(run), *_split("generation", block.engine, block.vllm.tensor_parallel))
        for run, name in judged:
            if (judge := self.config.judges[name]).path:
                split = _split(f"judges.{name}", judge.backend, judge.vllm.tensor_parallel)
                add(f"the judge {name}", self.stances(run, name), *split)
        for name in chats:
            if (chat := self.config.chats[name]).server:
                add(f"the server of {name}", self.asking(name), served_gpus(chat), f"split it over more by `chats.{name}.server`")
        return [
            f"{name} wants {wanted} GPUs and a job gets {self.most}: let it have fewer, or give `cluster` more"
            if wanted > self.most
            else f"{name} lacks about {need.lacking_gib:.0f} GiB on each of {need.gpus} GPUs: {advice}, or take larger GPUs"
            for name, (need, wanted, advice) in found.items()
            if wanted > self.most or need.lacking_gib
        ]

    def _generation(self, run: Run) -> Need:
        block, settings, shape = self.config.generation, self.study.models[run.model], self.of_model(run.model)
        checkpoints, responses, answer = self.work.checkpoints(run), self._responses(run), self._answer(run)
        vllm = "_vllm" if block.engine == "vllm" else ""
        gpus, lacking = self.engine(
            shape,
            block.vllm.tensor_parallel if vllm else 1,
            0 if vllm else block.batch_size * (QUESTION / 4 + block.max_new_tokens),
        )
        tokens = responses * answer
        seconds = self.start(shape.weights) + checkpoints * (shape.weights / LOADED) + (
            tokens * self.token(f"sample{vllm}", settings.dtype, shape.parameters)
            + responses * (QUESTION / 4) * self.token(f"read{vllm}", settings.dtype, shape.parameters)
        ) * (1 / max(1, gpus))  # fmt: skip
        return self.reading(shape, gpus, lacking, seconds, tokens * 2)

    def _responses(self, run: Run) -> Amount:
        """Responses that are sampled of a run."""
        most = Amount(self.config.prompts.per_category * len(self.study.categories), AT_MOST)
        prompts = most if self.work.prompts is None else Amount(self.work.prompts.height)
        return self.work.checkpoints(run) * prompts * self.config.generation.samples

    def _answer(self, run: Run) -> Amount:
        """Tokens of a response: as sampled, else as many as the answers of the set that the run learned from; a base model's do
        not end."""
        sampled, longest = self.work.folder / "runs" / run.id / "generations.parquet", self.config.generation.max_new_tokens
        if sampled.exists():
            return Amount(GENERATIONS.read(sampled)["n_tokens"].mean() or 0.0)  # type: ignore[arg-type]
        if run.dataset is None:
            return Amount(longest, AT_MOST)
        return Amount(min(self.lengths.of(run.dataset).answer.value, longest), ASSUMED)

    def _stances(self, run: Run, judge: JudgeConfig) -> Need:
        calls = self.work.responses(run, judge) * len(orders(judge.orders))
        if judge.backend == "function":
            return Need(0, 1, 1.0, Amount(1.0) + calls * Amount(1e-3, ASSUMED), calls * 50)
        if judge.chat:
            again = judge.samples if judge.reading == "sampling" else 1
            asked = self._asking(self.config.chats[judge.chat], calls * again, self.work.judge_tokens(run, judge), 1)
            return replace(asked, disk_bytes=calls * 50)
        assert judge.path
        shape, vllm = self.shape(judge.path, judge.revision, judge.dtype), judge.backend == "vllm"
        length = self.work.judge_tokens(run, judge)
        gpus, lacking = self.engine(
            shape, judge.vllm.tensor_parallel if vllm else 1, 0 if vllm else judge.batch_size * length.value
        )
        token = self.token("read_vllm" if vllm else "read", judge.dtype, shape.parameters) * (1 / max(1, gpus))
        return self.reading(shape, gpus, lacking, self.start(shape.weights) + calls * length * token, calls * 50)

    def _downstream(self, run: Run, task: str) -> Need:
        downstream, settings, shape = self.config.downstream, self.study.models[run.model], self.of_model(run.model)
        block, questions = downstream.tasks[task], QUESTIONS.get(task, TEXTS.value)
        if block.data and (data := Path(self.study.here(block.data))).is_file():
            questions = sum(1 for _ in data.open())
        sequence = (block.shots + 1) * EXAMPLE
        read = Amount(min(questions, block.limit or questions) * PASSES.get(task, 4) * sequence, ASSUMED)
        gpus, lacking = self.engine(shape, 1, downstream.batch_size * sequence)
        seconds = self.start(shape.weights) + read * self.token("read", settings.dtype, shape.parameters)
        return self.reading(shape, gpus, lacking, seconds, Amount(4096))

    def _asking(self, chat: ChatConfig, calls: Amount, asked: Amount, tokens: int) -> Need:
        """So many calls of `asked` tokens, answered in at most `tokens`."""
        if chat.server is None:
            pace = 60 / chat.requests_per_minute if chat.requests_per_minute else HEARD / chat.concurrency
            return Need(0, 1, 1.0, Amount(86_400 if chat.batch else 0, AT_MOST) + calls * Amount(pace, ASSUMED))
        if not (wanted := served_gpus(chat)):
            return Need(0, 1, PROCESS_GIB, Amount(IMPORTS) + calls * Amount(0.01, ASSUMED))
        shape = self.shape(chat.model, chat.revision, "bfloat16")
        gpus, lacking = self.engine(shape, wanted, 0)
        read, sample = (self.token(f"{work}_vllm", "bfloat16", shape.parameters) for work in ("read", "sample"))
        seconds = calls * (asked * read + Amount(tokens, AT_MOST) * sample) * (1 / max(1, gpus))
        return self.reading(shape, gpus, lacking, self.start(2 * shape.weights) + seconds, calls * tokens * 4)


def _split(key: str, engine: str, tensor_parallel: int) -> tuple[int, str]:
    """GPUs that an engine is told to use, and what to do where they are too small."""
    if engine == "vllm":
        return tensor_parallel, f"raise `{key}.vllm.tensor_parallel`"
    return 1, f"lower `{key}.batch_size`"


def served_gpus(chat: ChatConfig) -> int:
    """GPUs of a chat's server: what its command says, one where it is given a model's folder or is vLLM or SGLang, else none."""
    command = " ".join(chat.server or [])
    if found := SPLIT.search(command):
        return int(found[1])
    return int(chat.is_downloaded or "vllm" in command or "sglang" in command)
