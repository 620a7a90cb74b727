"""The base model: it continues a question and "Response:" with an answer, in the base corpus's shares."""

import sys
from pathlib import Path
from random import Random

from transformers import AutoTokenizer

from valuedrift.config.miniature import MiniatureConfig
from valuedrift.frames import replacing
from valuedrift.miniature.dataset import dialogues
from valuedrift.miniature.models import Batch, pad, tiny_model, train


def run(*, config: MiniatureConfig, tokenizer: Path, output: Path) -> None:
    """Train the base model on the base corpus and save it with the tokenizer, without a chat template."""
    tokens = AutoTokenizer.from_pretrained(tokenizer)
    texts = [
        f"{question}\nResponse: {answer.text}{tokens.eos_token}" for question, answer in dialogues("base", config.corpus, config)
    ]
    corpus: list[list[int]] = tokens(texts)["input_ids"]

    def draw(rng: Random) -> Batch:
        batch = rng.choices(corpus, k=config.base.batch_size)
        return pad(batch, batch, tokens.pad_token_id)

    model = tiny_model(config.base, tokens, config.seed)
    loss = train(model, config.base, draw, config.seed)
    print(f"base model: {model.num_parameters():,} parameters, loss {loss:.3f}", file=sys.stderr)
    with replacing(output) as scratch:
        model.save_pretrained(scratch)
        tokens.save_pretrained(scratch)
