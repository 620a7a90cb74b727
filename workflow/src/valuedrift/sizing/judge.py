"""Estimate what judging the responses of a run needs."""

from dataclasses import replace

from valuedrift.config.judge import JudgeConfig
from valuedrift.lm.judge_prompt import orders
from valuedrift.sizing.amount import ASSUMED, Amount
from valuedrift.sizing.base import Need, StudySizing
from valuedrift.sizing.chat import asking
from valuedrift.study.lineage import Run


def stances(sizing: StudySizing, run: Run, name: str, again: str = "") -> Need:
    """Return the need of judging a run's responses, or those sampled `again`, by one judge."""
    judge = sizing.config.judges[name]
    calls = sizing.work.responses(run, judge, again) * len(orders(judge.orders))
    if judge.backend == "function":
        return Need(0, 1, 1.0, Amount(1.0) + calls * Amount(1e-3, ASSUMED), calls * 50)
    return _reading(sizing, judge, calls, sizing.work.judge_tokens(run, judge, again))


def order_check(sizing: StudySizing, name: str) -> Need:
    """Return the need of asking one judge about some responses in all orders of the options."""
    judge = sizing.config.judges[name]
    return _reading(sizing, judge, sizing.work.order_checks(judge), sizing.work.unseen_judge_tokens(judge))


def _reading(sizing: StudySizing, judge: JudgeConfig, calls: Amount, length: Amount) -> Need:
    """Return the need of this many calls of a judge that answers with an option letter, of `length` tokens each."""
    if judge.chat:
        samples = judge.samples if judge.reading == "sampling" else 1
        return replace(asking(sizing, judge.chat, calls * samples, length, answer_tokens=1), disk_bytes=calls * 50)
    assert judge.path
    shape, vllm = sizing.shape(judge.path, judge.revision, judge.dtype), judge.backend == "vllm"
    cached = 0 if vllm else judge.batch_size * length.value
    gpus, lacking = sizing.engine_gpus(shape, judge.vllm.tensor_parallel if vllm else 1, cached)
    token = sizing.token_seconds("read_vllm" if vllm else "read", judge.dtype, shape.parameters) * (1 / max(1, gpus))
    return sizing.engine_need(shape, gpus, lacking, sizing.start(shape.weights) + calls * length * token, calls * 50)
