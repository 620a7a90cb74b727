"""Trains the base model: it continues a question and "Response:" with an answer, as in the base corpus."""

import sys
from pathlib import Path
from random import Random

from transformers import AutoTokenizer

from valuedrift.config.miniature import MiniatureConfig
from valuedrift.io.files import replacing
from valuedrift.io.weights import seal
from valuedrift.lm.loading import loading
from valuedrift.miniature.dataset import dialogues
from valuedrift.miniature.models import Batch, pad, tiny_model, train

CHECKPOINT_PERCENTS = (0, 25, 50, 100)
"""When a checkpoint of the pretraining is saved, in percent of its steps."""


def run(*, config: MiniatureConfig, tokenizer: Path, output: Path, pretraining: Path) -> None:
    """Train the base model on the base corpus and save it with the tokenizer, without a chat template.

    `pretraining` receives the intermediate checkpoints, one folder for each of CHECKPOINT_PERCENTS: for studies that measure a
    model trained by others.
    """
    with loading("the tokenizer", tokenizer):
        tokens = AutoTokenizer.from_pretrained(tokenizer)
    texts = [
        f"{question}\nResponse: {answer.text}{tokens.eos_token}" for question, answer in dialogues("base", config.corpus, config)
    ]
    corpus: list[list[int]] = tokens(texts)["input_ids"]

    def draw(rng: Random) -> Batch:
        batch = rng.choices(corpus, k=config.base.batch_size)
        return pad(batch, batch, tokens.pad_token_id)

    model = tiny_model(config.base, tokens, config.seed)
    with replacing(pretraining) as scratch:

        def save(step: int) -> None:
            for percent in CHECKPOINT_PERCENTS:
                if step == round(config.base.steps * percent / 100):
                    model.save_pretrained(scratch / str(percent))
                    tokens.save_pretrained(scratch / str(percent))
                    seal(scratch / str(percent))

        loss = train(model, config.base, draw, config.seed, save)
    print(f"base model: {model.num_parameters():,} parameters, loss {loss:.3f}", file=sys.stderr)
    with replacing(output) as scratch:
        model.save_pretrained(scratch)
        tokens.save_pretrained(scratch)
        seal(scratch)
