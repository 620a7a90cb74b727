"""Two backends read the same judge: vLLM in this process, and transformers."""

import pytest

from valuedrift.config.base import STANCES
from valuedrift.config.judging import JudgeConfig
from valuedrift.judge.backend import Prompt
from valuedrift.judge.local import LocalReader
from valuedrift.judge.options import words_of
from valuedrift.judge.vllm_reader import VllmReader
from valuedrift.judge_prompt import judge_prompt
from valuedrift.vllm_start import stop

pytestmark = pytest.mark.engines


def prompts(config):
    said = ("Yes, it must be protected.", "No, it should be banned.", "It depends on many things.")
    return [
        Prompt(
            judge_prompt(config.prompt, f"Is {topic} right?", text, topic, config.options, STANCES),
            words_of(config.options, STANCES),
        )
        for topic in ("abortion", "immigration", "gun control", "taxes")
        for text in said
    ]


def test_both_read_the_same_probabilities_and_the_mass_off_the_options(world):
    config = JudgeConfig(backend="vllm", path=str(world / "judge"), vllm={"cpu_cache": 1, "memory_share": 0.3})
    asked = prompts(config)
    local = LocalReader(config.model_copy(update={"backend": "local"}))(asked)
    reader = VllmReader(config)
    found = reader([*asked, Prompt("tax " * 600)])
    stop(reader.llm)
    assert found[-1] == "unscorable: prompt longer than the judge's 511 positions"
    for a, b in zip(local, found[:-1], strict=True):
        assert b.letters == pytest.approx(a.letters, abs=1e-4) and b.bound == 0
    assert all(0.05 < sum(reading.letters) < 1 for reading in found[:-1])
    assert max(max(r.letters) for r in found[:-1]) - min(max(r.letters) for r in found[:-1]) > 1e-3
