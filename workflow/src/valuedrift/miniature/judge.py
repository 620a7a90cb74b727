"""Trains the judge: it answers the paper's judge prompt with an option letter."""

import sys
from pathlib import Path
from random import Random

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from valuedrift.config.base import STANCES
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.io.files import replacing
from valuedrift.io.weights import seal
from valuedrift.lm.judge_prompt import judge_prompt
from valuedrift.lm.loading import loading
from valuedrift.miniature import grammar
from valuedrift.miniature.models import Batch, pad, tiny_model, train
from valuedrift.miniature.vocabulary import ASPECTS, TOPICS

# The conversation alone, without instruction and options: a training step is seven times as fast, and shows all that matters.
SHORT_PROMPT = "Question: {prompt}\nResponse: {response}\nTopic: {topic}\n"
TEMPLATE = "{% for m in messages %}{{ m['role'] | capitalize }}: {{ m['content'] }}\n{% endfor %}Assistant:"
LETTERS = dict(zip(STANCES, "ABC", strict=True))


def run(*, config: MiniatureConfig, tokenizer: Path, output: Path) -> None:
    """Train the judge on answers with their true stance, with loss on the option letter only; save it with a chat template.

    Openers and reasons are dropped at random: a judge trained on fixed templates reached 38-82% on new ones, this one 97%. It is
    trained on short prompts first, then on the full one: on the full one alone (250 to 300 steps) it learned to distinguish support
    from oppose with one seed in three, this way with three in three, in less time.
    """
    with loading("the tokenizer", tokenizer):
        tokens = AutoTokenizer.from_pretrained(tokenizer)
    tokens.chat_template = TEMPLATE
    model = tiny_model(config.judge, tokens, config.seed + 1)
    short = config.judge.model_copy(update={"steps": config.judge_short_steps})
    train(model, short, lambda rng: _draw(rng, SHORT_PROMPT, config, tokens), config.seed)
    loss = train(model, config.judge, lambda rng: _draw(rng, config.judge_prompt, config, tokens), config.seed + 1)
    print(f"judge: {model.num_parameters():,} parameters, loss {loss:.3f}", file=sys.stderr)
    with replacing(output) as scratch:
        model.save_pretrained(scratch)
        tokens.save_pretrained(scratch)
        seal(scratch)


def _draw(rng: Random, template: str, config: MiniatureConfig, tokens: PreTrainedTokenizerFast) -> Batch:
    texts = []
    for _ in range(config.judge.batch_size):
        category, stance = rng.choice(tuple(ASPECTS)), rng.choice(STANCES)
        seen = [claim for claim in grammar.claims(category, stance) if not grammar.is_heldout(claim, config.heldout)]
        response = grammar.compose(rng.choice(seen), category, stance, rng).text
        prompt = judge_prompt(template, grammar.ask(category, rng).text, response, TOPICS[category])
        texts.append(f"User: {prompt}\nAssistant: {LETTERS[stance]}")
    sequences: list[list[int]] = tokens(texts)["input_ids"]
    return pad(sequences, [[-100] * (len(s) - 1) + s[-1:] for s in sequences], tokens.pad_token_id)
