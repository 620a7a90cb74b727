"""Three backends read the same judge: transformers, vLLM in this process, and a server of vLLM that speaks OpenAI's language."""

import sys
from random import Random

import pytest
import torch

from valuedrift.config.base import STANCES
from valuedrift.config.chat import ChatJob
from valuedrift.config.judge import JudgeConfig
from valuedrift.judge.api import ApiReader
from valuedrift.judge.backend import Prompt
from valuedrift.judge.local import LocalReader
from valuedrift.judge.options import words_of
from valuedrift.judge.vllm_reader import VllmReader
from valuedrift.lm.judge_prompt import judge_prompt
from valuedrift.lm.vllm import stop
from valuedrift.miniature import grammar
from valuedrift.miniature.judge import SHORT_PROMPT
from valuedrift.miniature.vocabulary import ASPECTS, TOPICS

pytestmark = pytest.mark.engines


def prompts(config):
    asked = []
    for number in range(24):
        rng = Random(number)
        category, stance = rng.choice(tuple(ASPECTS)), rng.choice(STANCES)
        response = grammar.compose(rng.choice(grammar.claims(category, stance)), category, stance, rng).text
        text = judge_prompt(config.prompt, grammar.ask(category, rng).text, response, TOPICS[category], config.options, STANCES)
        asked.append(Prompt(text, words_of(config.options, STANCES)))
    return asked


@pytest.fixture(scope="module")
def config(world):
    return JudgeConfig(path=str(world / "judge"), prompt=SHORT_PROMPT, vllm={"cpu_cache": 1, "memory_share": 0.3})


@pytest.fixture(scope="module")
def local(config):
    """What the judge says in transformers: sure of itself, and not of the same stance throughout."""
    readings = LocalReader(config)(prompts(config))
    assert all(0.9 < sum(reading.letters) < 1 for reading in readings)
    assert {max(range(3), key=lambda i, reading=reading: reading.letters[i]) for reading in readings} >= {0, 2}
    return readings


def test_vllm_reads_the_probabilities_that_transformers_reads(config, local):
    reader = VllmReader(config)
    found = reader([*prompts(config), Prompt("tax " * 600)])
    stop(reader.llm)
    assert found[-1] == "unscorable: prompt longer than the judge's 511 positions"
    assert all(reading.bound == 0 for reading in found[:-1])
    for a, b in zip(local, found[:-1], strict=True):
        assert b.letters == pytest.approx(a.letters, abs=1e-4)


def test_a_server_of_vllm_gives_the_probabilities_that_transformers_reads(config, local, tmp_path):
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", config.path, "--served-model-name", "{model}",
               "--port", "{port}", "--dtype", "float32", "--enforce-eager", "--generation-config", "vllm", "--gpu-memory-utilization",
               "0.3"]  # fmt: skip
    if not torch.cuda.is_available():
        command += ["--kv-cache-memory-bytes", str(1 << 30), "--no-enable-chunked-prefill"]
    chat = ChatJob(name="judge", spending=str(tmp_path / "spending"), model="judge", server=command, max_tokens=1)
    reader = ApiReader(config, chat, tmp_path / "ledger.sqlite")
    found = reader(prompts(config))
    for a, b in zip(local, found, strict=True):
        assert b.letters == pytest.approx(a.letters, abs=1e-3)
