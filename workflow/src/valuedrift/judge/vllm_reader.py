"""A judge in vLLM, in this process: one token a prompt, and the logprobs of all option tokens, so that none is missing."""

from itertools import chain
from math import exp
from typing import Any

from transformers import AutoTokenizer

from valuedrift.config.judging import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.backend import Prompt, Reading
from valuedrift.judge.options import OptionTokens
from valuedrift.judge.tokens import prompt_tokens
from valuedrift.vllm_start import start


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
        self.longest = self.llm.model_config.max_model_len - 1  # one token is the answer

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]:
        from vllm import SamplingParams

        tokens = prompt_tokens(self.tokenizer, [prompt.text for prompt in prompts])
        readings: list[Reading | str] = [f"unscorable: prompt longer than the judge's {self.longest} positions"] * len(prompts)
        asked = [i for i, prompt in enumerate(tokens) if len(prompt) <= self.longest]
        options = {i: self.options.ids(prompts[i].words) for i in asked}
        outputs = self.llm.generate(
            [{"prompt_token_ids": tokens[i]} for i in asked],
            # Raw logprobs of exactly these tokens: not renormalised, so that the mass off the options stays visible.
            [
                SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=list(chain(*options[i])), detokenize=False)
                for i in asked
            ],
            use_tqdm=False,
        )
        for i, output in zip(asked, outputs, strict=True):
            found = output.outputs[0].logprobs[0]
            a, b, c = (sum(exp(found[token].logprob) for token in ids) for ids in options[i])
            readings[i] = Reading((a, b, c))
        return readings
