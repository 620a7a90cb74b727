"""A judge in vLLM, in this process, that gives the logprobs of all option tokens, so that none is missing."""

from collections.abc import Iterator
from itertools import chain
from math import exp
from typing import Any

from transformers import AutoTokenizer

from valuedrift.config.judge import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.backend import Prompt, Reading
from valuedrift.judge.first_tokens import Next, read_places
from valuedrift.judge.options import OptionTokens
from valuedrift.judge.tokens import prompt_tokens
from valuedrift.lm.vllm import start

MOST = 128
"""Logprobs that vLLM 0.32 returns at one place."""


class VllmReader:
    """A model in vLLM that answers the judge's prompt by option letter; what the prompts begin with is computed once."""

    def __init__(self, config: JudgeConfig) -> None:
        path = str(config.path)
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(
                path, revision=config.revision, trust_remote_code=config.trust_remote_code
            )
        except (OSError, ValueError) as error:
            raise UserError(f"the judge `{path}` cannot be loaded: {error}") from error
        self.options = OptionTokens(self.tokenizer)
        self.llm = start(path, config.dtype, config.vllm, config.trust_remote_code, config.revision)
        self.room = int(self.llm.model_config.max_model_len) - 1  # one token is the answer
        self.lowered = config.vllm.max_length is not None

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]:
        tokens = prompt_tokens(self.tokenizer, [prompt.text for prompt in prompts])
        if self.lowered and any(len(row) > self.room for row in tokens):
            raise UserError(
                f"a prompt is longer than the judge's `vllm.max_length` ({self.room + 1} tokens): raise it or leave it out"
            )
        return read_places(prompts, tokens, self.room, self.options.openers, lambda asked: self._read(asked, tokens, prompts))

    def _read(self, asked: list[int], tokens: list[list[int]], prompts: list[Prompt]) -> Iterator[tuple[int, Next]]:
        from vllm import SamplingParams

        options = [self.options.ids(prompts[i].words) for i in asked]
        if (most := max((sum(map(len, ids)) for ids in options), default=0)) > MOST:
            raise UserError(
                f"{most} tokens of the judge's vocabulary mean an option, and vLLM returns {MOST}: take `backend: local`"
            )
        outputs = self.llm.generate(
            [{"prompt_token_ids": tokens[i]} for i in asked],
            # Raw logprobs of exactly these tokens: not renormalised, so that the mass off the options stays visible.
            [SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=list(chain(*ids)), detokenize=False) for ids in options],
            use_tqdm=False,
        )
        for i, ids, output in zip(asked, options, outputs, strict=True):
            answer = output.outputs[0]
            found, token = answer.logprobs[0], answer.token_ids[0]
            letters = [sum(exp(found[t].logprob) for t in of) for of in ids]
            yield i, (letters, token, exp(found[token].logprob) if token in found else 0.0)
