"""Compare three ways to sample a run's responses: a new vLLM per checkpoint, one vLLM that swaps weights, and transformers.

    OMP_NUM_THREADS=2 .venv-vllm/bin/python benchmarks/trace.py results/miniature [--checkpoints 10]

All ways use the checkpoints and prompts of a finished miniature study, float32 and the same threads. Importing vLLM is not timed.
vLLM's start-up times differ by 10% between runs, so nothing else should run on the machine.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tabulate import tabulate

from valuedrift.config.generate import GenerationConfig
from valuedrift.generate.engine import Request
from valuedrift.generate.responses import make_engine
from valuedrift.io.tables import PROMPTS

MIN_SPEEDUP, MAX_OVERHEAD = 5.0, 1.15


@dataclass
class Times:
    """Seconds of one way, and the number of tokens in each checkpoint's responses."""

    start: float = 0.0
    """Starting and stopping engines."""
    swap: float = 0.0
    sample: float = 0.0
    tokens: list[int] = field(default_factory=list)

    @property
    def total(self) -> float:
        return self.start + self.swap + self.sample


def main() -> None:
    """Sample at all checkpoints in the three ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder of a finished miniature study")
    parser.add_argument("--checkpoints", type=int, default=10)
    arguments = parser.parse_args()
    import vllm

    questions = PROMPTS.read(arguments.results / "prompts" / "prompts.parquet")["question"].to_list()
    vllm_config = GenerationConfig(engine="vllm", max_new_tokens=64)
    with tempfile.TemporaryDirectory() as folder:
        steps = checkpoints(arguments.results, Path(folder), arguments.checkpoints)
        threads = torch.get_num_threads()
        print(f"{len(steps)} checkpoints, {len(questions)} prompts, 5 responses each, {threads} threads, vLLM {vllm.__version__}")
        fresh, swapping = timed(vllm_config, [[step] for step in steps], questions), timed(vllm_config, [steps], questions)
        plain = timed(vllm_config.model_copy(update={"engine": "transformers"}), [steps], questions)
    if fresh.tokens != swapping.tokens:
        sys.exit(f"swapping changed the responses: {fresh.tokens} tokens by new engines, {swapping.tokens} by one")
    report({"(a) a new vLLM each": fresh, "(b) one vLLM that swaps": swapping, "(c) transformers": plain})


def checkpoints(results: Path, folder: Path, count: int) -> list[Path]:
    """Return copies of chat checkpoints of the study's runs, in float32, with a head size that vLLM supports on CPUs."""
    found = sorted(path.parent for path in results.glob("runs/mini/**/trajectory/step-*/model.safetensors"))[:count]
    if len(found) < count:
        sys.exit(f"{results} has {len(found)} checkpoints, not {count}: finish its study, or lower --checkpoints")
    copies = [Path(shutil.copytree(path, folder / str(number))) for number, path in enumerate(found)]
    for copy in copies:
        path = copy / "config.json"
        config = json.loads(path.read_text())
        if config["head_dim"] % 32:  # the same work in heads of 32; an engine's time does not depend on the weights' values
            heads = config["hidden_size"] // 32
            path.write_text(json.dumps(config | {"head_dim": 32, "num_attention_heads": heads, "num_key_value_heads": heads}))
    return copies


def timed(config: GenerationConfig, groups: list[list[Path]], questions: list[str]) -> Times:
    """Sample at all checkpoints, with one engine for each group of them."""
    times = Times()
    for group in groups:
        with closing(make_engine(config, "float32", False)) as engine:
            for place, step in enumerate(group):
                began = time.perf_counter()
                engine.load(step, True)
                loaded = time.perf_counter()
                prompts = [engine.render(question) for question in questions]
                found = engine.sample([Request(prompt, 5 * i + sample) for i, prompt in enumerate(prompts) for sample in range(5)])
                times.sample += time.perf_counter() - loaded
                times.tokens.append(sum(response.n_tokens for response in found))
                if place == 0:
                    times.start += loaded - began
                else:
                    times.swap += loaded - began
            began = time.perf_counter()
        times.start += time.perf_counter() - began
    return times


def report(ways: dict[str, Times]) -> None:
    """Print the table and whether the goals are met."""
    rows = [
        (name, times.total, times.start, times.swap, times.sample, sum(times.tokens), sum(times.tokens) / times.sample)
        for name, times in ways.items()
    ]
    headers = ["way", "total s", "starts s", "swaps s", "sampling s", "tokens", "tokens/s sampling"]
    print("\n" + tabulate(rows, headers, floatfmt=("", ".1f", ".1f", ".2f", ".1f", "d", ".0f")))
    fresh, swapping, _ = ways.values()
    ratio, overhead = fresh.total / swapping.total, (swapping.total - swapping.start) / swapping.sample
    print(f"\n(a) / (b): {ratio:.2f}, goal at least {MIN_SPEEDUP}: {'met' if ratio >= MIN_SPEEDUP else 'missed'}")
    print(
        f"(b) without its start / its sampling: {overhead:.3f}, goal at most {MAX_OVERHEAD}: "
        f"{'met' if overhead <= MAX_OVERHEAD else 'missed'}"
    )


if __name__ == "__main__":
    main()
