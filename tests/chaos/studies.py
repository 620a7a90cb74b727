"""The study that is attacked, and whether two results folders hold the same."""

import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clone import SMALL, Clone

RESULTS = Path("results/chaos")
PARENT, CHILD = "mini/wildchat", "mini/wildchat/dpo-synthetic-oppose"
RUNS = ["mini/base", PARENT, CHILD]
KEY = "sk-chaos-0123456789abcdef"
"""The key of the faulty server, which no file may hold."""
# What a job that was killed may leave different: what was printed, and what the answers of a ledger's server did cost.
MAY_DIFFER = ("logs/", "spending/", "benchmarks/")


def study(base_url: str) -> dict[str, Any]:
    """Return a study of SFT and DPO, as small as it can be, with a judge of its own and one behind the server."""
    config = copy.deepcopy(SMALL)
    config["study"] = RESULTS.name
    tiny = {"hidden": 32, "layers": 1, "heads": 2}
    config["miniature"] |= {
        "corpus": 600, "sft_rows": 320, "preference_rows": 160, "judge_short_steps": 20, "base": {**tiny, "steps": 40},
        "judge": {**tiny, "steps": 10},
    }  # fmt: skip
    config["training"] = {name: config["training"][name] for name in ("sft", "dpo")}
    config["runs"] = [config["runs"][0], {"parent": PARENT, "algorithm": "dpo", "data": "synthetic", "chosen": "oppose"}]
    config["prompts"]["per_category"] = 2
    price = {"input": 2.5, "output": 10, "day": "2026-05-01"}
    config["chats"] = {
        "talker": {
            "model": "talker",
            "base_url": base_url,
            "max_tokens": 1,
            "timeout": 3,
            "price": price,
            "key_variable": "CHAOS_KEY",
        }
    }
    config["judges"] = {
        "mini-judge": config["judges"]["mini-judge"],
        "api": {"backend": "openai", "chat": "talker", "order_check": 4},
    }
    config["tables"] = {"everything": {"columns": {"SFT": {"WildChat": PARENT}, "oppose": {"DPO": CHILD}}}}
    return config | {"figures": {}, "report": {}}


def contents(clone: Clone) -> dict[str, str]:
    """Return the SHA-256 of each file of the study's results, by its path there; a ledger is left out, since SQLite's file depends on
    the order of the answers, which the server's faults decide."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _files(clone.folder / RESULTS)}


def differences(clone: Clone, undisturbed: dict[str, str]) -> str | None:
    """Return which files of the clone's results differ from the undisturbed ones, are missing or are too many; None where none does."""
    found = contents(clone)
    differing = sorted(name for name in found.keys() | undisturbed.keys() if found.get(name) != undisturbed.get(name))
    return f"{len(differing)} files differ from the undisturbed ones: {', '.join(differing[:5])}" if differing else None


def _files(results: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(results.rglob("*")):
        name = str(path.relative_to(results))
        if path.is_file() and not name.startswith(MAY_DIFFER) and ".sqlite" not in name:
            yield name, path
