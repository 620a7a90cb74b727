"""Estimate what sampling the responses of a run's checkpoints needs."""

import polars as pl

from valuedrift.io.tables import GENERATIONS
from valuedrift.sizing.amount import ASSUMED, AT_MOST, Amount
from valuedrift.sizing.base import LOAD_BYTES_PER_SECOND, Need, StudySizing
from valuedrift.sizing.counts import QUESTION_CHARACTERS
from valuedrift.study.lineage import Run


def generation(sizing: StudySizing, run: Run, again: str = "") -> Need:
    """Return the need of sampling the responses of a run's checkpoints, or `again` of its ends."""
    block, dtype, shape = sizing.config.generation, sizing.study.models[run.model].dtype, sizing.model_shape(run.model)
    checkpoints, vllm = sizing.work.sampled(run, again), block.engine == "vllm"
    responses = checkpoints * _responses_each(sizing)
    question, answers, suffix = QUESTION_CHARACTERS / 4, responses * _answer_tokens(sizing, run), "_vllm" if vllm else ""
    cached = 0 if vllm else block.batch_size * (question + block.max_new_tokens)
    gpus, lacking = sizing.engine_gpus(shape, block.vllm.tensor_parallel if vllm else 1, cached)
    sampling = answers * sizing.token_seconds(f"sample{suffix}", dtype, shape.parameters)
    reading = responses * question * sizing.token_seconds(f"read{suffix}", dtype, shape.parameters)
    loading = checkpoints * (shape.weights / LOAD_BYTES_PER_SECOND)
    seconds = sizing.start(shape.weights) + loading + (sampling + reading) * (1 / max(1, gpus))
    return sizing.engine_need(shape, gpus, lacking, seconds, answers * 2)


def _responses_each(sizing: StudySizing) -> Amount:
    """Return the responses that are sampled of a checkpoint."""
    most = Amount(sizing.config.prompts.per_category * len(sizing.study.categories), AT_MOST)
    prompts = most if sizing.work.prompts is None else Amount(sizing.work.prompts.height)
    return prompts * sizing.config.generation.samples


def _answer_tokens(sizing: StudySizing, run: Run) -> Amount:
    """Return the mean tokens of a run's responses: as sampled, else those of the answers in the set that it was trained on.

    Responses of a base model do not end.
    """
    sampled, longest = sizing.work.folder / "runs" / run.id / "generations.parquet", sizing.config.generation.max_new_tokens
    if (mean := GENERATIONS.column(sampled, pl.col("n_tokens").mean())) is not None:
        return Amount(mean.item() or 0.0)
    if run.dataset is None:
        return Amount(longest, AT_MOST)
    return Amount(min(sizing.lengths.of(run.dataset).answer.value, longest), ASSUMED)
