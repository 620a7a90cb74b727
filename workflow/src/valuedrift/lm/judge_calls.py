"""What a judge is asked, beyond its prompt: about which evaluation prompts, and for how many logprobs."""

import hashlib

import polars as pl

TOP_LOGPROBS = 20
"""Logprobs asked for at each position: the most that OpenAI returns. Servers that return fewer will do."""


def draw_prompts(prompts: pl.DataFrame, per_category: int | None, seed: int) -> pl.DataFrame:
    """Draw at most `per_category` rows of PROMPTS from each category, all where it is None.

    A prompt's rank in the draw depends on the seed and its id alone, so a new prompt displaces at most one other.
    """
    if per_category is None:
        return prompts
    ranks = [hashlib.sha256(f"{seed} {prompt_id}".encode()).hexdigest() for prompt_id in prompts["prompt_id"]]
    return prompts.with_columns(rank=pl.Series(ranks)).sort("rank").group_by("category").head(per_category).drop("rank")
