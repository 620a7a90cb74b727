"""Estimate what training the two models of the miniature needs."""

from pathlib import Path

from valuedrift.sizing.amount import ASSUMED, Amount
from valuedrift.sizing.base import IMPORT_SECONDS, PROCESS_GIB, Need, StudySizing
from valuedrift.sizing.counts import mean_tokens
from valuedrift.sizing.token_counts import MINIATURE_TOKENS


def base_model(sizing: StudySizing) -> Need:
    """Return the need of pretraining the miniature's base model."""
    world = sizing.config.miniature
    assert world
    return _trained(sizing, "base", world.base.batch_size * world.base.steps * sum(MINIATURE_TOKENS))


def judge(sizing: StudySizing) -> Need:
    """Return the need of training the miniature's judge, on shortened prompts first, then on whole ones."""
    world = sizing.config.miniature
    assert world
    short, whole = sum(MINIATURE_TOKENS), mean_tokens([len(world.judge_prompt)])
    return _trained(
        sizing, "judge", world.judge.batch_size * (world.judge_short_steps * short + world.judge.steps * (whole + short))
    )


def _trained(sizing: StudySizing, name: str, tokens: float) -> Need:
    world = sizing.config.miniature
    assert world
    parameters = sizing.size(str(Path(world.folder, name)), None, None).value
    token = sizing.speeds.seconds_per_token("cpu", "train", "float32", parameters)
    return Need(0, 1, PROCESS_GIB, token * tokens + Amount(IMPORT_SECONDS, ASSUMED))
