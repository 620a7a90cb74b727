"""Sampling with vLLM: one engine serves all checkpoints of one architecture by swapping its weights."""

import sys
from pathlib import Path
from typing import Any

from valuedrift.config.generate import GenerationConfig
from valuedrift.errors import UserError
from valuedrift.generate.checkpoint import Checkpoint, damage, differences
from valuedrift.generate.engine import Request, Response
from valuedrift.generate.tokenization import Tokenization
from valuedrift.lm.vllm import start, stop


class VllmEngine:
    """Passes token ids and end tokens with each request, since vLLM itself would keep the tokenizer of its first checkpoint."""

    def __init__(self, config: GenerationConfig, dtype: str, trust_remote_code: bool) -> None:
        self.config, self.dtype, self.trust_remote_code = config, dtype, trust_remote_code
        self.llm: Any = None
        self.held: Checkpoint | None = None
        self.tokenization: Tokenization

    def load(self, checkpoint: Path, chat: bool) -> None:
        self.tokenization = Tokenization.load(checkpoint, chat, self.config.base_suffix, self.trust_remote_code)
        wanted = Checkpoint.read(checkpoint, self.tokenization)
        if self.held and (difference := differences(self.held, wanted)):
            # vLLM would only warn about a missing tensor and keep the previous checkpoint's.
            if damaged := damage(self.held, wanted):
                raise UserError(
                    f"{checkpoint}: {damaged}, though its config equals that of {self.held.folder}: make the checkpoint again"
                )
            print(
                f"{checkpoint} gets a new engine, since it differs from {self.held.folder}: {difference}",
                file=sys.stderr,
                flush=True,
            )
            self.close()
        if self.held is None:
            self.llm = start(checkpoint, self.dtype, self.config.vllm, self.trust_remote_code)
        else:
            self._swap(checkpoint)
        self.held = wanted

    def _swap(self, checkpoint: Path) -> None:
        try:
            self.llm.collective_rpc("swap", args=(str(checkpoint.resolve()),))
            # The cached prefixes were computed with the old weights.
            reset = self.llm.reset_prefix_cache()
        except Exception as error:
            self.close()  # its weights may be swapped in part
            raise UserError(f"vLLM cannot load the weights of {checkpoint}: {error}") from error
        if not reset:
            raise RuntimeError("vLLM did not clear the prefix cache of the previous checkpoint")

    def render(self, question: str) -> str:
        return self.tokenization.render(question)

    def sample(self, requests: list[Request]) -> list[Response]:
        prompts = self.tokenization.encode([request.prompt for request in requests])
        self._check_length(prompts)
        ends = sorted(self.tokenization.ends)
        settings = [
            {
                "temperature": self.config.temperature,
                "seed": request.seed,
                "max_tokens": self.config.max_new_tokens,
                "stop_token_ids": ends,
            }
            for request in requests
        ]
        return [self._response(*answer) for answer in self._generate(prompts, settings)]

    def greedy(self, prompts: list[list[int]], tokens: int) -> list[list[int]]:
        return [answer for answer, _ in self._generate(prompts, [{"temperature": 0, "max_tokens": tokens}] * len(prompts))]

    def close(self) -> None:
        stop(self.llm)
        self.llm = self.held = None

    def _generate(self, prompts: list[list[int]], settings: list[dict[str, Any]]) -> list[tuple[list[int], bool]]:
        """Return the token ids of each answer, including the end token if there is one, and whether there is one."""
        from vllm import SamplingParams

        outputs = self.llm.generate(
            [{"prompt_token_ids": tokens} for tokens in prompts],
            # `ignore_eos`: the end token that the engine knows is that of its first checkpoint.
            [SamplingParams(**values, ignore_eos=True, detokenize=False) for values in settings],
            use_tqdm=False,
        )
        answers = [output.outputs[0] for output in outputs]
        return [(list(answer.token_ids), answer.finish_reason == "stop") for answer in answers]

    def _response(self, tokens: list[int], ended: bool) -> Response:
        tokens = tokens[:-1] if ended else tokens
        return Response(self.tokenization.decode(tokens), len(tokens), "stop" if ended else "length")

    def _check_length(self, prompts: list[list[int]]) -> None:
        """Raise UserError if the longest prompt and response do not fit into the model's context."""
        limit, longest = self.llm.model_config.max_model_len, max(map(len, prompts), default=0)
        if longest + self.config.max_new_tokens > limit:
            raise UserError(
                f"a prompt of {longest} tokens and a response of {self.config.max_new_tokens} do not fit into "
                f"the {limit} tokens that vLLM allows for this model: raise `generation.vllm.max_length` as far as model and "
                "memory allow, or lower `generation.max_new_tokens`"
            )
