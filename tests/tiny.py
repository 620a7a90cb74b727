"""The smallest world on which the stages run: real models, far too small to be good."""

from pathlib import Path

from valuedrift.config.miniature import MiniatureConfig, TinyModelConfig


def make_world(folder: Path, judge_batch: int = 4, judging: dict | None = None, **size: int) -> Path:
    """Write a tokenizer, a barely trained base model and a judge into the folder.

    `size` is hidden, layers and heads of both models, `judging` overrides other settings of its
    judge, which is barely trained by default (its 300 short steps take 25 CPU seconds).
    """
    from valuedrift.miniature import base, judge, tokenizer

    config = MiniatureConfig(
        folder=str(folder), vocabulary=900, corpus=400, **{"judge_short_steps": 1, **(judging or {})},
        base=TinyModelConfig(**size, steps=40, batch_size=16), judge=TinyModelConfig(**size, steps=5, batch_size=judge_batch),
    )  # fmt: skip
    tokenizer.run(config=config, output=folder / "tokenizer")
    base.run(config=config, tokenizer=folder / "tokenizer", output=folder / "base", pretraining=folder / "pretraining")
    judge.run(config=config, tokenizer=folder / "tokenizer", output=folder / "judge")
    return folder
