"""A judge in vLLM, in this process: it returns the logprobs of all option tokens, so that none is missing."""

from collections.abc import Iterator
from itertools import chain
from math import exp
from typing import Any

from transformers import AutoTokenizer

from valuedrift.config.judge import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.backend import Prompt, Reading
from valuedrift.judge.first_tokens import NextToken, read_first_tokens
from valuedrift.judge.options import OptionTokens
from valuedrift.judge.tokens import prompt_tokens
from valuedrift.lm.loading import loading
from valuedrift.lm.vllm import start

MAX_LOGPROBS = 128
"""Most logprobs that vLLM 0.32 returns for one token."""


class VllmReader:
    """A model in vLLM that answers the judge's prompt with an option letter; vLLM computes the prompts' common prefix once."""

    def __init__(self, config: JudgeConfig) -> None:
        path = str(config.path)
        with loading("the judge", path):
            self.tokenizer: Any = AutoTokenizer.from_pretrained(
                path, revision=config.revision, trust_remote_code=config.trust_remote_code
            )
        self.options = OptionTokens(self.tokenizer)
        self.llm = start(path, config.dtype, config.vllm, config.trust_remote_code, config.revision)
        self.max_length = int(self.llm.model_config.max_model_len) - 1  # one position is left for the answer
        self.is_lowered = config.vllm.max_length is not None

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]:
        tokens = prompt_tokens(self.tokenizer, [prompt.text for prompt in prompts])
        if self.is_lowered and any(len(row) > self.max_length for row in tokens):
            raise UserError(
                f"a prompt is longer than the judge's `vllm.max_length` ({self.max_length + 1} tokens): raise that key or remove it"
            )
        return read_first_tokens(
            prompts, tokens, self.max_length, self.options.openers, lambda asked: self._next_tokens(asked, tokens, prompts)
        )

    def _next_tokens(self, asked: list[int], tokens: list[list[int]], prompts: list[Prompt]) -> Iterator[tuple[int, NextToken]]:
        """Yield each index in `asked` with that prompt's next token; raises UserError if vLLM cannot return all option tokens."""
        from vllm import SamplingParams

        options = [self.options.ids(prompts[i].words) for i in asked]
        if (count := max((sum(map(len, ids)) for ids in options), default=0)) > MAX_LOGPROBS:
            raise UserError(
                f"{count} tokens of the judge's vocabulary stand for an option, and vLLM returns the logprobs of {MAX_LOGPROBS}: "
                "set `backend: local`"
            )
        outputs = self.llm.generate(
            [{"prompt_token_ids": tokens[i]} for i in asked],
            # Raw logprobs of exactly these tokens: not renormalised, so that `mass` shows the probability off the options.
            [SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=list(chain(*ids)), detokenize=False) for ids in options],
            use_tqdm=False,
        )
        for i, ids, output in zip(asked, options, outputs, strict=True):
            answer = output.outputs[0]
            logprobs, token = answer.logprobs[0], answer.token_ids[0]
            letters = [sum(exp(logprobs[t].logprob) for t in of) for of in ids]
            yield i, (letters, token, exp(logprobs[token].logprob) if token in logprobs else 0.0)
