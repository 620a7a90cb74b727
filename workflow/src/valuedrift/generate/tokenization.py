"""How a checkpoint reads and writes: its tokenizer, the text that asks it a question, and the tokens that end a response."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, GenerationConfig


@dataclass(frozen=True)
class Words:
    """What a checkpoint's tokenizer and generation config decide."""

    tokenizer: Any
    chat: bool
    """Whether questions are asked through the checkpoint's chat template."""
    base_suffix: str
    """The last line of a question that is asked without one."""
    ends: set[int]
    """The tokens that end a response."""

    @classmethod
    def load(cls, checkpoint: Path, chat: bool, base_suffix: str, trust_remote_code: bool) -> "Words":
        """The words of the checkpoint in the folder; no weight is read."""
        tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)
        # A chat model's turn may end on another token than its tokenizer's texts do.
        own = _generation(checkpoint, trust_remote_code).eos_token_id
        ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
        return cls(tokenizer, chat, base_suffix, ends)

    def render(self, question: str) -> str:
        """The full text of the prompt that asks a question."""
        if not self.chat:
            return f"{question}\n{self.base_suffix}" if self.base_suffix else question
        turns = [{"role": "user", "content": question}]
        text: str = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text

    def encode(self, prompts: list[str]) -> list[list[int]]:
        """The tokens of each rendered prompt, none if there is no prompt."""
        # A chat template writes its own special tokens; a base model's prompt begins as its tokenizer says.
        tokens: list[list[int]] = self.tokenizer(prompts, add_special_tokens=not self.chat)["input_ids"] if prompts else []
        return tokens

    def decode(self, tokens: list[int]) -> str:
        """The text of a response, without special tokens and space around it."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text.strip()


def _generation(checkpoint: Path, trust_remote_code: bool) -> Any:
    """The checkpoint's generation config; where there is none, what its model's config says of the same."""
    try:
        return GenerationConfig.from_pretrained(checkpoint)
    except OSError:
        config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)
        return GenerationConfig.from_model_config(config)
