"""What config/paper.yaml takes from the hub, in small: tiny random models and small datasets in the public schemas, on a double of it.

The config keeps its names, commits, runs, tables and figures; what changes is sizes, the chat model's server (the miniature's), the
judge (a double, since random models write no sentences to judge) and the benchmarks' questions.
"""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from data.public import write_public_dataset
from valuedrift.config.miniature import MiniatureConfig, TinyModelConfig
from valuedrift.lm.embedding import model_location
from valuedrift.miniature import tokenizer
from valuedrift.miniature.models import tiny_model

ROOT = Path(__file__).parents[3]
PAPER = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
ARCHITECTURES = {"Llama-3.2-3B": "llama", "Llama-3.1-8B": "llama", "Qwen3-4B-Base": "qwen3", "Qwen3-8B-Base": "qwen3"}
ROWS = {"wildchat": 128, "alpaca": 96, "ultrafeedback": 64, "hh_rlhf": 64, "prism": 700}
CHOICES = ("right", "wrong a", "wrong b", "wrong c")
QUESTIONS = {
    "mmlu": lambda i: {"question": f"q {i}", "choices": list(CHOICES), "answer": 0, "subject": "s"},
    "hellaswag": lambda i: {
        "ind": i,
        "activity_label": "a",
        "ctx_a": f"c {i}",
        "ctx_b": "and",
        "endings": list(CHOICES),
        "label": "0",
    },
    "gpqa_diamond": lambda i: {
        "Question": f"q {i}",
        "Correct Answer": "right",
        **{f"Incorrect Answer {c}": f"wrong {c}" for c in (1, 2, 3)},
    },
    "piqa": lambda i: {"goal": f"g {i}", "sol1": "right", "sol2": "wrong", "label": 0},
}
JUDGE = '''
import hashlib


def judge(question, response, topic):
    """A double: three numbers that depend on the text alone."""
    a, b, c, *_ = hashlib.sha256(f"{question}{response}{topic}".encode()).digest()
    return [(x + 1) / (a + b + c + 3) for x in (a, b, c)]
'''


def write_hub(root: Path) -> None:
    """The repositories that the config names, under root/models and root/datasets."""
    world = MiniatureConfig(folder="none", vocabulary=1200)
    tokenizer.run(config=world, output=root / "tokenizer")
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(root / "tokenizer")
    for block in PAPER["models"].values():
        folder = root / "models" / block["path"]
        tiny = TinyModelConfig(architecture=ARCHITECTURES[folder.name], hidden=16, layers=1, heads=2, positions=2048)
        tiny_model(tiny, tokens, 0).save_pretrained(folder)
        tokens.save_pretrained(folder)
    encoder = root / "models" / PAPER["prompts"]["embedding"]["model"]
    encoder.parent.mkdir()
    encoder.symlink_to(model_location("all-MiniLM-L6-v2"))
    for block in PAPER["datasets"].values():
        if block["format"] in ROWS:
            write_public_dataset(block["format"], root / "datasets" / block["path"], ROWS[block["format"]])
    write_public_dataset("prism", root / "datasets" / PAPER["prompts"]["source"]["path"], ROWS["prism"])


def tiny_study(folder: Path) -> dict[str, Any]:
    """The paper's config at the size of a test; writes the judge and the benchmarks' questions into `folder`."""
    study = copy.deepcopy(PAPER)
    for block in study["training"].values():
        block.update(batch_size=8, device_batch_size=8, epochs=1, max_length=256)
        if "checkpoints" in block:
            block["checkpoints"] = {"every": 4}
        if "max_response" in block:
            block.update(max_response=80)
    study["training"]["ppo"]["max_response"] = 16
    study["chats"]["qwen-72b"].update(server=["python", "-m", "valuedrift.miniature", "server", "--port", "{port}"])
    study["synthetic"].update(threshold=0.1, cap=4)
    study["prompts"]["clustering"]["min_cluster_size"] = 10
    study["prompts"].update(per_category=2, min_similarity=0.1)
    study["generation"].update(samples=1, max_new_tokens=8)
    (folder / "judge_double.py").write_text(JUDGE)
    study["judges"] = {"double": {"backend": "function", "function": "judge_double:judge"}}
    for name, row in QUESTIONS.items():
        file = folder / f"{name}.jsonl"
        file.write_text("".join(f"{json.dumps(row(i))}\n" for i in range(7)))
        study["downstream"]["tasks"][name] |= {"data": file.name, "revisions": {}}
    # One run of each kind: lm-eval takes 20 s to start, and the paper shows 30 runs.
    rows = study["tables"]["table_17"]["rows"]
    llama = rows["Llama3 3B, WildChat"]
    rows.clear()
    rows.update(
        {"Llama3 3B": {"Base": "llama3-3b/base"}, "Llama3 3B, WildChat": {k: llama[k] for k in ("SFT", "DPO, chosen support")}}
    )
    return study
