"""Estimate what steps that call a chat model need, by how often they call it."""

import re

import polars as pl

from valuedrift.config.base import SIDES
from valuedrift.config.chat import ChatConfig
from valuedrift.io.tables import CANDIDATES, NGRAMS
from valuedrift.sizing.amount import ASSUMED, AT_MOST, Amount
from valuedrift.sizing.base import IMPORT_SECONDS, PROCESS_GIB, Need, StudySizing, small_step
from valuedrift.sizing.prompts import raw_prompts
from valuedrift.study.chats import chat_of

TENSOR_PARALLEL = re.compile(r"--?(?:tensor-parallel-size|tp-size|tp)[= ](\d+)")
REQUEST_TOKENS = 200
"""Tokens of a question to a chat model with its instruction, while nothing can be counted."""
SERVICE_SECONDS = 1.0
"""Seconds in which a service answers (assumed)."""


def served_gpus(chat: ChatConfig) -> int:
    """Return the GPUs of a chat model's server: what its command says, 1 for a model's folder, vLLM or SGLang, else 0."""
    command = " ".join(chat.server or [])
    if found := TENSOR_PARALLEL.search(command):
        return int(found[1])
    return int(chat.is_downloaded or "vllm" in command or "sglang" in command)


def curation_step(sizing: StudySizing, rule: str) -> Need:
    """Return the need of a step of curation that may call a chat model, once for each raw prompt or cluster."""
    chat = chat_of(sizing.study, rule)
    if chat is None:
        return small_step()
    ngrams = sizing.work.folder / "prompts" / "ngrams.parquet"
    if rule == "cluster_names" and (clusters := NGRAMS.column(ngrams, pl.col("cluster").n_unique())) is not None:
        return asking(sizing, chat, Amount(clusters.item()))
    return asking(sizing, chat, raw_prompts(sizing))


def synthetic_answers(sizing: StudySizing) -> Need:
    """Return the need of answering each retrieved prompt for both sides."""
    block, retrieved = sizing.config.synthetic, sizing.work.folder / "synthetic" / "retrieved.parquet"
    assert block
    calls = Amount(len(SIDES) * block.cap * len(sizing.study.categories), AT_MOST)
    if (asked := CANDIDATES.column(retrieved, pl.struct("category", "prompt").n_unique())) is not None:
        calls = Amount(len(SIDES) * asked.item())
    return asking(sizing, block.chat, calls)


def asking(
    sizing: StudySizing, name: str, calls: Amount, request_tokens: Amount | None = None, answer_tokens: int | None = None
) -> Need:
    """Return the need of this many calls of a chat model, which the job serves itself where the config says so.

    `answer_tokens` limits an answer; without it the chat model's `max_tokens` does.
    """
    chat = sizing.config.chats[name]
    if chat.server is None:
        pace = 60 / chat.requests_per_minute if chat.requests_per_minute else SERVICE_SECONDS / chat.concurrency
        return Need(0, 1, 1.0, Amount(86_400 if chat.batch else 0, AT_MOST) + calls * Amount(pace, ASSUMED))
    if not (wanted := served_gpus(chat)):
        return Need(0, 1, PROCESS_GIB, Amount(IMPORT_SECONDS) + calls * Amount(0.01, ASSUMED))
    shape, longest = sizing.shape(chat.model, chat.revision, "bfloat16"), answer_tokens or chat.max_tokens
    gpus, lacking = sizing.engine_gpus(shape, wanted, 0)
    read, sample = (sizing.token_seconds(f"{work}_vllm", "bfloat16", shape.parameters) for work in ("read", "sample"))
    call = (request_tokens or Amount(REQUEST_TOKENS, ASSUMED)) * read + Amount(longest, AT_MOST) * sample
    seconds = sizing.start(2 * shape.weights) + calls * call * (1 / max(1, gpus))
    return sizing.engine_need(shape, gpus, lacking, seconds, calls * longest * 4)
