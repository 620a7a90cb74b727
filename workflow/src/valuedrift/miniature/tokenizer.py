"""Trains a byte-level BPE tokenizer of the language; padding and end token differ, since pad = eos corrupts PPO's value masks."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from valuedrift.config.miniature import MiniatureConfig
from valuedrift.io.files import replacing
from valuedrift.io.weights import seal
from valuedrift.lm.judge_prompt import judge_prompt
from valuedrift.miniature.dataset import dialogues
from valuedrift.miniature.vocabulary import TOPICS

EOS, PAD = "<|endoftext|>", "<|pad|>"


def run(*, config: MiniatureConfig, output: Path) -> None:
    """Train the tokenizer on answers, questions and the judge's prompt, and save it as a folder."""
    texts = [text for question, answer in dialogues("base", 4000, config) for text in (question, f" {answer.text}")]
    asked = judge_prompt(config.judge_prompt, "{prompt}", "{response}", "{topic}")
    texts += [asked, "\nUser: \nAssistant:\nResponse: ", *TOPICS.values()] * 50
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=config.vocabulary, special_tokens=[EOS, PAD], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOS, pad_token=PAD, clean_up_tokenization_spaces=False)
    with replacing(output) as scratch:
        fast.save_pretrained(scratch)
        seal(scratch)
