"""A checkpoint's tokenization: its tokenizer, the text of a prompt, and the tokens that end a response."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from valuedrift.lm.loading import loading


@dataclass(frozen=True)
class Tokenization:
    """Turns questions into token ids and token ids into responses, as a checkpoint's tokenizer and generation config say."""

    tokenizer: Any
    chat: bool
    """Whether questions are rendered with the checkpoint's chat template."""
    base_suffix: str
    """The last line of a prompt that is rendered without a chat template."""
    ends: set[int]
    """Ids of the tokens that end a response."""

    @classmethod
    def load(cls, checkpoint: Path, chat: bool, base_suffix: str, trust_remote_code: bool) -> "Tokenization":
        """Return the tokenization of the checkpoint in the folder; no weight is read.

        Raises UserError if it cannot be read.
        """
        with loading("the checkpoint", checkpoint):
            tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)
            # A chat model's turn may end on another token than the tokenizer's end of text.
            own = _generation_config(checkpoint, trust_remote_code).eos_token_id
        ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
        return cls(tokenizer, chat, base_suffix, ends)

    def render(self, question: str) -> str:
        """Return the full text of the prompt that asks a question."""
        if not self.chat:
            return f"{question}\n{self.base_suffix}" if self.base_suffix else question
        turns = [{"role": "user", "content": question}]
        text: str = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text

    def encode(self, prompts: list[str]) -> list[list[int]]:
        """Return the token ids of each rendered prompt."""
        # A chat template writes its own special tokens; to a base model's prompt the tokenizer adds them.
        tokens: list[list[int]] = self.tokenizer(prompts, add_special_tokens=not self.chat)["input_ids"] if prompts else []
        return tokens

    def decode(self, tokens: list[int]) -> str:
        """Return the text of a response, without special tokens and surrounding white space."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text.strip()


def _generation_config(checkpoint: Path, trust_remote_code: bool) -> Any:
    """Return the checkpoint's generation config; if it has none, the one that its model's config implies."""
    try:
        return GenerationConfig.from_pretrained(checkpoint)
    except OSError:
        config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)
        return GenerationConfig.from_model_config(config)
