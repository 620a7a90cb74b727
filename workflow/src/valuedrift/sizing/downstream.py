"""Estimate what a benchmark of a run's final model needs."""

from pathlib import Path

from valuedrift.sizing.amount import ASSUMED, Amount
from valuedrift.sizing.base import Need, StudySizing
from valuedrift.study.lineage import Run

BENCHMARK_QUESTIONS = {"mmlu": 14_042, "hellaswag": 10_042, "piqa": 1_838, "gpqa_diamond": 198, "miniature-answers": 110}
DEFAULT_QUESTIONS = 10_000
READS_PER_QUESTION, DEFAULT_READS, EXAMPLE_TOKENS = {"mmlu": 1, "piqa": 2}, 4, 100
"""Times that a question of a benchmark is read, and tokens of a question or example: lm-eval reads each answer by itself, but
answers of one token, as MMLU's, at once; GPQA's "(A)" has three."""


def downstream(sizing: StudySizing, run: Run, task: str) -> Need:
    """Return the need of one benchmark of a run's final model."""
    downstream, dtype, shape = sizing.config.downstream, sizing.study.models[run.model].dtype, sizing.model_shape(run.model)
    block, questions = downstream.tasks[task], BENCHMARK_QUESTIONS.get(task, DEFAULT_QUESTIONS)
    if block.data and (data := Path(sizing.study.here(block.data))).is_file():
        questions = sum(1 for _ in data.open())
    sequence = (block.shots + 1) * EXAMPLE_TOKENS
    read = min(questions, block.limit or questions) * READS_PER_QUESTION.get(task, DEFAULT_READS) * sequence
    gpus, lacking = sizing.engine_gpus(shape, 1, downstream.batch_size * sequence)
    seconds = sizing.start(shape.weights) + Amount(read, ASSUMED) * sizing.token_seconds("read", dtype, shape.parameters)
    return sizing.engine_need(shape, gpus, lacking, seconds, Amount(4096))
