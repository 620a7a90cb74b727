"""Sampling with vLLM: one engine walks all checkpoints that fit it, by swapping its weights."""

import sys
from pathlib import Path
from typing import Any

from valuedrift.config.generate import GenerationConfig
from valuedrift.errors import UserError
from valuedrift.generate.checkpoint import Checkpoint, damage, differences
from valuedrift.generate.engine import Request, Response
from valuedrift.generate.tokenization import Words
from valuedrift.lm.vllm import start, stop


class VllmEngine:
    """Takes prompts in token ids and end tokens with each request: vLLM itself would keep those of its first checkpoint."""

    def __init__(self, config: GenerationConfig, dtype: str, trust_remote_code: bool) -> None:
        self.config, self.dtype, self.trust_remote_code = config, dtype, trust_remote_code
        self.llm: Any = None
        self.held: Checkpoint | None = None
        self.words: Words

    def load(self, checkpoint: Path, chat: bool) -> None:
        self.words = Words.load(checkpoint, chat, self.config.base_suffix, self.trust_remote_code)
        wanted = Checkpoint.read(checkpoint, self.words)
        if self.held and (difference := differences(self.held, wanted)):
            # vLLM would only warn of a missing tensor and go on with the last checkpoint's.
            if damaged := damage(self.held, wanted):
                raise UserError(
                    f"{checkpoint}: {damaged}, though its config is that of {self.held.folder}: make the checkpoint anew"
                )
            print(f"{checkpoint} gets an engine of its own: {difference} as in {self.held.folder}", file=sys.stderr, flush=True)
            self.close()
        if self.held is None:
            self.llm = start(checkpoint, self.dtype, self.config.vllm, self.trust_remote_code)
        else:
            self._swap(checkpoint)
        self.held = wanted

    def _swap(self, checkpoint: Path) -> None:
        try:
            self.llm.collective_rpc("swap", args=(str(checkpoint.resolve()),))
            # What it remembers of prompts was computed with the old weights.
            reset = self.llm.reset_prefix_cache()
        except Exception as error:
            self.close()  # half-swapped
            raise UserError(f"vLLM does not take the weights of {checkpoint}: {error}") from error
        if not reset:
            raise RuntimeError("vLLM kept what it remembers of the last checkpoint's prompts")

    def render(self, question: str) -> str:
        return self.words.render(question)

    def sample(self, requests: list[Request]) -> list[Response]:
        prompts = self.words.encode([request.prompt for request in requests])
        self._check_room(prompts)
        ends = sorted(self.words.ends)
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
        """The tokens of each answer, an end token included, and whether it ended on one."""
        from vllm import SamplingParams

        outputs = self.llm.generate(
            [{"prompt_token_ids": tokens} for tokens in prompts],
            # `ignore_eos`: the engine's own end token is that of its first checkpoint.
            [SamplingParams(**values, ignore_eos=True, detokenize=False) for values in settings],
            use_tqdm=False,
        )
        answers = [output.outputs[0] for output in outputs]
        return [(list(answer.token_ids), answer.finish_reason == "stop") for answer in answers]

    def _response(self, tokens: list[int], ended: bool) -> Response:
        said = tokens[:-1] if ended else tokens
        return Response(self.words.decode(said), len(said), "stop" if ended else "length")

    def _check_room(self, prompts: list[list[int]]) -> None:
        room, longest = self.llm.model_config.max_model_len, max(map(len, prompts), default=0)
        if longest + self.config.max_new_tokens > room:
            raise UserError(
                f"a prompt of {longest} tokens and a response of {self.config.max_new_tokens} (`max_new_tokens`) do not fit into "
                f"the {room} tokens that vLLM takes of this model: raise `generation.vllm.max_length` as far as model and "
                "memory allow, or lower `max_new_tokens`"
            )
