"""A judge that runs here: one forward pass over each prompt gives the probabilities of the option letters."""

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuedrift.config.judging import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.backend import Reading
from valuedrift.judge_prompt import LETTERS

# How an answer may begin with an option. Only those that are one token count: the "(" of a split "(A" is common to all three.
VARIANTS = ("{}", " {}", "({}", " ({}")


class LocalReader:
    """A transformers model that answers the judge's prompt by option letter."""

    def __init__(self, config: JudgeConfig) -> None:
        self.config = config
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        options = {"revision": config.revision, "trust_remote_code": config.trust_remote_code}
        path = str(config.path)
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(path, **options)
            self.model: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=getattr(torch, config.dtype), use_safetensors=True, **options
            )
        except (OSError, ValueError) as error:
            raise UserError(f"the judge `{path}` cannot be loaded: {error}") from error
        self.model = self.model.to(self.device).eval()
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.letters = [self._letter_tokens(letter) for letter in LETTERS]

    def __call__(self, prompts: list[str]) -> list[Reading | str]:
        tokens = [self._tokens(prompt) for prompt in prompts]
        longest = getattr(self.model.config, "max_position_embeddings", None)
        readings: list[Reading | str] = [f"unscorable: prompt longer than the judge's {longest} positions"] * len(prompts)
        order = sorted(
            (i for i in range(len(prompts)) if longest is None or len(tokens[i]) <= longest), key=lambda i: len(tokens[i])
        )
        for start in range(0, len(order), self.config.batch_size):
            batch = order[start : start + self.config.batch_size]
            for index, reading in zip(batch, self._read_batch([tokens[i] for i in batch]), strict=True):
                readings[index] = reading
        return readings

    def _letter_tokens(self, letter: str) -> list[int]:
        """Ids of the tokens that begin an answer with this option."""
        encoded = [self.tokenizer.encode(v.format(letter), add_special_tokens=False) for v in VARIANTS]
        ids = sorted({tokens[0] for tokens in encoded if len(tokens) == 1})
        if not ids:
            raise UserError(f"the judge `{self.config.path}` has no single token for the option {letter}")
        return ids

    def _tokens(self, prompt: str) -> list[int]:
        if self.tokenizer.chat_template is None:
            ids: list[int] = self.tokenizer.encode(f"{prompt}\nAnswer:")
            return ids
        turns = [{"role": "user", "content": prompt}]
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    @torch.inference_mode()
    def _read_batch(self, tokens: list[list[int]]) -> list[Reading]:
        inputs = self.tokenizer.pad({"input_ids": tokens}, return_tensors="pt").to(self.device)
        positions = (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)
        # Logits of the last position only: of all positions they would be most of the memory.
        logits = self.model(**inputs, position_ids=positions, logits_to_keep=1).logits[:, -1]
        probabilities = logits.double().softmax(-1)
        options = torch.stack([probabilities[:, ids].sum(1) for ids in self.letters], 1)
        return [Reading((a, b, c)) for a, b, c in options.tolist()]
